// SPDX-License-Identifier: Apache-2.0
#include "http/characters.h"

#include <cstring>

namespace penstock::http {
namespace {

bool IsFieldValueCharacter(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

// Whether one of 8 bytes is a control character, HTAB included: below 0x20, or 0x7f. May say so of
// a byte next to one that is; never misses one.
bool MayHoldControl(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  const uint64_t below_space = (bytes - kOnes * 0x20) & ~bytes;
  const uint64_t from_delete = bytes ^ (kOnes * 0x7f);
  const uint64_t is_delete = (from_delete - kOnes) & ~from_delete;
  return ((below_space | is_delete) & kHighs) != 0;
}

}  // namespace

bool IsFieldValue(std::string_view text) {
  while (text.size() >= sizeof(uint64_t)) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, text.data(), sizeof bytes);
    if (MayHoldControl(bytes)) break;
    text.remove_prefix(sizeof bytes);
  }
  return std::ranges::all_of(text, IsFieldValueCharacter);
}

}  // namespace penstock::http
