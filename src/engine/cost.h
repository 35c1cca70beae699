// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine.h"

namespace penstock::engine {

// Rows of small numbers that vary, as whole ones where needed, and of empty texts: for trying a
// model.
void FillWithNumbers(package::Tensors& tensors, int64_t rows);

// Runs a model a few times on one made-up row and on several: the first request then finds warm
// caches, and the scheduler knows what a call costs. Takes about a millisecond, or two calls of a
// slow one. All zero where the model refuses such rows.
Cost MeasureCost(const Model& model);

}  // namespace penstock::engine
