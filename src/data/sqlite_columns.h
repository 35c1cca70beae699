// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "table/batch.h"

struct sqlite3_stmt;
struct sqlite3_value;

namespace penstock::data {

// A column of a result. SQLite types values, not columns; this is what its column becomes.
struct SqliteColumn {
  std::string name;
  std::string declared;                   // empty for expressions and columns without a type
  std::optional<table::ColumnType> type;  // empty until values decide
  bool is_decided_by_values = false;
};

// The columns of a statement with the types that their declarations decide, by SQLite's rules of
// affinity (https://www.sqlite.org/datatype3.html section 3.1): INTEGER -> int64, REAL -> float64,
// TEXT -> string, BLOB -> binary, and BOOL... -> bool. NUMERIC affinity (DECIMAL, DATE, ...),
// expressions and columns without a type are decided by values. kInvalidArgument for two columns of
// one name.
Result<std::vector<SqliteColumn>> ColumnsOf(sqlite3_stmt* statement);

// Decides the type of a column from the SQLite types (SQLITE_INTEGER, ...) of its first values, in
// order: integers -> int64 (float64 where it is declared as a number with decimals), numbers ->
// float64, text -> string, blobs -> binary, only nulls -> float64. Where they do not fit each other
// the first one decides, and Append names the one that does not.
table::ColumnType TypeOfValues(std::string_view declared, const std::vector<int>& kinds);

// Appends a value of the result's row (counted from 1) to its column. kInvalidArgument for a value
// that does not fit, naming row, column, value and remedy: an integer beyond 2^53 in float64, a
// fraction in int64, text that is not UTF-8, a bool other than 0 and 1, a value of another kind.
Status Append(const SqliteColumn& column, size_t index, int64_t row, sqlite3_value* value,
              table::BatchBuilder& builder);

}  // namespace penstock::data
