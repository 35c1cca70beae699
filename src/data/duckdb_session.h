// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/duckdb_columns.h"
#include "data/duckdb_library.h"
#include "data/file_uri.h"

namespace penstock::data {

// A DuckDB of its own for one source: an in-memory database, or somebody's file opened read-only,
// one connection, and the statement that gives the rows. It downloads and loads no extension, keeps
// no secrets, changes nothing, and writes only what does not fit into memory, to the system's
// folder for temporary files. For one thread, but for Interrupt.
class DuckdbSession {
 public:
  explicit DuckdbSession(std::shared_ptr<const DuckdbLibrary> library);
  DuckdbSession(const DuckdbSession&) = delete;
  DuckdbSession& operator=(const DuckdbSession&) = delete;
  ~DuckdbSession();

  // Opens the source and finds its columns. Once. Errors as data/source.h lists them.
  Status Open(const FileUri& uri);
  const std::vector<DuckdbColumn>& columns() const { return columns_; }

  // Starts to give rows. Once.
  Status Execute();
  // The next rows; an empty handle at the end. An error in the middle is an error: DuckDB itself
  // gives a shorter result.
  Result<DuckdbHandle<duckdb_data_chunk>> Fetch();

  // Ends what the session is doing with kCancelled, from any thread. A call that begins later is
  // not ended.
  void Interrupt();
  const DuckdbLibrary& library() const { return *library_; }

 private:
  Status OpenDatabase(const std::string& path);
  Status Run(const std::string& sql);
  Result<std::vector<std::vector<std::string>>> Texts(const std::string& sql);
  Result<std::string> ScanOf(const FileUri& uri);
  Result<std::string> QueryOf(const FileUri& uri);
  Result<std::string> TableQuery(const FileUri& uri);
  Result<std::string> OptionText(std::string_view function, const std::string& name,
                                 const std::string& value);
  Status Prepare(const std::string& query);
  Status AskAgain();

  std::shared_ptr<const DuckdbLibrary> library_;
  DuckdbHandle<duckdb_database> database_;
  DuckdbHandle<duckdb_connection> connection_;
  std::atomic<duckdb_connection> interruptible_ = nullptr;
  DuckdbHandle<duckdb_prepared_statement> statement_;
  std::atomic<bool> is_interrupted_ = false;
  std::vector<DuckdbColumn> columns_;
  duckdb_result result_{};
};

}  // namespace penstock::data
