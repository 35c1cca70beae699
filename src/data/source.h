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

// Opens a source of rows: `sqlite:///path#table` or `sqlite:///path?query=SELECT ...`
// (src/data/README.md has the rules of the URI and of column types). The file is read in a child
// process, so that no lock that this process or one of its libraries holds on the file is lost; the
// database is never written to. Returns once the columns are known. An error later ends the stream:
// it is never a shorter table. Letting the stream go ends the child. kNotFound: no such file or
// table (the nearest is named). kInvalidArgument: a URI that cannot be understood, a query that
// does not parse, a value that does not fit its column, not a database. kFailedPrecondition:
// Penstock's registry, or a database that must first be recovered. kUnavailable: locked for longer
// than kBusyMsMax.
Result<table::TableStream> Read(std::string_view uri, const ReadOptions& options = {});

}  // namespace penstock::data
