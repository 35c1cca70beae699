// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine.h"

namespace penstock::engine {

// Rows of zeros and empty texts, for trying a model.
void FillWithZeros(package::Tensors& tensors, int64_t rows);

// Runs a model a few times on one row and on several, all zeros: the first request then finds warm caches, and the
// scheduler knows what a call costs. Takes about a millisecond, or two calls of a slow one. All zero where the model
// refuses such rows.
Cost MeasureCost(const Model& model);

}  // namespace penstock::engine
