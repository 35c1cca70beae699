// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace penstock::sql {

// How long a statement waits for another connection's lock before it fails with kUnavailable.
inline constexpr std::chrono::milliseconds kBusyTimeoutMax = std::chrono::seconds(60);

// The kind of one value in one row: SQLite's types are those of values, not of columns.
enum class Kind { kNull, kInteger, kReal, kText, kBlob };

class Session;

// A prepared statement. Its session must outlive it and stay where it is; not thread-safe.
// Parameters and columns count from 0.
class Statement {
 public:
  Statement& Bind(int index, int64_t value);
  Statement& Bind(int index, double value);
  Statement& Bind(int index, std::string_view text);
  Statement& BindBlob(int index, std::string_view bytes);
  Statement& BindNull(int index);

  // True when a row is there to be read; false at the end.
  Result<bool> Step();
  // Runs a statement that gives no rows.
  Status Run();
  // Makes it ready to run again; bindings stay.
  void Reset();

  int column_count() const;
  std::string column_name(int column) const;
  // The type a table's column was declared with; empty for expressions.
  std::string declared_type(int column) const;

  Kind kind(int column) const;
  int64_t Int(int column) const;
  double Double(int column) const;
  // Valid until the next Step or Reset. Bytes as stored: NUL is kept.
  std::string_view Text(int column) const;
  std::string_view Blob(int column) const;

 private:
  friend class Session;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(Session* session, sqlite3_stmt* statement) : session_(session), statement_(statement) {}

  Session* session_;
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bind_error_ = 0;
};

struct SessionOptions {
  // Marks our own files, so that a registry is never mistaken for data; 0: none. A file with
  // another id is refused.
  int32_t application_id = 0;
  std::chrono::milliseconds busy_timeout = kBusyTimeoutMax;
};

// One connection to one SQLite file. Not thread-safe; one session a thread.
class Session {
 public:
  // Opens or creates a file of ours: write-ahead log, synchronous=FULL, foreign keys on.
  // kFailedPrecondition on a network file system, where the log's shared memory does not work, and
  // for a file that is not ours.
  static Result<Session> Open(const std::filesystem::path& path,
                              const SessionOptions& options = {});
  // Opens a file of ours that is there and that this process may not write, or not its folder: only
  // to read. Where the log's shared memory cannot be made, it is read without locks: what another
  // user changes meanwhile is not seen whole, so keep it short. kFailedPrecondition where the log
  // holds changes that cannot be read so.
  static Result<Session> OpenUnwritable(const std::filesystem::path& path,
                                        const SessionOptions& options = {});
  // Whether OpenUnwritable is what a file that is there needs.
  static bool IsUnwritable(const std::filesystem::path& path);
  // Opens somebody else's file, which is never changed. kNotFound when there is none.
  static Result<Session> OpenReadOnly(const std::filesystem::path& path,
                                      const SessionOptions& options = {});

  Session(Session&& other) noexcept;
  Session& operator=(Session&& other) noexcept;
  ~Session();

  // kInvalidArgument with SQLite's message and the place for SQL that does not parse, and for more
  // than one statement.
  Result<Statement> Prepare(std::string_view sql);
  // Runs one or several statements without parameters and rows.
  Status Execute(std::string_view sql);

  int64_t changes() const;
  Result<int32_t> ApplicationId();
  Result<int64_t> UserVersion();
  Status SetUserVersion(int64_t version);
  const std::filesystem::path& path() const { return path_; }

 private:
  friend class Statement;
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  Session(sqlite3* database, std::filesystem::path path);
  static Result<Session> OpenWith(const std::filesystem::path& path, int flags,
                                  const SessionOptions& options, std::string_view parameters = {});
  // Marks a new file as ours; refuses one that is somebody else's.
  Status Claim(int32_t application_id);
  Status UseWriteAheadLog(std::chrono::milliseconds timeout);
  Result<int64_t> Pragma(std::string_view name);
  bool HoldsNoStatement(std::string_view sql) const;  // blank, or only comments
  // The status of the database's last error.
  Status Error(int code, std::string_view doing) const;

  std::unique_ptr<sqlite3, Closer> database_;
  std::filesystem::path path_;
};

// BEGIN IMMEDIATE, so that writers queue at the start instead of failing in the middle. Rolled back
// on destruction unless committed. Nothing is durable before Commit has returned OK; then
// everything is.
class Transaction {
 public:
  static Result<Transaction> Begin(Session& session);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status Commit();

 private:
  explicit Transaction(Session* session) : session_(session) {}
  Session* session_;  // null when it has ended
};

}  // namespace penstock::sql
