// SPDX-License-Identifier: Apache-2.0
#include "json/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/check.h"
#include "base/utf8.h"

namespace penstock::json {
namespace {

void AppendEscaped(std::string& out, char c) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
  }
}

// Where the decimal point stands, counted from the first digit, in numbers that are written
// without an exponent: as Python's repr and so as most people's JSON has it.
constexpr int kPointMin = -3;
constexpr int kPointMax = 16;

char* Copy(std::string_view text, char* to) { return std::ranges::copy(text, to).out; }

// digits x 10^(point - number of digits), point from kPointMin to kPointMax.
char* WriteFixed(std::string_view digits, int point, char* to) {
  constexpr std::string_view kZeros = "0000000000000000";
  const auto count = static_cast<int>(digits.size());
  if (point <= 0)
    return Copy(digits, Copy(kZeros.substr(0, static_cast<size_t>(-point)), Copy("0.", to)));
  if (point >= count)
    return Copy(".0", Copy(kZeros.substr(0, static_cast<size_t>(point - count)), Copy(digits, to)));
  const auto whole = static_cast<size_t>(point);
  return Copy(digits.substr(whole), Copy(".", Copy(digits.substr(0, whole), to)));
}

char* WriteScientific(std::string_view digits, int point, char* to) {
  to = Copy(digits.substr(0, 1), to);
  if (digits.size() > 1) to = Copy(digits.substr(1), Copy(".", to));
  const int exponent = point - 1;
  to = Copy(exponent < 0 ? "e-" : "e+", to);
  const int magnitude = std::abs(exponent);
  if (magnitude < 10) *to++ = '0';
  return std::to_chars(to, to + 3, magnitude).ptr;
}

template <typename T>
void AppendShortest(std::string& out, T value) {
  PENSTOCK_CHECK(std::isfinite(value));
  // Sign, 17 digits with up to 16 zeros among them, point, exponent.
  std::array<char, 48> text;
  char* end = text.data();
  if (std::signbit(value)) *end++ = '-';
  // std::to_chars of GCC 12 takes twice as long.
  const auto decimal = fmt::detail::dragonbox::to_decimal(std::fabs(value));
  std::array<char, 20> buffer;
  const char* const digits_end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), decimal.significand).ptr;
  const std::string_view digits(buffer.data(), digits_end);
  const int point =
      decimal.significand == 0 ? 1 : static_cast<int>(digits.size()) + decimal.exponent;
  const bool is_fixed = point >= kPointMin && point <= kPointMax;
  end = is_fixed ? WriteFixed(digits, point, end) : WriteScientific(digits, point, end);
  out.append(text.data(), static_cast<size_t>(end - text.data()));
}

}  // namespace

void AppendString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (length == 1 &&
               (text[0] == '"' || text[0] == '\\' || static_cast<unsigned char>(text[0]) < 0x20)) {
      AppendEscaped(out, text[0]);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void AppendInt(std::string& out, int64_t value) {
  std::array<char, 24> buffer;
  out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
}

void AppendDouble(std::string& out, double value) { AppendShortest(out, value); }

void AppendFloat(std::string& out, float value) { AppendShortest(out, value); }

}  // namespace penstock::json
