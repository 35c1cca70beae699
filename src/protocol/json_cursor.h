// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace penstock::protocol {

// A JSON number (RFC 8259, section 6) as it stands in the text.
struct JsonNumber {
  double value = 0;
  int64_t integer = 0;      // where is_integer
  bool is_integer = false;  // without fraction and exponent, within int64, and not -0
  bool is_finite = true;    // false: its size is beyond double, and value holds nothing
};

// Reads JSON text from the front, strictly by RFC 8259, without recursion into what it reads. Every
// Read and Skip returns false at a fault; fault() says what was expected and offset() where.
// Borrows the text.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  size_t offset() const { return static_cast<size_t>(at_ - begin_); }
  const char* fault() const { return fault_; }
  bool Fail(const char* fault) {
    fault_ = fault;
    return false;
  }

  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  // The next character after white space, or '\0' at the end (which no JSON token starts with).
  char Peek() {
    SkipSpace();
    return at_ == end_ ? '\0' : *at_;
  }
  bool is_at_end() {
    SkipSpace();
    return at_ == end_;
  }
  // Steps over c when it comes next.
  bool Take(char c) {
    if (Peek() != c || at_ == end_) return false;
    ++at_;
    return true;
  }
  // Steps over exactly these bytes when they come next.
  bool TakeBytes(std::string_view bytes) {
    SkipSpace();
    if (static_cast<size_t>(end_ - at_) < bytes.size() || !EqualBytes(at_, bytes)) return false;
    at_ += bytes.size();
    return true;
  }

  // `"..."`. text is a view of the document where it has no escapes, else of scratch; valid UTF-8.
  bool ReadString(std::string_view& text, std::string& scratch);
  // `"...":`
  bool ReadKey(std::string_view& key, std::string& scratch);
  bool ReadNumber(JsonNumber& number);
  // A number of up to 19 digits without an exponent, and, when it is an integer, within 2^53: most
  // are. False, and nothing is read, when it is another, or no number; ReadNumber then tells.
  bool ReadQuickNumber(double& value);
  // true, false, null.
  bool ReadWord(std::string_view word);

  // The fault of what is JSON, and deeper than SkipValue was told to go.
  static constexpr std::string_view kTooDeep = "objects and lists are nested too deep";
  // Steps over a value of any kind, nested up to depth_max.
  bool SkipValue(int depth_max);

 private:
  // Keys are short: eight bytes at a time, the last eight overlapping, cost less than a call of
  // memcmp.
  static bool EqualBytes(const char* at, std::string_view bytes) {
    const char* expected = bytes.data();
    const size_t size = bytes.size();
    if (size < 8) {
      size_t i = 0;
      while (i < size && at[i] == expected[i]) ++i;
      return i == size;
    }
    for (size_t i = 0; i + 8 <= size; i += 8) {
      if (LoadWord(at + i) != LoadWord(expected + i)) return false;
    }
    return LoadWord(at + size - 8) == LoadWord(expected + size - 8);
  }
  static uint64_t LoadWord(const char* from) {
    uint64_t word = 0;
    std::memcpy(&word, from, sizeof(word));
    return word;
  }

  bool ReadEscape(std::string& out);
  bool ReadHex4(unsigned& code);
  bool SkipUtf8Sequence();
  bool SkipScalar();
  bool ReadExponent(int64_t& exponent);
  // mantissa x 10^power, correctly rounded. False in the rare cases that need more than 128 bits.
  static bool Scale(uint64_t mantissa, int64_t power, bool is_negative, double& value);

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* fault_ = "";
};

inline constexpr uint64_t kExactInteger = uint64_t{1}
                                          << 53;  // every integer up to here is a double
inline constexpr size_t kExactPowerMax = 22;
inline constexpr std::array<double, kExactPowerMax + 1> kExactPowers = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

inline bool JsonCursor::ReadQuickNumber(double& value) {
  constexpr std::ptrdiff_t kDigitsMax = 19;  // fit uint64
  const char* p = at_;
  const char* const end = end_;
  const bool is_negative = p != end && *p == '-';
  p += is_negative;
  const char* const digits = p;
  uint64_t mantissa = 0;
  unsigned digit = 0;
  while (p != end && (digit = static_cast<unsigned char>(*p) - unsigned{'0'}) < 10) {
    mantissa = mantissa * 10 + digit;
    ++p;
  }
  const std::ptrdiff_t whole_count = p - digits;
  if (whole_count == 0 || (*digits == '0' && whole_count > 1)) return false;
  std::ptrdiff_t fraction_count = 0;
  if (p != end && *p == '.') {
    const char* const fraction = ++p;
    while (p != end && (digit = static_cast<unsigned char>(*p) - unsigned{'0'}) < 10) {
      mantissa = mantissa * 10 + digit;
      ++p;
    }
    fraction_count = p - fraction;
    if (fraction_count == 0) return false;
  }
  if (p == end || (*p | 0x20) == 'e' || whole_count + fraction_count > kDigitsMax) return false;
  if (mantissa > kExactInteger) [[unlikely]] {
    if (fraction_count == 0 || !Scale(mantissa, -fraction_count, is_negative, value)) return false;
    at_ = p;
    return true;
  }
  // Both are exact doubles, so that one correctly rounded division gives the nearest double
  // (Clinger 1990).
  const double magnitude =
      static_cast<double>(mantissa) / kExactPowers[static_cast<size_t>(fraction_count)];
  value = is_negative ? -magnitude : magnitude;
  at_ = p;
  return true;
}

}  // namespace penstock::protocol
