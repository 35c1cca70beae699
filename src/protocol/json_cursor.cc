// SPDX-License-Identifier: Apache-2.0
#include "protocol/json_cursor.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/utf8.h"

namespace penstock::protocol {
namespace {

constexpr int64_t kUint64Digits = 19;  // any number of so many digits fits uint64
constexpr int64_t kPowerMin = -342;    // simdjson's table of powers of ten begins and ends here
constexpr int64_t kPowerMax = 308;
constexpr int64_t kExponentMax =
    1'000'000'000;  // beyond, and beyond any body's length, its size no longer matters

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

// False when it is beyond int64, or -0, which is no integer: it has a sign.
bool ConvertInteger(std::string_view text, JsonNumber& number) {
  number = {};
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), number.integer);
  number.is_integer = error == std::errc() && !(number.integer == 0 && text[0] == '-');
  return number.is_integer;
}

// With any number of digits. The number is below 10 to the power of `magnitude`.
void ConvertSlowly(std::string_view text, int64_t magnitude, JsonNumber& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number.value);
  if (error == std::errc() && std::isfinite(number.value)) return;
  // Beyond double: large, or so small that zero is the nearest.
  const bool is_zero =
      text.substr(0, text.find_first_of("eE")).find_first_of("123456789") == std::string_view::npos;
  number.is_finite = is_zero || magnitude < 0;
  number.value = text[0] == '-' ? -0.0 : 0.0;
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
  text = has_escape ? std::string_view(scratch)
                    : std::string_view(start, static_cast<size_t>(at_ - start));
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
  if (error != std::errc() || stop != at_ + 4)
    return Fail("four hexadecimal digits were expected after \\u");
  at_ += 4;
  return true;
}

bool JsonCursor::SkipUtf8Sequence() {
  const size_t length = Utf8SequenceLength({at_, static_cast<size_t>(end_ - at_)});
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
  bool is_plain = true;
  int64_t exponent = 0;
  if (p != end_ && *p == '.') {
    is_plain = false;
    const char* fraction = ++p;
    while (p != end_ && IsDigit(*p)) mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
    at_ = p;
    if (p == fraction) return Fail("a digit was expected after the decimal point");
    digit_count += p - fraction;
    exponent = fraction - p;
  }
  if (p != end_ && (*p | 0x20) == 'e') {
    is_plain = false;
    int64_t written = 0;
    if (!ReadExponent(written)) return false;
    exponent += written;
  }
  const std::string_view text(start, static_cast<size_t>(at_ - start));
  if (is_plain && ConvertInteger(text, number)) return true;
  number = {};
  const bool is_converted =
      digit_count <= kUint64Digits && Scale(mantissa, exponent, is_negative, number.value);
  if (!is_converted) ConvertSlowly(text, exponent + digit_count, number);
  return true;
}

bool JsonCursor::Scale(uint64_t mantissa, int64_t power, bool is_negative, double& value) {
  if (power < kPowerMin || power > kPowerMax) return false;
  return simdjson::builtin::numberparsing::compute_float_64(power, mantissa, is_negative, value) &&
         std::isfinite(value);
}

// at_ stands at the 'e'.
bool JsonCursor::ReadExponent(int64_t& exponent) {
  ++at_;
  const bool is_negative = at_ != end_ && *at_ == '-';
  if (at_ != end_ && (*at_ == '-' || *at_ == '+')) ++at_;
  const char* digits = at_;
  while (at_ != end_ && IsDigit(*at_))
    exponent = std::min(exponent * 10 + (*at_++ - '0'), kExponentMax);
  if (at_ == digits) return Fail("a digit was expected in the exponent");
  if (is_negative) exponent = -exponent;
  return true;
}

bool JsonCursor::ReadWord(std::string_view word) {
  return TakeBytes(word) ||
         Fail("a value was expected: a string, a number, an object, a list, true, false or null");
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
  std::vector<char>
      closers;  // of the objects and lists that are open; a loop, so that depth costs no stack
  std::string_view key;
  std::string scratch;
  for (;;) {
    const char next = Peek();
    if (next == '{' || next == '[') {
      ++at_;
      if (closers.size() >= static_cast<size_t>(depth_max)) return Fail(kTooDeep.data());
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
    if (!Take(','))
      return Fail(closers.back() == '}' ? "',' or '}' was expected" : "',' or ']' was expected");
    if (closers.back() == '}' && !ReadKey(key, scratch)) return false;
  }
}

}  // namespace penstock::protocol
