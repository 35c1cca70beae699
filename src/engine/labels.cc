// SPDX-License-Identifier: Apache-2.0
#include "engine/labels.h"

#include <variant>
#include <vector>

namespace penstock::engine {
namespace {

template <typename Map, typename Key>
int64_t IndexIn(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? -1 : found->second;
}

}  // namespace

Labels::Labels(const package::Classes& classes) {
  if (const auto* strings = std::get_if<std::vector<std::string>>(&classes)) {
    are_strings_ = true;
    for (const std::string& label : *strings)
      strings_.emplace(label, static_cast<int64_t>(strings_.size()));
  } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&classes)) {
    for (const int64_t label : *integers)
      integers_.emplace(label, static_cast<int64_t>(integers_.size()));
    for (const auto& [label, index] : integers_)
      numbers_.emplace(static_cast<double>(label), index);
  } else if (const auto* numbers = std::get_if<std::vector<double>>(&classes)) {
    for (const double label : *numbers)
      numbers_.emplace(label, static_cast<int64_t>(numbers_.size()));
  } else if (const auto* booleans = std::get_if<std::vector<bool>>(&classes)) {
    // Exporters turn True into 1 or "True".
    for (const bool label : *booleans) {
      numbers_.emplace(label ? 1.0 : 0.0, static_cast<int64_t>(numbers_.size()));
      strings_.emplace(label ? "True" : "False", static_cast<int64_t>(strings_.size()));
    }
  }
}

int64_t Labels::Find(double label) const { return IndexIn(numbers_, label); }

int64_t Labels::Find(int64_t label) const {
  return integers_.empty() ? IndexIn(numbers_, static_cast<double>(label))
                           : IndexIn(integers_, label);
}

int64_t Labels::Find(std::string_view label) const { return IndexIn(strings_, label); }

}  // namespace penstock::engine
