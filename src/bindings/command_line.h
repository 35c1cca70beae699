// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace penstock::bindings {

// cli_main.
void AddCommandLine(nanobind::module_& module);

}  // namespace penstock::bindings
