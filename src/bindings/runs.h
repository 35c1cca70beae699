// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace penstock::bindings {

// Adds the recording of runs, and the looking at them, to the module.
void AddRuns(nanobind::module_& module);

}  // namespace penstock::bindings
