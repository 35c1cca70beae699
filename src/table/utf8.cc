// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <cstring>

#include "table/batch.h"

namespace penstock::table {
bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    uint64_t eight = 0;
    if (bytes.size() >= sizeof(eight)) {
      std::memcpy(&eight, bytes.data(), sizeof(eight));
      if ((eight & 0x8080808080808080U) == 0) {
        bytes.remove_prefix(sizeof(eight));
        continue;
      }
    }
    const size_t length = Utf8SequenceLength(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

}  // namespace penstock::table
