// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/result.h"

// What the child process of a read does: `penstock read-rows URI`.
namespace penstock::data {

inline constexpr std::string_view kReadRowsCommand = "read-rows";
// Of the error that the child writes.
inline constexpr size_t kErrorBytesMax = size_t{64} << 10;

// Writes the rows of a database to a descriptor as an Arrow IPC stream, whose end is written only
// when every row was. kCancelled when the reader went away; other errors as data/source.h lists
// them.
Status WriteRows(std::string_view uri, int descriptor);

// The same to standard output, for a whole process: on an error, closes standard output, then
// writes the status as one line of JSON, {"code": 5, "message": "..."}, to standard error. Returns
// the exit code.
int RunReadRows(std::string_view uri);

// The error that a child wrote: the last line of that form; empty (OK) when there is none.
Status ErrorFromChild(std::string_view standard_error);

}  // namespace penstock::data
