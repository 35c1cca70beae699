// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "package/signature.h"
#include "package/tensors.h"

namespace penstock::package {

// The index of each column by its name. Immutable and thread-safe; the signature must outlive it.
class Columns {
 public:
  explicit Columns(const Signature& signature);

  size_t size() const { return names_.size(); }
  const std::vector<std::string>& names() const { return names_; }
  // -1 for a name that the model does not have.
  int Find(std::string_view name) const;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string_view, int> index_;  // views into the signature
};

// The errors of features, one wording for every way in. Without a JSON pointer: the caller knows
// the place.
Status UnknownColumn(const Columns& columns, std::string_view name);
Status DuplicateColumn(std::string_view name);
// is_given says, by column, which ones a record has; at least one must be false.
Status MissingColumns(const Columns& columns, const std::vector<bool>& is_given);
Status WrongRowWidth(const Columns& columns, size_t width);

// Rows in one call at most.
inline constexpr int64_t kFeatureRowsMax = 1'000'000;

// Fills `tensors` from the value of a request's "features", in one of four shapes: a list of
// records
// [{"a": 1, "b": "x"}], a list of rows in the signature's order [[1, "x"]], one record {"a": 1,
// "b": "x"}, or columns
// {"a": [1, 2], "b": ["x", "y"]}. kInvalidArgument with the JSON pointer of the value at fault,
// which begins with `pointer`.
Status SetFeatures(const json::Value& features, const Columns& columns, std::string_view pointer,
                   Tensors& tensors);

}  // namespace penstock::package
