// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "sql/sqlite.h"

namespace penstock::sql {

// The steps of a schema in order: step n (from 1) is the file schema/00n-*.sql of the folder that
// owns the tables.
using Migrations = std::span<const std::string_view>;

// Brings the file to the newest schema, each step in its own transaction; a file that is there
// already is left alone. Safe for several processes at once. kFailedPrecondition, with the remedy,
// for a schema newer than this program knows.
Status Migrate(Session& session, Migrations migrations);

}  // namespace penstock::sql
