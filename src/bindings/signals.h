// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/result.h"

namespace penstock::bindings {

// Ctrl-C while C++ works: asks Python every kPollNs for pending signals, and keeps an interrupt
// that came out of a callback until somebody asks. For one thread.
class Signals {
 public:
  static constexpr int64_t kPollNs = 50'000'000;

  // OK, or the exception to end with. Poll takes the GIL when it is time to look, Look always.
  Status Poll();
  Status Look();
  // What Poll returns from now on.
  void Interrupt(Status status) { interrupt_ = std::move(status); }

 private:
  int64_t looked_at_ns_ = 0;
  Status interrupt_;
};

}  // namespace penstock::bindings
