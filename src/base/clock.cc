// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <chrono>

namespace penstock {
namespace {

class SystemClock final : public Clock {
 public:
  int64_t NowUs() const override {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  }
  int64_t MonotonicNs() const override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  }
};

}  // namespace

const Clock& Clock::System() {
  static const SystemClock clock;
  return clock;
}

}  // namespace penstock
