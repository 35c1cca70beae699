// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "data/file_uri.h"
#include "table/stream.h"

namespace penstock::data {

// The rows of a source that DuckDB reads, in batches of table::kBatchRowsMax rows. A thread of its
// own works ahead of the consumer by kBatchesAheadMax batches, and waits then: that is all the
// memory that a table of any size takes. `poll` is asked as ReadOptions has it. Letting the source
// go ends the thread. Returns once the columns are known; nothing is read before the first batch is
// asked for.
inline constexpr size_t kBatchesAheadMax = 2;
Result<std::unique_ptr<table::BatchSource>> OpenDuckdb(const FileUri& uri,
                                                       std::function<Status()> poll);

}  // namespace penstock::data
