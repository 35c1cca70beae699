// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace penstock {

// Time, as an interface so that tests control it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since 1970-01-01T00:00:00Z: what is stored.
  virtual int64_t NowUs() const = 0;
  // Nanoseconds of a clock that never goes back: what durations are measured with.
  virtual int64_t MonotonicNs() const = 0;

  // The machine's clocks; lives as long as the program.
  static const Clock& System();
};

}  // namespace penstock
