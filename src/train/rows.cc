// SPDX-License-Identifier: Apache-2.0
#include "train/rows.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/check.h"

namespace penstock::train {
namespace {

using package::Type;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

double ToNumber(const Cell& cell) {
  if (const double* number = std::get_if<double>(&cell)) return *number;
  if (const int64_t* integer = std::get_if<int64_t>(&cell)) return static_cast<double>(*integer);
  PENSTOCK_CHECK(std::holds_alternative<Missing>(cell));
  return kNaN;
}

Numbers ToNumbers(const Integers& integers) {
  return {.values = std::vector<double>(integers.values.begin(), integers.values.end())};
}

template <typename T>
void MarkMissing(T& column, size_t row, bool is_missing) {
  if (column.missing.empty() && is_missing) column.missing.resize(column.values.size());
  if (!column.missing.empty()) column.missing[row] = is_missing ? 1 : 0;
}

template <typename T>
bool IsMarked(const T& column, size_t row) {
  return !column.missing.empty() && column.missing[row] != 0;
}

template <typename T>
std::vector<T> Take(const std::vector<T>& values, std::span<const int64_t> rows) {
  std::vector<T> taken;
  if (values.empty()) return taken;
  taken.reserve(rows.size());
  for (const int64_t row : rows) taken.push_back(values[static_cast<size_t>(row)]);
  return taken;
}

Column GatherColumn(const Column& column, std::span<const int64_t> rows) {
  return std::visit(
      Overloaded{[&](const Numbers& c) -> Column { return Numbers{Take(c.values, rows)}; },
                 [&](const Integers& c) -> Column { return Integers{Take(c.values, rows)}; },
                 [&](const Strings& c) -> Column {
                   return Strings{Take(c.values, rows), Take(c.missing, rows)};
                 },
                 [&](const Bools& c) -> Column {
                   return Bools{Take(c.values, rows), Take(c.missing, rows)};
                 }},
      column);
}

bool FitsType(const Column& column, Type type) {
  switch (type) {
    case Type::kString:
      return std::holds_alternative<Strings>(column);
    case Type::kBool:
      return std::holds_alternative<Bools>(column);
    case Type::kInt64:
    case Type::kFloat32:
    case Type::kFloat64:
      break;
  }
  return std::holds_alternative<Numbers>(column) || std::holds_alternative<Integers>(column);
}

std::string_view KindOf(const Column& column) {
  constexpr std::string_view kNames[] = {"floating point numbers", "integers", "strings",
                                         "booleans"};
  return kNames[column.index()];
}

Status CheckColumn(const package::Input& input, const Column& column, int64_t rows) {
  if (!FitsType(column, input.type)) {
    return InvalidArgument(fmt::format("column '{}' holds {}; the signature says {}", input.name,
                                       KindOf(column), package::TypeName(input.type)));
  }
  if (Size(column) != rows) {
    return InvalidArgument(
        fmt::format("column '{}' has {} rows, the first column has {}; one length was expected",
                    input.name, Size(column), rows));
  }
  const Numbers* numbers = std::get_if<Numbers>(&column);
  if (input.type != Type::kInt64 || numbers == nullptr) return {};
  for (size_t row = 0; row < numbers->values.size(); ++row) {
    const double value = numbers->values[row];
    if (std::isfinite(value) && std::trunc(value) != value) {
      return InvalidArgument(fmt::format("column '{}' holds {} in row {}; the signature says int64",
                                         input.name, value, row));
    }
  }
  return {};
}

}  // namespace

int64_t Size(const Column& column) {
  return std::visit([](const auto& c) { return static_cast<int64_t>(c.values.size()); }, column);
}

Cell At(const Column& column, int64_t row) {
  const auto i = static_cast<size_t>(row);
  return std::visit(Overloaded{[&](const Numbers& c) -> Cell {
                                 return std::isnan(c.values[i]) ? Cell(Missing()) : c.values[i];
                               },
                               [&](const Integers& c) -> Cell { return c.values[i]; },
                               [&](const Strings& c) -> Cell {
                                 return IsMarked(c, i) ? Cell(Missing()) : c.values[i];
                               },
                               [&](const Bools& c) -> Cell {
                                 return IsMarked(c, i) ? Cell(Missing()) : c.values[i] != 0;
                               }},
                    column);
}

void Set(Column& column, int64_t row, Cell cell) {
  const auto i = static_cast<size_t>(row);
  if (Integers* integers = std::get_if<Integers>(&column)) {
    if (const int64_t* integer = std::get_if<int64_t>(&cell)) {
      integers->values[i] = *integer;
      return;
    }
    column = ToNumbers(*integers);
  }
  if (Numbers* numbers = std::get_if<Numbers>(&column)) {
    numbers->values[i] = ToNumber(cell);
    return;
  }
  const bool is_missing = IsMissing(cell);
  if (Strings* strings = std::get_if<Strings>(&column)) {
    MarkMissing(*strings, i, is_missing);
    strings->values[i] = is_missing ? "" : std::get<std::string>(std::move(cell));
    return;
  }
  Bools& bools = std::get<Bools>(column);
  MarkMissing(bools, i, is_missing);
  bools.values[i] = !is_missing && std::get<bool>(cell) ? 1 : 0;
}

bool IsMissing(const Cell& cell) {
  const double* number = std::get_if<double>(&cell);
  return std::holds_alternative<Missing>(cell) || (number != nullptr && std::isnan(*number));
}

json::Value ToJson(const Cell& cell) {
  if (IsMissing(cell)) return nullptr;
  return std::visit(Overloaded{[](Missing) { return json::Value(); },
                               [](const auto& value) { return json::Value(value); }},
                    cell);
}

std::string ToText(const Cell& cell) {
  if (IsMissing(cell)) return "missing";
  return std::visit(Overloaded{[](Missing) { return std::string(); },
                               [](const std::string& text) { return fmt::format("'{}'", text); },
                               [](const auto& value) { return fmt::format("{}", value); }},
                    cell);
}

Result<Columns> Columns::Make(const package::Signature& signature, std::vector<Column> columns) {
  if (columns.size() != signature.inputs.size()) {
    return InvalidArgument(fmt::format("{} columns were given; the model has {} inputs",
                                       columns.size(), signature.inputs.size()));
  }
  const int64_t rows = columns.empty() ? 0 : Size(columns[0]);
  if (rows == 0)
    return InvalidArgument("there is no row to check the model on; at least one was expected");
  for (size_t i = 0; i < columns.size(); ++i)
    PENSTOCK_TRY(CheckColumn(signature.inputs[i], columns[i], rows));
  Columns made;
  made.columns_ = std::move(columns);
  made.rows_ = rows;
  return made;
}

Cell Columns::At(int64_t row, int column) const {
  return train::At(columns_[static_cast<size_t>(column)], row);
}

void Columns::Set(int64_t row, int column, Cell cell) {
  train::Set(columns_[static_cast<size_t>(column)], row, std::move(cell));
}

Columns Columns::Gather(std::span<const int64_t> rows) const {
  Columns gathered;
  gathered.rows_ = static_cast<int64_t>(rows.size());
  gathered.columns_.reserve(columns_.size());
  for (const Column& column : columns_) gathered.columns_.push_back(GatherColumn(column, rows));
  return gathered;
}

Status Columns::Fill(int64_t row, int64_t target, package::Tensors& tensors) const {
  const auto i = static_cast<size_t>(row);
  for (size_t c = 0; c < columns_.size(); ++c) {
    const int column = static_cast<int>(c);
    PENSTOCK_TRY(std::visit(
        Overloaded{
            [&](const Numbers& n) { return tensors.SetNumber(target, column, n.values[i]); },
            [&](const Integers& n) { return tensors.SetInteger(target, column, n.values[i]); },
            [&](const Strings& s) {
              return IsMarked(s, i) ? tensors.SetMissing(target, column)
                                    : tensors.SetString(target, column, s.values[i]);
            },
            [&](const Bools& b) {
              return IsMarked(b, i) ? tensors.SetMissing(target, column)
                                    : tensors.SetBool(target, column, b.values[i] != 0);
            }},
        columns_[c]));
  }
  return {};
}

json::Value RecordToJson(const package::Signature& signature, const Columns& columns, int64_t row) {
  json::Object record;
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    record.emplace_back(signature.inputs[i].name, ToJson(columns.At(row, static_cast<int>(i))));
  }
  return record;
}

}  // namespace penstock::train
