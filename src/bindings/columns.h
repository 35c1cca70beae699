// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include "engine/engine.h"
#include "package/signature.h"
#include "train/rows.h"

// Between Python's columns and answers and the engine's. All of it needs the GIL and throws Python
// exceptions.
namespace penstock::bindings {

// One column per input: arrays of numbers or booleans, lists of str or bool and None.
train::Columns ToColumns(const package::Signature& signature, nanobind::handle columns);

// The same back, in new arrays and lists.
nanobind::list ToPython(const train::Columns& columns);

// What the original returned for `rows` rows: (labels or values, probabilities or None).
engine::Predictions ToPredictions(const package::Signature& signature, nanobind::handle answer,
                                  int64_t rows);

}  // namespace penstock::bindings
