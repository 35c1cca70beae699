// SPDX-License-Identifier: Apache-2.0
#include "engine/forest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace penstock::engine {
namespace {

constexpr int64_t kNodesMax = std::numeric_limits<int32_t>::max() / 2;

// The largest float32 that is not above the threshold: x <= threshold and x <= this one are the
// same for every float32.
float FloatThreshold(double threshold) {
  const auto rounded = static_cast<float>(threshold);
  if (static_cast<double>(rounded) <= threshold) return rounded;
  return std::nextafter(rounded, -std::numeric_limits<float>::infinity());
}

Status CheckSizes(const ForestNodes& nodes) {
  const size_t count = nodes.feature.size();
  const bool are_equal = nodes.threshold.size() == count && nodes.left.size() == count &&
                         nodes.right.size() == count && nodes.missing_left.size() == count;
  const bool has_values = nodes.outputs > 0 &&
                          nodes.value.size() / static_cast<size_t>(nodes.outputs) == count &&
                          nodes.value.size() % static_cast<size_t>(nodes.outputs) == 0;
  if (!are_equal || !has_values)
    return InvalidArgument("the arrays of the forest's nodes differ in length");
  if (nodes.roots.empty()) return InvalidArgument("the forest has no trees");
  if (count > static_cast<size_t>(kNodesMax)) {
    return InvalidArgument(
        fmt::format("the forest has {} nodes; at most {} were expected", count, kNodesMax));
  }
  return {};
}

}  // namespace

// Copies trees into the layout, depth first, so that a path's nodes lie near each other.
class Forest::Builder {
 public:
  Builder(const ForestNodes& from, int64_t features) : from_(from), is_used_(from.feature.size()) {
    forest_.outputs_ = from.outputs;
    forest_.features_ = features;
  }

  Result<Forest> Build() {
    forest_.nodes_.reserve(from_.feature.size());
    for (const int64_t root : from_.roots) {
      forest_.roots_.push_back(static_cast<int32_t>(forest_.nodes_.size()));
      forest_.nodes_.emplace_back();
      pending_.emplace_back(root, forest_.nodes_.size() - 1);
      while (!pending_.empty()) {
        const auto [source, place] = pending_.back();
        pending_.pop_back();
        PENSTOCK_TRY(Copy(source, place));
      }
    }
    return std::move(forest_);
  }

 private:
  Status Copy(int64_t source, size_t place) {
    if (source < 0 || source >= static_cast<int64_t>(is_used_.size())) {
      return InvalidArgument(
          fmt::format("node {} is not one of the forest's {} nodes", source, is_used_.size()));
    }
    const auto i = static_cast<size_t>(source);
    // Each node once: no cycles, and no more nodes than the file has.
    if (is_used_[i])
      return InvalidArgument(
          fmt::format("node {} has two parents, or is its own ancestor", source));
    is_used_[i] = true;
    if (from_.left[i] == -1 && from_.right[i] == -1) {
      CopyLeaf(i, place);
      return {};
    }
    if (from_.feature[i] < 0 || from_.feature[i] >= forest_.features_) {
      return InvalidArgument(fmt::format("node {} splits on feature {}, of {}", source,
                                         from_.feature[i], forest_.features_));
    }
    const size_t left = forest_.nodes_.size();
    forest_.nodes_.resize(left + 2);
    forest_.nodes_[place] = {FloatThreshold(from_.threshold[i]),
                             static_cast<int32_t>(from_.feature[i]), static_cast<int32_t>(left),
                             from_.missing_left[i] != 0};
    pending_.emplace_back(from_.right[i], left + 1);
    pending_.emplace_back(from_.left[i], left);
    return {};
  }

  void CopyLeaf(size_t i, size_t place) {
    const auto width = static_cast<size_t>(forest_.outputs_);
    const size_t row = forest_.values_.size() / width;
    const auto begin = from_.value.begin() + static_cast<std::ptrdiff_t>(i * width);
    forest_.values_.insert(forest_.values_.end(), begin,
                           begin + static_cast<std::ptrdiff_t>(width));
    forest_.nodes_[place] = {std::numeric_limits<float>::infinity(), 0, static_cast<int32_t>(place),
                             static_cast<int32_t>(row + 1)};
  }

  const ForestNodes& from_;
  std::vector<bool> is_used_;
  std::vector<std::pair<int64_t, size_t>> pending_;  // node, place
  Forest forest_;
};

Result<Forest> Forest::Make(const ForestNodes& nodes, int64_t features) {
  PENSTOCK_TRY(CheckSizes(nodes));
  return Builder(nodes, features).Build();
}

void Forest::AddLeaf(const Node& leaf, double* out) const {
  const double* value = values_.data() + (static_cast<int64_t>(leaf.payload) - 1) * outputs_;
  for (int64_t i = 0; i < outputs_; ++i) out[i] += value[i];
}

// Trees in lockstep: their loads wait for memory together instead of one after the other. A leaf's
// payload is not 0, so that it keeps missing values too.
template <int kTrees, bool kMissing>
void Forest::AddTrees(size_t first, const float* x, double* out) const {
  const Node* nodes = nodes_.data();
  int32_t at[kTrees];
  for (int i = 0; i < kTrees; ++i) at[i] = roots_[first + static_cast<size_t>(i)];
  int32_t moved = 1;
  while (moved != 0) {
    moved = 0;
    for (int i = 0; i < kTrees; ++i) {
      const Node& node = nodes[at[i]];
      const float value = x[node.feature];
      bool goes_left = value <= node.threshold;
      if constexpr (kMissing) goes_left |= std::isnan(value) & (node.payload != 0);
      const int32_t next = node.left + static_cast<int32_t>(!goes_left);
      moved |= next ^ at[i];
      at[i] = next;
    }
  }
  for (int i = 0; i < kTrees; ++i) AddLeaf(nodes[at[i]], out);
}

template <int kTrees>
void Forest::AddTreesToRows(size_t first, const float* x, const bool* has_missing, int64_t rows,
                            double* out) const {
  for (int64_t r = 0; r < rows; ++r) {
    if (has_missing[r]) {
      AddTrees<kTrees, true>(first, x + r * features_, out + r * outputs_);
    } else {
      AddTrees<kTrees, false>(first, x + r * features_, out + r * outputs_);
    }
  }
}

void Forest::Evaluate(const float* x, int64_t rows, double* out) const {
  constexpr int64_t kBlockMax = 256;
  bool has_missing[kBlockMax];
  for (int64_t begin = 0; begin < rows; begin += kBlockMax) {
    const int64_t count = std::min(kBlockMax, rows - begin);
    const float* block = x + begin * features_;
    double* sums = out + begin * outputs_;
    std::fill_n(sums, count * outputs_, 0.0);
    for (int64_t r = 0; r < count; ++r) {
      const float* row = block + r * features_;
      has_missing[r] =
          std::any_of(row, row + features_, [](float value) { return std::isnan(value); });
    }
    // Some trees for all rows, so that their nodes stay in the cache.
    size_t tree = 0;
    for (; tree + 8 <= roots_.size(); tree += 8)
      AddTreesToRows<8>(tree, block, has_missing, count, sums);
    for (; tree < roots_.size(); ++tree) AddTreesToRows<1>(tree, block, has_missing, count, sums);
    const auto trees = static_cast<double>(roots_.size());
    for (int64_t i = 0; i < count * outputs_; ++i) sums[i] /= trees;
  }
}

}  // namespace penstock::engine
