// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace penstock::bindings {

// read and its class Table.
void AddReading(nanobind::module_& module);

}  // namespace penstock::bindings
