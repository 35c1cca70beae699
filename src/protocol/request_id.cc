// SPDX-License-Identifier: Apache-2.0
#include "protocol/request_id.h"

namespace penstock::protocol {
namespace {

void WriteHex(char* end, uint64_t value, int digits) {
  for (int i = 1; i <= digits; ++i) {
    end[-i] = "0123456789abcdef"[value & 15];
    value >>= 4;
  }
}

}  // namespace

RequestId::RequestId(int64_t time_us, uint32_t replica, uint32_t loop_and_counter) {
  WriteHex(digits_.data() + 16, static_cast<uint64_t>(time_us), 16);
  WriteHex(digits_.data() + 24, replica, 8);
  WriteHex(digits_.data() + 32, loop_and_counter, 8);
}

}  // namespace penstock::protocol
