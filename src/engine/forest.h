// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "engine/trees.h"

namespace penstock::engine {

// Decision trees, summed in order and divided by their number: scikit-learn's forests, bit for bit
// (sklearn/tree/ _tree.pyx, sklearn/ensemble/_forest.py). Immutable and thread-safe.
class Forest {
 public:
  // value: nodes x outputs; only the leaves' are used. kInvalidArgument unless the arrays fit
  // together and every root leads to a tree: any numbers may be given.
  static Result<Forest> Make(const TreeNodes& nodes, const std::vector<double>& value,
                             int64_t outputs, int64_t features);

  int64_t outputs() const { return outputs_; }
  // x: rows x features; out: rows x outputs, overwritten. A NaN goes where the split sends missing
  // values.
  void Evaluate(const float* x, int64_t rows, double* out) const;

 private:
  Trees<float> trees_;
  std::vector<double> values_;  // leaves x outputs
  int64_t outputs_ = 0;
};

}  // namespace penstock::engine
