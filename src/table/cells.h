// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "table/batch.h"

namespace penstock::table {

// One value of a batch; std::monostate for null. Dates and times are text in the form of ISO 8601
// ("2026-11-24T10:42:41.5", with a Z where they are a point in time), binary values their bytes.
using Cell = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string>;

// The value of a column of this type. For a look at a few rows, not for reading many.
Cell CellAt(const Batch& batch, ColumnType type, int64_t column, int64_t row);

}  // namespace penstock::table
