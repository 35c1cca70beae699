// SPDX-License-Identifier: Apache-2.0
#include "data/uri.h"

#include <optional>

namespace penstock::data {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";

std::optional<int> HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return std::nullopt;
}

}  // namespace

std::string DecodePercent(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const std::optional<int> high = HexDigit(text[i + 1]);
      const std::optional<int> low = HexDigit(text[i + 2]);
      if (high && low) {
        decoded += static_cast<char>(*high * 16 + *low);
        i += 2;
        continue;
      }
    }
    decoded += text[i];
  }
  return decoded;
}

std::string DecodeQuery(std::string_view text) {
  const bool is_plain = text.find_first_of(kWhiteSpace) != std::string_view::npos;
  return is_plain ? std::string(text) : DecodePercent(text);
}

bool IsBlankQuery(std::string_view query) {
  return query.find_first_not_of(" \t\r\n;") == std::string_view::npos;
}

}  // namespace penstock::data
