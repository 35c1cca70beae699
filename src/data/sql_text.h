// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace penstock::data {

// The first statement of a text in DuckDB's SQL: all before the first semicolon that is neither in
// a literal, a quoted name nor a comment.
std::string_view FirstStatement(std::string_view sql);

}  // namespace penstock::data
