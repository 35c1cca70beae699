// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace penstock::protocol {

// The id of one request: 32 lower-case hexadecimal digits, 16 of the time (us since 1970), 8 of the
// replica, 2 of the loop, 6 of a counter. Ids sort by time, and feedback finds the segment of the
// request log from the id alone.
class RequestId {
 public:
  RequestId(int64_t time_us, uint32_t replica, uint32_t loop_and_counter);
  std::string_view text() const { return {digits_.data(), digits_.size()}; }

 private:
  std::array<char, 32> digits_;
};

// Makes the ids of one loop. Not thread-safe; clock must outlive it.
class RequestIds {
 public:
  RequestIds(const Clock& clock, uint32_t replica, int loop)
      : clock_(clock), replica_(replica), loop_(static_cast<uint32_t>(loop) << 24) {}

  RequestId Next() { return RequestId(clock_.NowUs(), replica_, loop_ | (counter_++ & 0xFFFFFF)); }

 private:
  const Clock& clock_;
  uint32_t replica_;
  uint32_t loop_;
  uint32_t counter_ = 0;
};

}  // namespace penstock::protocol
