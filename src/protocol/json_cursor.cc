// SPDX-License-Identifier: Apache-2.0
#include "protocol/json_cursor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

namespace penstock::protocol {
namespace {

constexpr uint64_t kExactInteger = uint64_t{1} << 53;
constexpr int kExactPowerMax = 22;
constexpr std::array<double, kExactPowerMax + 1> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int kUint64Digits = 19;         // any number of so many digits fits uint64
constexpr int kExponentMax = 1'000'000;   // beyond, the exponent's exact size no longer matters

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void AppendUtf8(std::string& out, unsigned code) {
  const auto append = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    append(code);
  } else if (code < 0x800) {
    append(0xC0 | (code >> 6));
    append(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    append(0xE0 | (code >> 12));
    append(0x80 | ((code >> 6) & 0x3F));
    append(0x80 | (code & 0x3F));
  } else {
    append(0xF0 | (code >> 18));
    append(0x80 | ((code >> 12) & 0x3F));
    append(0x80 | ((code >> 6) & 0x3F));
    append(0x80 | (code & 0x3F));
  }
}

// Whether a number that is zero or infinity in double is small: by the place of its first digit that is not 0.
bool IsBelowOne(std::string_view digits, int exponent) {
  const size_t first = digits.find_first_of("123456789");
  if (first == std::string_view::npos) return true;
  const size_t point = std::min(digits.find('.'), digits.size());
  const auto place = first < point ? static_cast<int64_t>(point - first) : -static_cast<int64_t>(first - point);
  return place + exponent <= 0;
}

}  // namespace

bool JsonCursor::ReadString(std::string_view& text, std::string& scratch) {
  if (!Take('"')) return Fail("a string in double quotes was expected");
  const char* start = at_;
  bool has_escape = false;
  for (;;) {
    if (at_ == end_) return Fail("a string is not closed");
    const auto byte = static_cast<unsigned char>(*at_);
    if (byte == '"') break;
    if (byte == '\\') {
      if (!has_escape) scratch.assign(start, at_);
      has_escape = true;
      if (!ReadEscape(scratch)) return false;
      continue;
    }
    if (byte < 0x20) return Fail("a control character in a string must be escaped");
    const char* from = at_;
    if (byte < 0x80) {
      ++at_;
    } else if (!SkipUtf8Sequence()) {
      return false;
    }
    if (has_escape) scratch.append(from, at_);
  }
  text = has_escape ? std::string_view(scratch) : std::string_view(start, static_cast<size_t>(at_ - start));
  ++at_;
  return true;
}

bool JsonCursor::ReadKey(std::string_view& key, std::string& scratch) {
  if (!ReadString(key, scratch)) return false;
  return Take(':') || Fail("':' was expected after the name of a member");
}

bool JsonCursor::ReadEscape(std::string& out) {
  ++at_;
  if (at_ == end_) return Fail("a string is not closed");
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  const size_t simple = kLetters.find(*at_);
  if (simple != std::string_view::npos) {
    out += kValues[simple];
    ++at_;
    return true;
  }
  if (*at_ != 'u') return Fail("an escape that JSON does not have");
  ++at_;
  unsigned code = 0;
  if (!ReadHex4(code)) return false;
  if (code >= 0xDC00 && code <= 0xDFFF) return Fail("half of a surrogate pair");
  if (code >= 0xD800 && code <= 0xDBFF) {
    unsigned low = 0;
    if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return Fail("half of a surrogate pair");
    at_ += 2;
    if (!ReadHex4(low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return Fail("half of a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  AppendUtf8(out, code);
  return true;
}

bool JsonCursor::ReadHex4(unsigned& code) {
  if (end_ - at_ < 4) return Fail("four hexadecimal digits were expected after \\u");
  const auto [stop, error] = std::from_chars(at_, at_ + 4, code, 16);
  if (error != std::errc() || stop != at_ + 4) return Fail("four hexadecimal digits were expected after \\u");
  at_ += 4;
  return true;
}

bool JsonCursor::SkipUtf8Sequence() {
  const auto byte = [&](int i) { return at_ + i < end_ ? static_cast<unsigned char>(at_[i]) : 0; };
  const auto continues = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned lead = byte(0);
  int length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = continues(1) ? 2 : 0;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    const bool is_overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool is_surrogate = lead == 0xED && byte(1) > 0x9F;
    length = continues(1) && continues(2) && !is_overlong && !is_surrogate ? 3 : 0;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    const bool is_overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool is_beyond = lead == 0xF4 && byte(1) > 0x8F;
    length = continues(1) && continues(2) && continues(3) && !is_overlong && !is_beyond ? 4 : 0;
  }
  if (length == 0) return Fail("bytes that are not UTF-8");
  at_ += length;
  return true;
}

bool JsonCursor::ReadNumber(JsonNumber& number) {
  const char* start = at_;
  const char* p = at_;
  const bool is_negative = p != end_ && *p == '-';
  p += is_negative;
  uint64_t mantissa = 0;
  const char* digits = p;
  while (p != end_ && IsDigit(*p)) mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
  int64_t digit_count = p - digits;
  at_ = p;
  if (digit_count == 0) return Fail("a digit was expected");
  if (digits[0] == '0' && digit_count > 1) return Fail("a number must not start with 0");

  const bool is_plain = p == end_ || (*p != '.' && (*p | 0x20) != 'e');
  if (is_plain && digit_count < kUint64Digits) {
    const auto magnitude = static_cast<int64_t>(mantissa);
    number = {.value = 0, .integer = is_negative ? -magnitude : magnitude, .is_integer = true};
    if (is_negative && magnitude == 0) number = {.value = -0.0};
    return true;
  }
  int64_t fraction_count = 0;
  if (p != end_ && *p == '.') {
    const char* fraction = ++p;
    while (p != end_ && IsDigit(*p)) mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
    fraction_count = p - fraction;
    digit_count += fraction_count;
    at_ = p;
    if (fraction_count == 0) return Fail("a digit was expected after the decimal point");
  }
  const bool has_exponent = p != end_ && (*p | 0x20) == 'e';
  const bool is_exact = digit_count <= kUint64Digits && mantissa <= kExactInteger && fraction_count <= kExactPowerMax;
  if (is_exact && !has_exponent) [[likely]] {
    // Both are exact doubles, so that one correctly rounded division gives the nearest double (Clinger 1990).
    const double magnitude = static_cast<double>(mantissa) / kPowers[static_cast<size_t>(fraction_count)];
    number = {.value = is_negative ? -magnitude : magnitude};
    return true;
  }
  int exponent = 0;
  if (has_exponent) {
    ++p;
    const bool is_small = p != end_ && *p == '-';
    if (p != end_ && (*p == '-' || *p == '+')) ++p;
    const char* exponent_digits = p;
    while (p != end_ && IsDigit(*p)) exponent = std::min(exponent * 10 + (*p++ - '0'), kExponentMax);
    at_ = p;
    if (p == exponent_digits) return Fail("a digit was expected in the exponent");
    if (is_small) exponent = -exponent;
  }
  return FinishNumber(start, exponent, number);
}

// at_ stands behind a number whose grammar is right.
bool JsonCursor::FinishNumber(const char* start, int exponent, JsonNumber& number) {
  const std::string_view text(start, static_cast<size_t>(at_ - start));
  number = {};
  if (text.find_first_of(".eE") == std::string_view::npos) {
    const auto [stop, error] = std::from_chars(start, at_, number.integer);
    number.is_integer = error == std::errc();
    if (number.is_integer) return true;
  }
  const auto [stop, error] = std::from_chars(start, at_, number.value);
  if (error == std::errc() && std::isfinite(number.value)) return true;
  const bool is_negative = text[0] == '-';
  const std::string_view digits = text.substr(is_negative, text.find_first_of("eE") - is_negative);
  number.is_finite = IsBelowOne(digits, exponent);
  number.value = is_negative ? -0.0 : 0.0;
  return true;
}

bool JsonCursor::ReadWord(std::string_view word) {
  return TakeBytes(word) || Fail("a value was expected: a string, a number, an object, a list, true, false or null");
}

bool JsonCursor::SkipScalar() {
  std::string_view text;
  std::string scratch;
  JsonNumber number;
  switch (Peek()) {
    case '"':
      return ReadString(text, scratch);
    case 't':
      return ReadWord("true");
    case 'f':
      return ReadWord("false");
    case 'n':
      return ReadWord("null");
    default:
      break;
  }
  const bool is_number = at_ != end_ && (*at_ == '-' || IsDigit(*at_));
  return is_number ? ReadNumber(number) : ReadWord("null");
}

bool JsonCursor::SkipValue(int depth_max) {
  std::vector<char> closers;  // of the objects and lists that are open; a loop, so that depth costs no stack
  std::string_view key;
  std::string scratch;
  for (;;) {
    const char next = Peek();
    if (next == '{' || next == '[') {
      ++at_;
      if (closers.size() >= static_cast<size_t>(depth_max)) return Fail("objects and lists are nested too deep");
      closers.push_back(next == '{' ? '}' : ']');
      if (Take(closers.back())) {
        closers.pop_back();
      } else {
        if (next == '{' && !ReadKey(key, scratch)) return false;
        continue;
      }
    } else if (!SkipScalar()) {
      return false;
    }
    while (!closers.empty() && Take(closers.back())) closers.pop_back();
    if (closers.empty()) return true;
    if (!Take(',')) return Fail(closers.back() == '}' ? "',' or '}' was expected" : "',' or ']' was expected");
    if (closers.back() == '}' && !ReadKey(key, scratch)) return false;
  }
}

}  // namespace penstock::protocol
