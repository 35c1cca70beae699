// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "package/signature.h"
#include "package/tensors.h"

namespace penstock::train {

struct Missing {
  friend auto operator<=>(Missing, Missing) = default;
};

// One value of one row. NaN counts as missing wherever a column is read.
using Cell = std::variant<Missing, bool, int64_t, double, std::string>;

// One column's values. What holds them follows the data: an integer column with missing values is
// Numbers, as it is in pandas.
struct Numbers {
  std::vector<double> values;  // NaN is missing
};
struct Integers {
  std::vector<int64_t> values;
};
struct Strings {
  std::vector<std::string> values;
  std::vector<uint8_t> missing;  // empty: none is
};
struct Bools {
  std::vector<uint8_t> values;   // 0 or 1
  std::vector<uint8_t> missing;  // empty: none is
};
using Column = std::variant<Numbers, Integers, Strings, Bools>;

int64_t Size(const Column& column);
Cell At(const Column& column, int64_t row);
// Stores a cell, turning the column into Numbers where Integers cannot hold it. The cell must be of
// a kind that fits the column's type: strings only in Strings, bools only in Bools.
void Set(Column& column, int64_t row, Cell cell);
bool IsMissing(const Cell& cell);
// The cell as JSON; infinities become strings, which only reports contain.
json::Value ToJson(const Cell& cell);
// "0.31", "'north'", "missing".
std::string ToText(const Cell& cell);

// The model's input, column by column: one column per input of the signature, all of one length. A
// value type.
class Columns {
 public:
  Columns() = default;
  // Refuses (kInvalidArgument) another number of columns than inputs, columns of different lengths,
  // no row at all, and a column whose kind does not fit its input's type; the message names the
  // column.
  static Result<Columns> Make(const package::Signature& signature, std::vector<Column> columns);

  int64_t rows() const { return rows_; }
  int width() const { return static_cast<int>(columns_.size()); }
  const Column& column(int index) const { return columns_[static_cast<size_t>(index)]; }
  Cell At(int64_t row, int column) const;
  void Set(int64_t row, int column, Cell cell);

  // These rows in this order; a row may stand more than once.
  Columns Gather(std::span<const int64_t> rows) const;

  // Stores row `row` as row `target` of the tensors. What a setter refuses comes back with nothing
  // added.
  Status Fill(int64_t row, int64_t target, package::Tensors& tensors) const;

 private:
  std::vector<Column> columns_;
  int64_t rows_ = 0;
};

// The rows of one record as JSON: {"age": 31, "region": "north"}.
json::Value RecordToJson(const package::Signature& signature, const Columns& columns, int64_t row);

}  // namespace penstock::train
