// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "engine/step_reader.h"

namespace penstock::engine {

// One operation of a scaler, column by column.
struct Transform {
  enum class Kind { kSubtract, kDivide, kMultiply, kAdd, kClip };
  Kind kind = Kind::kAdd;
  std::vector<double> by;  // one a column; kClip: lowest and highest
  bool is_float32 = false;

  // x: rows x columns, in place.
  void Apply(double* x, int64_t rows, int64_t columns) const;
};

bool IsScaler(std::string_view op);  // "scale" or "affine"

// The operations of a "scale" or "affine" step on so many columns.
Result<std::vector<Transform>> ReadScaler(const StepReader& reader, std::string_view op,
                                          int64_t columns);

}  // namespace penstock::engine
