// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/trees.h"

namespace penstock::engine {

// What trees that were fitted one after the other add up to.
struct BoostingSums {
  std::vector<double> base;  // where the sum of each output begins; tree t adds to output t mod
                             // their number
  double divisor = 1;        // of the finished sums
  bool is_float32 = false;   // every sum is rounded to float32
  bool rounds_x = false;     // x is rounded to float32 before it is compared
};

// Boosted decision trees: base plus a number from each tree, added in the trees' order, as
// scikit-learn, LightGBM and XGBoost do. Immutable and thread-safe.
class Boosting {
 public:
  // value: one a node; only the leaves' are used. kInvalidArgument unless the arrays fit together
  // and every root leads to a tree: any numbers may be given.
  static Result<Boosting> Make(const TreeNodes& nodes, const std::vector<double>& value,
                               BoostingSums sums, int64_t features);

  int64_t outputs() const { return static_cast<int64_t>(sums_.base.size()); }
  bool rounds_x() const { return sums_.rounds_x; }
  // x: rows x features; rounded: the same in float32, read only where rounds_x(); out: rows x
  // outputs, overwritten.
  void Evaluate(const double* x, const float* rounded, int64_t rows, double* out) const;

 private:
  template <bool kFloat32, typename Number>
  void Add(const Trees<Number>& trees, const Number* x, int64_t rows, double* out) const;

  std::variant<Trees<float>, Trees<double>> trees_;
  std::vector<double> values_;      // one a leaf
  std::vector<int32_t> output_of_;  // one a tree
  BoostingSums sums_;
};

}  // namespace penstock::engine
