// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/duckdb_library.h"
#include "table/batch.h"

namespace penstock::data {

// What a column of a DuckDB result becomes.
struct DuckdbColumn {
  table::Field field;
  // SQL type that the column is cast to first; empty: it is read as it is.
  std::string_view cast;
};

// The columns of a statement. HUGEINT becomes int64, DECIMAL float64, ENUM, UUID string; a value
// that does not fit is an error of the query. kInvalidArgument, naming the column and the remedy,
// for a nested type, a type that Arrow's columns here do not have, and two columns of one name.
Result<std::vector<DuckdbColumn>> ColumnsOf(const DuckdbLibrary& duckdb,
                                            duckdb_prepared_statement statement);

// The query with these columns cast, its rows in their order; the query itself where none is.
std::string WithCasts(std::string_view query, const std::vector<DuckdbColumn>& columns);

// Appends rows begin to end of a chunk, as the statement with the casts gives them. The caller
// keeps the text of one column below what a batch holds.
void AppendRows(const DuckdbLibrary& duckdb, duckdb_data_chunk chunk, int64_t begin, int64_t end,
                table::BatchBuilder& builder);

// The most bytes that one column's text takes in these rows, and the longest value.
struct TextBytes {
  int64_t column = 0;
  int64_t value = 0;
};
TextBytes TextBytesOf(const DuckdbLibrary& duckdb, duckdb_data_chunk chunk, int64_t begin,
                      int64_t end, const std::vector<table::Field>& fields);

}  // namespace penstock::data
