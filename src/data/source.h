// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "table/stream.h"

namespace penstock::data {

struct ReadOptions {
  // Path of the program `penstock`; empty: beside this program or module.
  std::string program;
  // Asked at least every 100 ms while the call waits for rows; an error ends the read with that
  // error. Python's Ctrl-C.
  std::function<Status()> poll;
};

// Opens a source of rows: files, read by DuckDB in this process, or a SQLite or DuckDB database,
// read in a child process (data/README.md has the rules of the URI and of column types). Nothing is
// written to. Returns once the columns are known. An error later ends the stream: it is never a
// shorter table. Letting the stream go ends the read. kNotFound: no such file or table (the nearest
// is named). kInvalidArgument: a URI that cannot be understood, a query that does not parse, a
// value that does not fit its column, a file that is not of its format. kDataLoss: a Parquet file
// that is cut off. kFailedPrecondition: Penstock's registry, a database that must first be
// recovered, no DuckDB. kUnavailable: locked for longer than kBusyMsMax. kUnimplemented: a source
// on the network.
Result<table::TableStream> Read(std::string_view uri, const ReadOptions& options = {});

}  // namespace penstock::data
