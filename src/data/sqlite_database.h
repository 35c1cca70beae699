// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace penstock::data {

// How long a read waits for a lock that another process holds.
inline constexpr int kBusyMsMax = 5'000;

struct CloseDatabase {
  void operator()(sqlite3* database) const;
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const;
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// kFailedPrecondition for a database in WAL mode, as its first 100 bytes tell, on a file system
// (statfs's magic number) that several machines may share: SQLite's readers and writers would not
// see each other there.
Status CheckLogIsLocal(const std::string& path, std::string_view header, int64_t file_system_magic);

// Somebody's SQLite file, opened to be read in one transaction and never written to. Must live in a
// process that does not use the file otherwise: closing it would drop that process's locks. Not
// thread-safe.
class SqliteDatabase {
 public:
  // Opens the file and begins to read, waiting for locks up to kBusyMsMax. A file in WAL mode in a
  // folder that cannot be written, where SQLite itself gives up, is read as it lies there;
  // CheckUnchanged tells whether that was sound. Errors as data/source.h lists them.
  static Result<SqliteDatabase> Open(const std::string& path);

  // Every row of a table or view. kNotFound names the nearest and lists what there is.
  Result<StatementHandle> PrepareTable(const std::string& table);
  // One statement that reads. kInvalidArgument with SQLite's message and the place, for one that
  // writes or has parameters, and for more than one.
  Result<StatementHandle> PrepareQuery(const std::string& query);
  // Tables and views, by name.
  Result<std::vector<std::string>> Tables();

  // The error of a call on this database that returned `code`.
  Status StatusOf(int code) const;
  // kUnavailable when the file was written to while it was read without locks.
  Status CheckUnchanged() const;
  sqlite3* handle() const { return database_.get(); }

 private:
  // What tells that a file was written to.
  struct FileState {
    int64_t size = 0;
    int64_t modified_ns = 0;
    std::string header;

    friend bool operator==(const FileState&, const FileState&) = default;
  };

  static Result<FileState> StateOf(const std::string& path);
  Status OpenAs(const std::string& file_uri);
  Status Begin();
  Status BeginWithoutLocks(const Status& refused);
  Status RefuseRegistry();
  Result<std::vector<std::string>> Names(const char* sql);
  Status ExplainQuery(const std::string& query, int code);

  std::string path_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  std::unique_ptr<FileState> without_locks_;
};

}  // namespace penstock::data
