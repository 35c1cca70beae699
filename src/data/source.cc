// SPDX-License-Identifier: Apache-2.0
#include "data/source.h"

#include <memory>
#include <utility>

#include "data/child_source.h"
#include "data/duckdb_source.h"
#include "data/file_uri.h"
#include "data/sqlite_uri.h"

namespace penstock::data {
namespace {

Result<std::unique_ptr<table::BatchSource>> Open(std::string_view uri, const ReadOptions& options) {
  if (uri.starts_with(kSqliteScheme)) return OpenInChild(uri, options);
  const FileUri parsed = PENSTOCK_TRY(ParseFileUri(uri));
  return parsed.database.empty() ? OpenDuckdb(parsed, options.poll) : OpenInChild(uri, options);
}

}  // namespace

Result<table::TableStream> Read(std::string_view uri, const ReadOptions& options) {
  return table::TableStream(PENSTOCK_TRY(Open(uri, options)));
}

}  // namespace penstock::data
