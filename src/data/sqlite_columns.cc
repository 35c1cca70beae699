// SPDX-License-Identifier: Apache-2.0
#include "data/sqlite_columns.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_set>

namespace penstock::data {
namespace {

using table::ColumnType;

constexpr int64_t kExactInDouble = int64_t{1} << 53;
constexpr size_t kShownBytesMax = 40;

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string UpperCase(std::string_view text) {
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

std::optional<ColumnType> TypeOfDeclaration(std::string_view declared) {
  const std::string upper = UpperCase(declared);
  if (upper.starts_with("BOOL")) return ColumnType::kBool;
  if (Contains(upper, "INT")) return ColumnType::kInt64;
  if (Contains(upper, "CHAR") || Contains(upper, "CLOB") || Contains(upper, "TEXT"))
    return ColumnType::kString;
  if (Contains(upper, "BLOB")) return ColumnType::kBinary;
  if (Contains(upper, "REAL") || Contains(upper, "FLOA") || Contains(upper, "DOUB"))
    return ColumnType::kFloat64;
  return std::nullopt;
}

std::string_view TextOf(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return text == nullptr ? std::string_view()
                         : std::string_view(text, static_cast<size_t>(sqlite3_value_bytes(value)));
}

std::string_view BlobOf(sqlite3_value* value) {
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(value));
  return bytes == nullptr
             ? std::string_view()
             : std::string_view(bytes, static_cast<size_t>(sqlite3_value_bytes(value)));
}

// For a message: not more of a value than one can read, and nothing that is not text.
std::string Shown(sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
      return fmt::format("the integer {}", sqlite3_value_int64(value));
    case SQLITE_FLOAT:
      return fmt::format("the number {}", sqlite3_value_double(value));
    case SQLITE_TEXT: {
      const std::string_view text = TextOf(value);
      if (!table::IsUtf8(text)) return "text that is not UTF-8";
      size_t size = std::min(text.size(), kShownBytesMax);
      while (!table::IsUtf8(text.substr(0, size))) --size;
      return fmt::format("the text '{}'{}", text.substr(0, size), size < text.size() ? "..." : "");
    }
    default:
      return fmt::format("a blob of {} bytes", sqlite3_value_bytes(value));
  }
}

std::string_view CastFor(sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
      return "INTEGER";
    case SQLITE_FLOAT:
      return "REAL";
    case SQLITE_TEXT:
      return table::IsUtf8(TextOf(value)) ? "TEXT" : "BLOB";
    default:
      return "BLOB";
  }
}

Status DoesNotFit(const SqliteColumn& column, int64_t row, sqlite3_value* value) {
  const std::string why = column.is_decided_by_values ? "by its first values"
                                                      : fmt::format("declared {}", column.declared);
  return InvalidArgument(
      fmt::format("column '{}' is read as {} ({}), but row {} holds {}; make it one type in a "
                  "query, as in ?query=SELECT "
                  "CAST(\"{}\" AS {}) AS \"{}\", ... FROM ...",
                  column.name, table::ColumnTypeName(*column.type), why, row, Shown(value),
                  column.name, CastFor(value), column.name));
}

bool AppendInt64(size_t index, sqlite3_value* value, table::BatchBuilder& builder) {
  const int kind = sqlite3_value_type(value);
  if (kind == SQLITE_INTEGER) {
    builder.AppendInt64(index, sqlite3_value_int64(value));
    return true;
  }
  const double number = kind == SQLITE_FLOAT ? sqlite3_value_double(value) : 0.5;
  if (number != std::trunc(number) || std::abs(number) > static_cast<double>(kExactInDouble))
    return false;
  builder.AppendInt64(index, static_cast<int64_t>(number));
  return true;
}

bool AppendFloat64(size_t index, sqlite3_value* value, table::BatchBuilder& builder) {
  const int kind = sqlite3_value_type(value);
  if (kind == SQLITE_FLOAT) {
    builder.AppendFloat64(index, sqlite3_value_double(value));
    return true;
  }
  const int64_t number = sqlite3_value_int64(value);
  if (kind != SQLITE_INTEGER || number < -kExactInDouble || number > kExactInDouble) return false;
  builder.AppendFloat64(index, static_cast<double>(number));
  return true;
}

bool AppendBool(size_t index, sqlite3_value* value, table::BatchBuilder& builder) {
  const int64_t number = sqlite3_value_int64(value);
  if (sqlite3_value_type(value) != SQLITE_INTEGER || number < 0 || number > 1) return false;
  builder.AppendBool(index, number == 1);
  return true;
}

bool AppendString(size_t index, sqlite3_value* value, table::BatchBuilder& builder) {
  if (sqlite3_value_type(value) != SQLITE_TEXT) return false;
  const std::string_view text = TextOf(value);
  if (!table::IsUtf8(text)) return false;
  builder.AppendBytes(index, text);
  return true;
}

bool AppendBinary(size_t index, sqlite3_value* value, table::BatchBuilder& builder) {
  if (sqlite3_value_type(value) != SQLITE_BLOB) return false;
  builder.AppendBytes(index, BlobOf(value));
  return true;
}

bool Fits(ColumnType type, size_t index, sqlite3_value* value, table::BatchBuilder& builder) {
  switch (type) {
    case ColumnType::kInt64:
      return AppendInt64(index, value, builder);
    case ColumnType::kFloat64:
      return AppendFloat64(index, value, builder);
    case ColumnType::kBool:
      return AppendBool(index, value, builder);
    case ColumnType::kString:
      return AppendString(index, value, builder);
    case ColumnType::kBinary:
      return AppendBinary(index, value, builder);
    default:
      return false;  // SQLite has no other types
  }
}

}  // namespace

Result<std::vector<SqliteColumn>> ColumnsOf(sqlite3_stmt* statement) {
  std::vector<SqliteColumn> columns;
  std::unordered_set<std::string> names;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) {
    const char* name = sqlite3_column_name(statement, i);
    const char* declared = sqlite3_column_decltype(statement, i);
    if (name == nullptr)
      return ResourceExhausted("memory is short for the names of columns; read fewer columns");
    SqliteColumn column{.name = name, .declared = declared == nullptr ? "" : declared};
    column.type = TypeOfDeclaration(column.declared);
    column.is_decided_by_values = !column.type;
    if (!names.insert(column.name).second) {
      return InvalidArgument(fmt::format(
          "the query gives two columns named '{}'; give each its own name with AS", name));
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

ColumnType TypeOfValues(std::string_view declared, const std::vector<int>& kinds) {
  const auto first = std::ranges::find_if(kinds, [](int kind) { return kind != SQLITE_NULL; });
  if (first == kinds.end()) return ColumnType::kFloat64;
  if (*first == SQLITE_TEXT) return ColumnType::kString;
  if (*first == SQLITE_BLOB) return ColumnType::kBinary;
  const std::string upper = UpperCase(declared);
  const bool has_decimals = Contains(upper, "DEC") || Contains(upper, "NUM");
  const bool has_fraction = std::ranges::find(kinds, SQLITE_FLOAT) != kinds.end();
  return has_decimals || has_fraction ? ColumnType::kFloat64 : ColumnType::kInt64;
}

Status Append(const SqliteColumn& column, size_t index, int64_t row, sqlite3_value* value,
              table::BatchBuilder& builder) {
  if (sqlite3_value_type(value) == SQLITE_NULL) {
    builder.AppendNull(index);
    return {};
  }
  if (Fits(*column.type, index, value, builder)) return {};
  return DoesNotFit(column, row, value);
}

}  // namespace penstock::data
