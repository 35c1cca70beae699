// SPDX-License-Identifier: Apache-2.0
#include "engine/boosting.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace penstock::engine {

Result<Boosting> Boosting::Make(const TreeNodes& nodes, const std::vector<double>& value,
                                BoostingSums sums, int64_t features) {
  if (value.size() != nodes.feature.size())
    return InvalidArgument("'value' does not have one number for each of the trees' nodes");
  const size_t outputs = sums.base.size();
  if (outputs == 0 || nodes.roots.size() % outputs != 0) {
    return InvalidArgument(
        fmt::format("{} trees were given for {} outputs; as many for each output were expected",
                    nodes.roots.size(), outputs));
  }
  Boosting boosting;
  if (sums.rounds_x) {
    boosting.trees_ = PENSTOCK_TRY(Trees<float>::Make(nodes, features));
  } else {
    boosting.trees_ = PENSTOCK_TRY(Trees<double>::Make(nodes, features));
  }
  const auto& leaves =
      std::visit([](const auto& trees) -> const std::vector<int64_t>& { return trees.leaves(); },
                 boosting.trees_);
  boosting.values_.reserve(leaves.size());
  for (const int64_t leaf : leaves) boosting.values_.push_back(value[static_cast<size_t>(leaf)]);
  for (size_t tree = 0; tree < nodes.roots.size(); ++tree)
    boosting.output_of_.push_back(static_cast<int32_t>(tree % outputs));
  boosting.sums_ = std::move(sums);
  return boosting;
}

template <bool kFloat32, typename Number>
void Boosting::Add(const Trees<Number>& trees, const Number* x, int64_t rows, double* out) const {
  const int64_t width = outputs();
  trees.Walk(x, rows, [this, out, width](int64_t row, size_t tree, size_t leaf) {
    double& sum = out[row * width + output_of_[tree]];
    sum += values_[leaf];
    if constexpr (kFloat32) sum = static_cast<double>(static_cast<float>(sum));
  });
}

void Boosting::Evaluate(const double* x, const float* rounded, int64_t rows, double* out) const {
  const int64_t width = outputs();
  for (int64_t row = 0; row < rows; ++row) std::copy_n(sums_.base.data(), width, out + row * width);
  if (const auto* trees = std::get_if<Trees<float>>(&trees_)) {
    sums_.is_float32 ? Add<true>(*trees, rounded, rows, out)
                     : Add<false>(*trees, rounded, rows, out);
  } else {
    const auto& doubles = std::get<Trees<double>>(trees_);
    sums_.is_float32 ? Add<true>(doubles, x, rows, out) : Add<false>(doubles, x, rows, out);
  }
  if (sums_.divisor != 1) {
    for (int64_t i = 0; i < rows * width; ++i) out[i] /= sums_.divisor;
  }
}

}  // namespace penstock::engine
