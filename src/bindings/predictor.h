// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace penstock::bindings {

// predictor and its class Predictor.
void AddPredictor(nanobind::module_& module);

}  // namespace penstock::bindings
