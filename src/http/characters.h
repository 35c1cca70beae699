// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace penstock::http {

// Inline, because a request's every byte passes here.

enum CharacterClass : uint8_t {
  kTokenCharacter = 1,
  kTargetCharacter = 2,
  kAuthorityCharacter = 4
};

consteval std::array<uint8_t, 256> MakeCharacterClasses() {
  constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";
  constexpr std::string_view kAuthorityMarks = "-._~!$&'()*+,;=%:[]";
  std::array<uint8_t, 256> classes{};
  for (char c = 0x21; c < 0x7f; ++c) {
    const bool is_alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    uint8_t is = c == '#' ? 0 : kTargetCharacter;
    if (is_alphanumeric || kTokenMarks.find(c) != std::string_view::npos) is |= kTokenCharacter;
    if (is_alphanumeric || kAuthorityMarks.find(c) != std::string_view::npos)
      is |= kAuthorityCharacter;
    classes[static_cast<uint8_t>(c)] = is;
  }
  return classes;
}

inline constexpr std::array<uint8_t, 256> kCharacterClasses = MakeCharacterClasses();

inline bool Is(CharacterClass wanted, char c) {
  return (kCharacterClasses[static_cast<uint8_t>(c)] & wanted) != 0;
}

inline bool AllAre(CharacterClass wanted, std::string_view text) {
  return std::ranges::all_of(text, [wanted](char c) { return Is(wanted, c); });
}

// tchar and 1*tchar of RFC 9110, section 5.6.2.
inline bool IsTokenCharacter(char c) { return Is(kTokenCharacter, c); }
inline bool IsToken(std::string_view text) {
  return !text.empty() && AllAre(kTokenCharacter, text);
}
// Visible ASCII that may stand in a request target: no white space, no '#', no byte above 0x7e.
inline bool IsTarget(std::string_view text) { return AllAre(kTargetCharacter, text); }
// uri-host [":" port] by its characters; may be empty.
inline bool IsAuthority(std::string_view text) { return AllAre(kAuthorityCharacter, text); }
// What a field value may hold (RFC 9110, section 5.5): visible ASCII, SP, HTAB and bytes above
// 0x7f.
bool IsFieldValue(std::string_view text);

inline char ToLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// Compare ASCII letters without case. lower must be in lower case.
inline bool EqualsLower(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {}, ToLower);
}
inline bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, ToLower, ToLower);
}

// Without SP and HTAB at both ends.
inline std::string_view TrimWhiteSpace(std::string_view text) {
  const auto is_white = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
  return text;
}

// 0 to 15, or -1 for what is not a hexadecimal digit.
inline int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ToLower(c);
  if (lower >= 'a' && lower <= 'f') return lower - 'a' + 10;
  return -1;
}

}  // namespace penstock::http
