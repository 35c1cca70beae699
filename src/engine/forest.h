// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace penstock::engine {

// The nodes of all trees in a row, as scikit-learn's Tree holds them; children and roots by their
// index in it.
struct ForestNodes {
  std::vector<int64_t> roots;
  std::vector<int64_t> feature;
  std::vector<double> threshold;
  std::vector<int64_t> left;  // -1, as right, in a leaf
  std::vector<int64_t> right;
  std::vector<int64_t> missing_left;
  std::vector<double> value;  // nodes x outputs; only the leaves' are used
  int64_t outputs = 0;
};

// Decision trees, summed in order and divided by their number: scikit-learn's forests, bit for bit
// (sklearn/tree/ _tree.pyx, sklearn/ensemble/_forest.py). Immutable and thread-safe.
class Forest {
 public:
  // kInvalidArgument unless the arrays fit together and every root leads to a tree: any numbers may
  // be given.
  static Result<Forest> Make(const ForestNodes& nodes, int64_t features);

  int64_t outputs() const { return outputs_; }
  int64_t features() const { return features_; }
  // x: rows x features; out: rows x outputs, overwritten. A NaN goes where the split sends missing
  // values.
  void Evaluate(const float* x, int64_t rows, double* out) const;

 private:
  // 16 bytes; siblings are neighbours. A leaf leads to itself: its threshold is infinity, its left
  // child the leaf.
  struct Node {
    float threshold = 0;
    int32_t feature = 0;
    int32_t left = 0;     // right is left + 1
    int32_t payload = 0;  // of a leaf: 1 + its row of values; else 1 where missing values go left
  };

  class Builder;

  template <int kTrees, bool kMissing>
  void AddTrees(size_t first, const float* x, double* out) const;
  template <int kTrees>
  void AddTreesToRows(size_t first, const float* x, const bool* has_missing, int64_t rows,
                      double* out) const;
  void AddLeaf(const Node& leaf, double* out) const;

  std::vector<Node> nodes_;
  std::vector<int32_t> roots_;
  std::vector<double> values_;  // leaves x outputs
  int64_t outputs_ = 0;
  int64_t features_ = 0;
};

}  // namespace penstock::engine
