// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace penstock::data {

inline constexpr std::string_view kDuckdbScheme = "duckdb:";
// What the query of a source of files calls them.
inline constexpr std::string_view kFilesView = "data";

enum class FileFormat { kCsv, kParquet, kJson };

// A source that DuckDB reads: files, a DuckDB database, or only a query.
struct FileUri {
  FileFormat format = FileFormat::kCsv;
  // Files: a path or a pattern of paths; empty for the other two. Relative to the working
  // directory, or absolute.
  std::string path;
  std::vector<std::pair<std::string, std::string>> options;  // DuckDB's, in the order given
  std::string database;                                      // path of a DuckDB database
  std::string table;                                         // of the database
  std::string query;
};

// Understands
//   data/*.csv  /srv/x.parquet            the ending tells the format: .csv .tsv .txt, .parquet
//   .pq,
//                                         .json .jsonl .ndjson, with .gz or .zst behind it
//   file:///srv/x.parquet                 the same, absolute
//   csv:PATH  parquet:PATH  json:PATH     the format is told
//   duckdb:///PATH#TABLE                  and ?query=; a fourth slash begins an absolute path
//   duckdb:?query=SELECT ...
// After a path: ?option=value&option=value&query=SELECT ..., the query last. In a path behind a
// scheme, in options and in a query without white space %XX stands for a byte; a bare path is taken
// as it is. Whether an option exists is DuckDB's to say. kInvalidArgument with what was expected;
// kUnimplemented for a scheme of the network.
Result<FileUri> ParseFileUri(std::string_view uri);

// Whether the path has one of DuckDB's pattern characters: * ? [
bool IsPattern(std::string_view path);

// What is said of a path that is a directory.
Status IsADirectory(const std::filesystem::path& path);

}  // namespace penstock::data
