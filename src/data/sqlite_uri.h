// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::data {

inline constexpr std::string_view kSqliteScheme = "sqlite:";
inline constexpr std::string_view kSqliteForms =
    "sqlite:///PATH#TABLE or sqlite:///PATH?query=SELECT ...";

// A SQLite source. At most one of table and query is not empty.
struct SqliteUri {
  std::string path;  // as given: relative to the working directory, or absolute
  std::string table;
  std::string query;
};

// sqlite:///PATH, sqlite:///PATH#TABLE or sqlite:///PATH?query=SQL; a fourth slash begins an
// absolute path. The path ends at the first ?query= or else at the last '#', and in path and table
// %XX stands for a byte. The query is all that follows ?query=, '#', '?', '&' and quotes included:
// as it stands when it holds white space, else with %XX decoded. kInvalidArgument with the forms
// that are understood.
Result<SqliteUri> ParseSqliteUri(std::string_view uri);

}  // namespace penstock::data
