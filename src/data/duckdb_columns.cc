// SPDX-License-Identifier: Apache-2.0
#include "data/duckdb_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/names.h"
#include "data/sql_text.h"

namespace penstock::data {
namespace {

using table::ColumnType;

struct TypeRow {
  duckdb_type from;
  ColumnType type;
  std::string_view cast;
};

// Where there is no cast, DuckDB's vectors have Arrow's layout (docs/reference/sources.md has the
// table for users).
constexpr std::array kTypes = {
    TypeRow{DUCKDB_TYPE_BOOLEAN, ColumnType::kBool, ""},
    TypeRow{DUCKDB_TYPE_TINYINT, ColumnType::kInt8, ""},
    TypeRow{DUCKDB_TYPE_SMALLINT, ColumnType::kInt16, ""},
    TypeRow{DUCKDB_TYPE_INTEGER, ColumnType::kInt32, ""},
    TypeRow{DUCKDB_TYPE_BIGINT, ColumnType::kInt64, ""},
    TypeRow{DUCKDB_TYPE_UTINYINT, ColumnType::kUInt8, ""},
    TypeRow{DUCKDB_TYPE_USMALLINT, ColumnType::kUInt16, ""},
    TypeRow{DUCKDB_TYPE_UINTEGER, ColumnType::kUInt32, ""},
    TypeRow{DUCKDB_TYPE_UBIGINT, ColumnType::kUInt64, ""},
    TypeRow{DUCKDB_TYPE_HUGEINT, ColumnType::kInt64, "BIGINT"},
    TypeRow{DUCKDB_TYPE_UHUGEINT, ColumnType::kInt64, "BIGINT"},
    TypeRow{DUCKDB_TYPE_FLOAT, ColumnType::kFloat32, ""},
    TypeRow{DUCKDB_TYPE_DOUBLE, ColumnType::kFloat64, ""},
    TypeRow{DUCKDB_TYPE_DECIMAL, ColumnType::kFloat64, "DOUBLE"},
    TypeRow{DUCKDB_TYPE_SQLNULL, ColumnType::kFloat64, "DOUBLE"},
    TypeRow{DUCKDB_TYPE_VARCHAR, ColumnType::kString, ""},
    TypeRow{DUCKDB_TYPE_ENUM, ColumnType::kString, "VARCHAR"},
    TypeRow{DUCKDB_TYPE_UUID, ColumnType::kString, "VARCHAR"},
    TypeRow{DUCKDB_TYPE_BLOB, ColumnType::kBinary, ""},
    TypeRow{DUCKDB_TYPE_DATE, ColumnType::kDate32, ""},
    TypeRow{DUCKDB_TYPE_TIME, ColumnType::kTimeUs, ""},
    TypeRow{DUCKDB_TYPE_TIMESTAMP, ColumnType::kTimestampUs, ""},
    TypeRow{DUCKDB_TYPE_TIMESTAMP_S, ColumnType::kTimestampUs, "TIMESTAMP"},
    TypeRow{DUCKDB_TYPE_TIMESTAMP_MS, ColumnType::kTimestampUs, "TIMESTAMP"},
    TypeRow{DUCKDB_TYPE_TIMESTAMP_NS, ColumnType::kTimestampNs, ""},
    TypeRow{DUCKDB_TYPE_TIMESTAMP_TZ, ColumnType::kTimestampUsUtc, ""},
};

std::string_view NestedName(duckdb_type type) {
  switch (type) {
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
      return "a list";
    case DUCKDB_TYPE_STRUCT:
      return "a struct";
    case DUCKDB_TYPE_MAP:
      return "a map";
    case DUCKDB_TYPE_UNION:
      return "a union";
    case DUCKDB_TYPE_INTERVAL:
      return "an interval";
    default:
      return "of a type that a column here cannot have";
  }
}

Status Refuse(const std::string& name, duckdb_type type) {
  return InvalidArgument(fmt::format(
      "column '{}' is {}; numbers, text, booleans, dates and times are read: in ?query= take what "
      "you need of it, as {}, or CAST(\"{}\" AS VARCHAR)",
      name, NestedName(type),
      type == DUCKDB_TYPE_LIST || type == DUCKDB_TYPE_ARRAY ? fmt::format("\"{}\"[1]", name)
      : type == DUCKDB_TYPE_INTERVAL                        ? fmt::format("epoch(\"{}\")", name)
                                                            : fmt::format("\"{}\".part", name),
      name));
}

std::string_view TextAt(const duckdb_string_t& text) {
  constexpr uint32_t kInlineBytesMax = sizeof(text.value.inlined.inlined);
  const uint32_t size = text.value.inlined.length;
  return {size <= kInlineBytesMax ? text.value.inlined.inlined : text.value.pointer.ptr, size};
}

bool IsValid(const uint64_t* validity, int64_t row) {
  return validity == nullptr || (validity[row / 64] >> (row % 64) & 1) != 0;
}

bool IsText(ColumnType type) { return type == ColumnType::kString || type == ColumnType::kBinary; }

int64_t WidthOf(ColumnType type) {
  switch (type) {
    case ColumnType::kInt8:
    case ColumnType::kUInt8:
      return 1;
    case ColumnType::kInt16:
    case ColumnType::kUInt16:
      return 2;
    case ColumnType::kInt32:
    case ColumnType::kUInt32:
    case ColumnType::kFloat32:
    case ColumnType::kDate32:
      return 4;
    default:
      return 8;
  }
}

}  // namespace

Result<std::vector<DuckdbColumn>> ColumnsOf(const DuckdbLibrary& duckdb,
                                            duckdb_prepared_statement statement) {
  std::vector<DuckdbColumn> columns;
  const idx_t count = duckdb.prepared_statement_column_count(statement);
  for (idx_t i = 0; i < count; ++i) {
    const char* given = duckdb.prepared_statement_column_name(statement, i);
    const std::string name = given == nullptr ? "" : given;
    duckdb.free(const_cast<char*>(given));
    DuckdbHandle<duckdb_logical_type> logical(duckdb.destroy_logical_type);
    *logical.out() = duckdb.prepared_statement_column_logical_type(statement, i);
    const duckdb_type type = duckdb.get_type_id(logical.get());
    const auto* row = std::ranges::find(kTypes, type, &TypeRow::from);
    if (row == kTypes.end()) return Refuse(name, type);
    const bool is_twice = std::ranges::any_of(
        columns, [&](const DuckdbColumn& before) { return before.field.name == name; });
    if (is_twice) {
      return InvalidArgument(
          fmt::format("two columns have the name '{}'; give them names, as SELECT a AS b", name));
    }
    columns.push_back({.field = {.name = name, .type = row->type}, .cast = row->cast});
  }
  return columns;
}

std::string WithCasts(std::string_view query, const std::vector<DuckdbColumn>& columns) {
  if (std::ranges::all_of(columns, [](const DuckdbColumn& c) { return c.cast.empty(); }))
    return std::string(query);
  // By position: a name may be anything.
  std::string selected;
  std::string names;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string_view comma = i == 0 ? "" : ", ";
    names += fmt::format("{}c{}", comma, i);
    selected += columns[i].cast.empty()
                    ? fmt::format("{}c{}", comma, i)
                    : fmt::format("{}CAST(c{} AS {}) AS c{}", comma, i, columns[i].cast, i);
  }
  // The query may end in a semicolon with comments behind it, or in a comment without an end of
  // line.
  return fmt::format("SELECT {} FROM (\n{}\n) AS q({})", selected, FirstStatement(query), names);
}

