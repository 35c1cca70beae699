// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace penstock::data {

// What DuckDB said, as one sentence with a code: which file, line, column and value, what was
// expected and what to add to the source. DuckDB's own texts are paragraphs that begin with
// "Kind Error: ".
Status FromDuckdb(std::string_view message);

}  // namespace penstock::data
