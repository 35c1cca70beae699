// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include <utility>

#include "base/result.h"

namespace penstock::bindings {

// Adds PenstockError and one class per code to the module.
void AddErrors(nanobind::module_& module);

// The exception in flight as a Status that Raise turns into the same object again; a PenstockError
// keeps its code. Needs the GIL.
Status FromPython(const nanobind::python_error& error);

// True for what must end a call rather than count as an answer: KeyboardInterrupt, SystemExit,
// MemoryError. Needs the GIL.
bool IsInterrupt(const nanobind::python_error& error);

// Throws the exception that stands for an error. Needs the GIL.
[[noreturn]] void Raise(const Status& status);

inline void RaiseUnlessOk(const Status& status) {
  if (!status.ok()) Raise(status);
}

template <typename T>
T ValueOrRaise(Result<T> result) {
  if (!result.ok()) Raise(result.status());
  return *std::move(result);
}

}  // namespace penstock::bindings