TextBytes TextBytesOf(const DuckdbLibrary& duckdb, duckdb_data_chunk chunk, int64_t begin,
                      int64_t end, const std::vector<table::Field>& fields) {
  TextBytes most;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!IsText(fields[i].type)) continue;
    duckdb_vector vector = duckdb.data_chunk_get_vector(chunk, i);
    const auto* texts = static_cast<const duckdb_string_t*>(duckdb.vector_get_data(vector));
    const uint64_t* validity = duckdb.vector_get_validity(vector);
    int64_t bytes = 0;
    for (int64_t row = begin; row < end; ++row) {
      if (!IsValid(validity, row)) continue;
      const auto size = static_cast<int64_t>(texts[row].value.inlined.length);
      bytes += size;
      most.value = std::max(most.value, size);
    }
    most.column = std::max(most.column, bytes);
  }
  return most;
}

void AppendRows(const DuckdbLibrary& duckdb, duckdb_data_chunk chunk, int64_t begin, int64_t end,
                table::BatchBuilder& builder) {
  const int64_t rows = end - begin;
  std::vector<std::string_view> texts;
  for (size_t i = 0; i < builder.fields().size(); ++i) {
    const ColumnType type = builder.fields()[i].type;
    duckdb_vector vector = duckdb.data_chunk_get_vector(chunk, i);
    const void* values = duckdb.vector_get_data(vector);
    const uint64_t* bits = duckdb.vector_get_validity(vector);
    const table::Validity validity{.bits = reinterpret_cast<const uint8_t*>(bits), .offset = begin};
    if (IsText(type)) {
      texts.clear();
      for (int64_t row = begin; row < end; ++row) {
        texts.push_back(IsValid(bits, row)
                            ? TextAt(static_cast<const duckdb_string_t*>(values)[row])
                            : std::string_view());
      }
      builder.AppendTexts(i, texts, validity);
    } else if (type == ColumnType::kBool) {
      builder.AppendBools(i, static_cast<const bool*>(values) + begin, validity, rows);
    } else {
      const auto* bytes = static_cast<const uint8_t*>(values) + begin * WidthOf(type);
      builder.AppendValues(i, bytes, validity, rows);
    }
  }
  builder.EndRows(rows);
}

}  // namespace penstock::data
