// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "package/signature.h"

namespace penstock::engine {

// From a label that an engine gives to its index in the signature's classes. Immutable and
// thread-safe.
class Labels {
 public:
  explicit Labels(const package::Classes& classes);

  bool are_strings() const { return are_strings_; }
  // -1 for a label that is not among the classes. A number may be that of an integer, double or
  // bool label (0, 1).
  int64_t Find(double label) const;
  int64_t Find(int64_t label) const;
  int64_t Find(std::string_view label) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  bool are_strings_ = false;
  std::unordered_map<int64_t, int64_t> integers_;
  std::unordered_map<double, int64_t> numbers_;
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> strings_;
};

}  // namespace penstock::engine
