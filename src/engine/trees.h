// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/result.h"

namespace penstock::engine {

// The nodes of all trees in a row, as scikit-learn's Tree holds them; children and roots by their
// index in it.
struct TreeNodes {
  std::vector<int64_t> roots;
  std::vector<int64_t> feature;
  std::vector<double> threshold;
  std::vector<int64_t> left;  // -1, as right, in a leaf
  std::vector<int64_t> right;
  std::vector<int64_t> missing_left;
  // Splits by category, empty where there is none. category_count: 0 where x is compared with the
  // threshold; else x, cut to an integer, picks one of that many flags from category_begin on, and
  // 1 sends it left. The last flag is for every x that is none of 0, 1, ..., category_count - 2.
  std::vector<int64_t> category_begin;
  std::vector<int64_t> category_count;
  std::vector<int64_t> category_left;
};

// Decision trees that find a row's leaves. Number is what x is compared in: a float32 goes left
// where it is <= the threshold, a float64. Immutable and thread-safe.
template <typename Number>
class Trees {
 public:
  // kInvalidArgument unless the arrays fit together and every root leads to a tree: any numbers may
  // be given.
  static Result<Trees> Make(const TreeNodes& nodes, int64_t features);

  int64_t features() const { return features_; }
  size_t count() const { return roots_.size(); }
  // The node, by its index in TreeNodes, that each leaf was made from.
  const std::vector<int64_t>& leaves() const { return leaves_; }

  // Calls visit(row, tree, leaf) with the leaf (index into leaves()) that each row ends in. A row's
  // trees come in order. x: rows x features. A NaN goes where the split sends missing values.
  template <typename Visit>
  void Walk(const Number* x, int64_t rows, Visit visit) const;

 private:
  // 16 bytes for float; siblings are neighbours. A leaf leads to itself: its threshold is infinity,
  // its left child the leaf.
  struct Node {
    Number threshold = 0;
    int32_t feature = 0;
    int32_t left = 0;     // right is left + 1
    int32_t payload = 0;  // of a leaf: 1 + its number; of a split by category: -1 - the index of
                          // its set; else 1 where missing values go left
  };
  struct CategorySet {
    int64_t begin = 0;
    int32_t count = 0;
    bool missing_left = false;
  };
  enum class Kind { kPlain, kMissing, kCategories };  // what a walk must reckon with

  class Builder;

  bool IsInSet(const CategorySet& set, Number value) const {
    if (std::isnan(value)) return set.missing_left;
    const auto last = static_cast<Number>(set.count - 1);
    const int64_t flag =
        value > -1 && value < last ? static_cast<int64_t>(value) : int64_t{set.count} - 1;
    return category_left_[static_cast<size_t>(set.begin + flag)] != 0;
  }

  // A leaf's payload is not 0, so that it keeps missing values too.
  template <Kind kKind>
  bool GoesLeft(const Node& node, Number value) const {
    if constexpr (kKind == Kind::kCategories) {
      if (node.payload < 0) return IsInSet(sets_[static_cast<size_t>(-1 - node.payload)], value);
    }
    bool goes_left = value <= node.threshold;
    if constexpr (kKind != Kind::kPlain) goes_left |= std::isnan(value) & (node.payload != 0);
    return goes_left;
  }

  // Trees in lockstep: their loads wait for memory together instead of one after the other.
  template <int kTrees, Kind kKind, typename Visit>
  void WalkRow(size_t first, const Number* x, int64_t row, const Visit& visit) const {
    const Node* nodes = nodes_.data();
    int32_t at[kTrees];
    for (int i = 0; i < kTrees; ++i) at[i] = roots_[first + static_cast<size_t>(i)];
    int32_t moved = 1;
    while (moved != 0) {
      moved = 0;
      for (int i = 0; i < kTrees; ++i) {
        const Node& node = nodes[at[i]];
        const bool goes_left = GoesLeft<kKind>(node, x[node.feature]);
        const int32_t next = node.left + static_cast<int32_t>(!goes_left);
        moved |= next ^ at[i];
        at[i] = next;
      }
    }
    for (int i = 0; i < kTrees; ++i) visit(row, first + static_cast<size_t>(i), LeafAt(at[i]));
  }

  size_t LeafAt(int32_t node) const {
    return static_cast<size_t>(nodes_[static_cast<size_t>(node)].payload - 1);
  }

  template <int kTrees, typename Visit>
  void WalkRows(size_t first, const Number* x, const bool* has_missing, int64_t begin, int64_t rows,
                const Visit& visit) const {
    for (int64_t r = 0; r < rows; ++r, x += features_) {
      if (!sets_.empty()) {
        WalkRow<kTrees, Kind::kCategories>(first, x, begin + r, visit);
      } else if (has_missing[r]) {
        WalkRow<kTrees, Kind::kMissing>(first, x, begin + r, visit);
      } else {
        WalkRow<kTrees, Kind::kPlain>(first, x, begin + r, visit);
      }
    }
  }

  std::vector<Node> nodes_;
  std::vector<int32_t> roots_;
  std::vector<int64_t> leaves_;
  std::vector<CategorySet> sets_;
  std::vector<uint8_t> category_left_;
  int64_t features_ = 0;
};

template <typename Number>
template <typename Visit>
void Trees<Number>::Walk(const Number* x, int64_t rows, Visit visit) const {
  constexpr int64_t kBlockMax = 256;
  bool has_missing[kBlockMax];
  for (int64_t begin = 0; begin < rows; begin += kBlockMax) {
    const int64_t count = std::min(kBlockMax, rows - begin);
    const Number* block = x + begin * features_;
    for (int64_t r = 0; r < count; ++r) {
      const Number* row = block + r * features_;
      has_missing[r] =
          std::any_of(row, row + features_, [](Number value) { return std::isnan(value); });
    }
    // Some trees for all rows, so that their nodes stay in the cache.
    size_t tree = 0;
    for (; tree + 8 <= roots_.size(); tree += 8)
      WalkRows<8>(tree, block, has_missing, begin, count, visit);
    for (; tree < roots_.size(); ++tree) WalkRows<1>(tree, block, has_missing, begin, count, visit);
  }
}

extern template class Trees<float>;
extern template class Trees<double>;

}  // namespace penstock::engine
