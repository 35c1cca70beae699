// SPDX-License-Identifier: Apache-2.0
#include "engine/trees.h"

#include <fmt/format.h>

#include <limits>
#include <type_traits>
#include <utility>

namespace penstock::engine {
namespace {

constexpr int64_t kNodesMax = std::numeric_limits<int32_t>::max() / 2;

// The largest Number that is not above the threshold: x <= threshold and x <= this one are the same
// for every Number.
template <typename Number>
Number ThresholdOf(double threshold) {
  if constexpr (std::is_same_v<Number, double>) return threshold;
  const auto rounded = static_cast<Number>(threshold);
  if (static_cast<double>(rounded) <= threshold) return rounded;
  return std::nextafter(rounded, -std::numeric_limits<Number>::infinity());
}

Status CheckSizes(const TreeNodes& nodes) {
  const size_t count = nodes.feature.size();
  const bool are_equal = nodes.threshold.size() == count && nodes.left.size() == count &&
                         nodes.right.size() == count && nodes.missing_left.size() == count &&
                         (nodes.category_count.empty() || nodes.category_count.size() == count) &&
                         nodes.category_begin.size() == nodes.category_count.size();
  if (!are_equal) return InvalidArgument("the arrays of the trees' nodes differ in length");
  if (nodes.roots.empty()) return InvalidArgument("the model has no trees");
  if (count > static_cast<size_t>(kNodesMax)) {
    return InvalidArgument(
        fmt::format("the trees have {} nodes; at most {} were expected", count, kNodesMax));
  }
  return {};
}

}  // namespace

// Copies trees into the layout, depth first, so that a path's nodes lie near each other.
template <typename Number>
class Trees<Number>::Builder {
 public:
  Builder(const TreeNodes& from, int64_t features) : from_(from), is_used_(from.feature.size()) {
    trees_.features_ = features;
  }

  Result<Trees> Build() {
    trees_.nodes_.reserve(from_.feature.size());
    trees_.category_left_.reserve(from_.category_left.size());
    for (const int64_t flag : from_.category_left) trees_.category_left_.push_back(flag != 0);
    for (const int64_t root : from_.roots) {
      trees_.roots_.push_back(static_cast<int32_t>(trees_.nodes_.size()));
      trees_.nodes_.emplace_back();
      pending_.emplace_back(root, trees_.nodes_.size() - 1);
      while (!pending_.empty()) {
        const auto [source, place] = pending_.back();
        pending_.pop_back();
        PENSTOCK_TRY(Copy(source, place));
      }
    }
    return std::move(trees_);
  }

 private:
  Status Copy(int64_t source, size_t place) {
    if (source < 0 || source >= static_cast<int64_t>(is_used_.size())) {
      return InvalidArgument(
          fmt::format("node {} is not one of the trees' {} nodes", source, is_used_.size()));
    }
    const auto i = static_cast<size_t>(source);
    // Each node once: no cycles, and no more nodes than the file has.
    if (is_used_[i])
      return InvalidArgument(
          fmt::format("node {} has two parents, or is its own ancestor", source));
    is_used_[i] = true;
    if (from_.left[i] == -1 && from_.right[i] == -1) {
      trees_.leaves_.push_back(source);
      trees_.nodes_[place] = {std::numeric_limits<Number>::infinity(), 0,
                              static_cast<int32_t>(place),
                              static_cast<int32_t>(trees_.leaves_.size())};
      return {};
    }
    if (from_.feature[i] < 0 || from_.feature[i] >= trees_.features_) {
      return InvalidArgument(fmt::format("node {} splits on feature {}, of {}", source,
                                         from_.feature[i], trees_.features_));
    }
    const size_t left = trees_.nodes_.size();
    trees_.nodes_.resize(left + 2);
    trees_.nodes_[place] = {ThresholdOf<Number>(from_.threshold[i]),
                            static_cast<int32_t>(from_.feature[i]), static_cast<int32_t>(left),
                            PENSTOCK_TRY(PayloadOf(i))};
    pending_.emplace_back(from_.right[i], left + 1);
    pending_.emplace_back(from_.left[i], left);
    return {};
  }

  Result<int32_t> PayloadOf(size_t i) {
    const bool missing_left = from_.missing_left[i] != 0;
    const int64_t count = from_.category_count.empty() ? 0 : from_.category_count[i];
    if (count == 0) return static_cast<int32_t>(missing_left);
    const int64_t begin = from_.category_begin[i];
    const auto flags = static_cast<int64_t>(from_.category_left.size());
    if (count < 0 || count > flags || begin < 0 || begin > flags - count) {
      return InvalidArgument(fmt::format("node {} picks from {} flags from {} on; there are {}", i,
                                         count, begin, flags));
    }
    if (count > kNodesMax) return InvalidArgument("a split has too many categories");
    trees_.sets_.push_back({begin, static_cast<int32_t>(count), missing_left});
    return -static_cast<int32_t>(trees_.sets_.size());
  }

  const TreeNodes& from_;
  std::vector<bool> is_used_;
  std::vector<std::pair<int64_t, size_t>> pending_;  // node, place
  Trees trees_;
};

template <typename Number>
Result<Trees<Number>> Trees<Number>::Make(const TreeNodes& nodes, int64_t features) {
  PENSTOCK_TRY(CheckSizes(nodes));
  if (features < 1) return InvalidArgument("the trees have no feature to split on");
  return Builder(nodes, features).Build();
}

template class Trees<float>;
template class Trees<double>;

}  // namespace penstock::engine
