// SPDX-License-Identifier: Apache-2.0
#include "bindings/signals.h"

#include <nanobind/nanobind.h>

#include "base/clock.h"
#include "bindings/errors.h"

namespace penstock::bindings {

Status Signals::Poll() {
  if (!interrupt_.ok()) return interrupt_;
  const int64_t now_ns = Clock::System().MonotonicNs();
  if (now_ns - looked_at_ns_ < kPollNs) return {};
  return Look();
}

Status Signals::Look() {
  if (!interrupt_.ok()) return interrupt_;
  looked_at_ns_ = Clock::System().MonotonicNs();
  const nanobind::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() == 0) return {};
  interrupt_ = FromPython(nanobind::python_error());
  return interrupt_;
}

}  // namespace penstock::bindings
