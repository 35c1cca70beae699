// SPDX-License-Identifier: Apache-2.0
#include "http/characters.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace penstock::http {
namespace {

enum CharacterClass : uint8_t { kToken = 1, kTarget = 2, kAuthority = 4 };

constexpr bool IsAlphanumeric(int c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr std::array<uint8_t, 256> MakeClasses() {
  std::array<uint8_t, 256> classes{};
  for (int c = 0x21; c < 0x7f; ++c) {
    uint8_t is = 0;
    if (IsAlphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos) {
      is |= kToken;
    }
    if (c != '#') is |= kTarget;
    if (IsAlphanumeric(c) ||
        std::string_view("-._~!$&'()*+,;=%:[]").find(static_cast<char>(c)) != std::string_view::npos) {
      is |= kAuthority;
    }
    classes[c] = is;
  }
  return classes;
}

constexpr std::array<uint8_t, 256> kClasses = MakeClasses();

bool AllAre(std::string_view text, CharacterClass wanted) {
  return std::ranges::all_of(text, [wanted](char c) { return (kClasses[static_cast<uint8_t>(c)] & wanted) != 0; });
}

bool IsFieldValueCharacter(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

// Whether one of 8 bytes is a control character, HTAB included: below 0x20, or 0x7f. May say so of a byte next to one
// that is; never misses one.
bool MayHoldControl(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  const uint64_t below_space = (bytes - kOnes * 0x20) & ~bytes;
  const uint64_t from_delete = bytes ^ (kOnes * 0x7f);
  const uint64_t is_delete = (from_delete - kOnes) & ~from_delete;
  return ((below_space | is_delete) & kHighs) != 0;
}

char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

bool IsTokenCharacter(char c) { return (kClasses[static_cast<uint8_t>(c)] & kToken) != 0; }

bool IsToken(std::string_view text) { return !text.empty() && AllAre(text, kToken); }

bool IsFieldValue(std::string_view text) {
  while (text.size() >= sizeof(uint64_t)) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, text.data(), sizeof bytes);
    if (MayHoldControl(bytes)) break;
    text.remove_prefix(sizeof bytes);
  }
  return std::ranges::all_of(text, IsFieldValueCharacter);
}

bool IsTarget(std::string_view text) { return AllAre(text, kTarget); }

bool IsAuthority(std::string_view text) { return AllAre(text, kAuthority); }

bool EqualsLower(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {}, ToLower);
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, ToLower, ToLower);
}

std::string_view TrimWhiteSpace(std::string_view text) {
  const auto is_white = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
  return text;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ToLower(c);
  if (lower >= 'a' && lower <= 'f') return lower - 'a' + 10;
  return -1;
}

}  // namespace penstock::http
