// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace penstock::bindings {

// home, own_evaluator, register, open_version, models; Version.
void AddRegistration(nanobind::module_& module);

}  // namespace penstock::bindings
