// SPDX-License-Identifier: Apache-2.0
#include "engine/forest.h"

#include <algorithm>

namespace penstock::engine {

Result<Forest> Forest::Make(const TreeNodes& nodes, const std::vector<double>& value,
                            int64_t outputs, int64_t features) {
  const auto width = static_cast<size_t>(std::max<int64_t>(0, outputs));
  if (width == 0 || value.size() / width != nodes.feature.size() || value.size() % width != 0)
    return InvalidArgument("'value' does not fit the forest's nodes");
  Forest forest;
  forest.trees_ = PENSTOCK_TRY(Trees<float>::Make(nodes, features));
  forest.outputs_ = outputs;
  forest.values_.reserve(forest.trees_.leaves().size() * width);
  for (const int64_t leaf : forest.trees_.leaves()) {
    const auto begin = value.begin() + leaf * outputs;
    forest.values_.insert(forest.values_.end(), begin, begin + outputs);
  }
  return forest;
}

void Forest::Evaluate(const float* x, int64_t rows, double* out) const {
  std::fill_n(out, rows * outputs_, 0.0);
  trees_.Walk(x, rows, [this, out](int64_t row, size_t, size_t leaf) {
    const double* value = values_.data() + static_cast<int64_t>(leaf) * outputs_;
    double* sums = out + row * outputs_;
    for (int64_t i = 0; i < outputs_; ++i) sums[i] += value[i];
  });
  const auto trees = static_cast<double>(trees_.count());
  for (int64_t i = 0; i < rows * outputs_; ++i) out[i] /= trees;
}

}  // namespace penstock::engine
