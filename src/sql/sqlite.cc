// SPDX-License-Identifier: Apache-2.0
#include "sql/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <thread>
#include <utility>

#include "base/check.h"
#include "sql/file_system_kind.h"

namespace penstock::sql {
namespace {

// `system_error` is the errno under the failure or 0: an exhausted quota comes as an I/O error.
Code CodeOfSqlite(int code, int system_error) {
  if ((code & 0xff) == SQLITE_IOERR && system_error != 0) {
    const Code of_system = FromErrno(system_error, "").code();
    if (of_system != Code::kUnknown) return of_system;
  }
  if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
    return Code::kAlreadyExists;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kUnavailable;
    case SQLITE_NOTFOUND:
    case SQLITE_CANTOPEN:
      return Code::kNotFound;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Code::kPermissionDenied;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return Code::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
      return Code::kDataLoss;
    case SQLITE_CONSTRAINT:
      return Code::kFailedPrecondition;
    case SQLITE_INTERRUPT:
      return Code::kCancelled;
    case SQLITE_ERROR:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
      return Code::kInvalidArgument;
    default:
      return Code::kInternal;
  }
}

std::string_view Remedy(int code, Code kind) {
  if (kind == Code::kResourceExhausted)
    return "; free disk space and try again: nothing was changed";
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another process holds it locked: try again, or end that process";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return kind == Code::kNotFound ? "" : "; make the file and its folder writable";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "; it is damaged or not a SQLite file: restore it from a backup";
    default:
      return "";
  }
}

std::filesystem::path FolderOf(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

bool IsThereUnwritable(const std::filesystem::path& path) {
  return access(path.c_str(), F_OK) == 0 &&
         faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0;
}

bool IsFolderUnwritable(const std::filesystem::path& path) {
  return IsThereUnwritable(FolderOf(path));
}

// Of the path, so that SQLite opens exactly this file.
std::string UriOf(const std::filesystem::path& path, std::string_view parameters) {
  std::string uri = "file:";
  for (const char byte : std::filesystem::absolute(path).string()) {
    const bool is_special = byte == '?' || byte == '#' || byte == '%';
    uri += is_special ? fmt::format("%{:02X}", static_cast<unsigned>(byte)) : std::string(1, byte);
  }
  return uri.append(parameters);
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::Bind(int index, int64_t value) {
  bind_error_ |= sqlite3_bind_int64(statement_.get(), index + 1, value);
  return *this;
}

Statement& Statement::Bind(int index, double value) {
  bind_error_ |= sqlite3_bind_double(statement_.get(), index + 1, value);
  return *this;
}

Statement& Statement::Bind(int index, std::string_view text) {
  bind_error_ |= sqlite3_bind_text64(statement_.get(), index + 1, text.data(), text.size(),
                                     SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBlob(int index, std::string_view bytes) {
  bind_error_ |= sqlite3_bind_blob64(statement_.get(), index + 1, bytes.data(), bytes.size(),
                                     SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::BindNull(int index) {
  bind_error_ |= sqlite3_bind_null(statement_.get(), index + 1);
  return *this;
}

Result<bool> Statement::Step() {
  errno = 0;
  if (bind_error_ != 0) return session_->Error(bind_error_, "bind a parameter");
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return session_->Error(code, "run a statement");
}

Status Statement::Run() {
  const bool has_row = PENSTOCK_TRY(Step());
  PENSTOCK_CHECK(!has_row);
  Reset();
  return {};
}

void Statement::Reset() { sqlite3_reset(statement_.get()); }

int Statement::column_count() const { return sqlite3_column_count(statement_.get()); }

std::string Statement::column_name(int column) const {
  return sqlite3_column_name(statement_.get(), column);
}

std::string Statement::declared_type(int column) const {
  const char* type = sqlite3_column_decltype(statement_.get(), column);
  return type == nullptr ? "" : type;
}

Kind Statement::kind(int column) const {
  switch (sqlite3_column_type(statement_.get(), column)) {
    case SQLITE_INTEGER:
      return Kind::kInteger;
    case SQLITE_FLOAT:
      return Kind::kReal;
    case SQLITE_TEXT:
      return Kind::kText;
    case SQLITE_BLOB:
      return Kind::kBlob;
    default:
      return Kind::kNull;
  }
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

double Statement::Double(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string_view Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
  return text == nullptr ? std::string_view() : std::string_view(text, size);
}

std::string_view Statement::Blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
  return bytes == nullptr ? std::string_view() : std::string_view(bytes, size);
}

void Session::Closer::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Session::Session(sqlite3* database, std::filesystem::path path)
    : database_(database), path_(std::move(path)) {}
Session::Session(Session&& other) noexcept = default;
Session& Session::operator=(Session&& other) noexcept = default;
Session::~Session() = default;

Status Session::Error(int code, std::string_view doing) const {
  // sqlite3_system_errno knows the log's errors only on some paths.
  const int system_error = std::exchange(errno, 0);
  const std::string_view said = database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(code);
  const bool is_of_system = (code & 0xff) == SQLITE_IOERR && system_error != 0;
  const std::string why = is_of_system ? fmt::format(" ({})", std::strerror(system_error)) : "";
  Code kind = CodeOfSqlite(code, system_error);
  // SQLite tries to read what it may not write, so what the last call said is no reason.
  if ((code & 0xff) == SQLITE_CANTOPEN && IsFolderUnwritable(path_)) kind = Code::kPermissionDenied;
  return {kind, fmt::format("cannot {} in '{}': {}{}{}", doing, path_.string(), said, why,
                            Remedy(code, kind))};
}

bool Session::HoldsNoStatement(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  const Statement::Finalizer finalize;
  finalize(statement);
  return code == SQLITE_OK && statement == nullptr;
}

Result<Session> Session::OpenWith(const std::filesystem::path& path, int flags,
                                  const SessionOptions& options, std::string_view parameters) {
  const std::string name = parameters.empty() ? path.string() : UriOf(path, parameters);
  if (!parameters.empty()) flags |= SQLITE_OPEN_URI;
  errno = 0;
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &database,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Session session(database, path);
  if (code != SQLITE_OK) return session.Error(code, "open the database");
  sqlite3_busy_timeout(database, static_cast<int>(options.busy_timeout.count()));
  return session;
}

Result<Session> Session::Open(const std::filesystem::path& path, const SessionOptions& options) {
  const std::filesystem::path folder = FolderOf(path);
  const std::string_view network = NetworkFileSystemName(FileSystemMagic(folder));
  if (!network.empty()) {
    return FailedPrecondition(
        fmt::format("'{}' is on a network file system ({}), where SQLite's write-ahead log loses "
                    "data; set PENSTOCK_HOME to a folder on a local disk",
                    folder.string(), network));
  }
  Session session =
      PENSTOCK_TRY(OpenWith(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options));
  PENSTOCK_TRY(session.Claim(options.application_id));
  PENSTOCK_TRY(session.UseWriteAheadLog(options.busy_timeout));
  PENSTOCK_TRY(session.Execute("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"));
  return session;
}

Status Session::Claim(int32_t application_id) {
  if (application_id == 0 || PENSTOCK_TRY(ApplicationId()) == application_id) return {};
  // Several processes may make the file at once: look again under the lock.
  Transaction transaction = PENSTOCK_TRY(Transaction::Begin(*this));
  const int32_t found = PENSTOCK_TRY(ApplicationId());
  if (found == application_id) return {};
  if (found != 0 || PENSTOCK_TRY(Pragma("schema_version")) != 0) {
    return FailedPrecondition(
        fmt::format("'{}' is a SQLite file, but not one of Penstock's; move it away, or set "
                    "PENSTOCK_HOME to another folder",
                    path_.string()));
  }
  PENSTOCK_TRY(Execute(fmt::format("PRAGMA application_id={}", application_id)));
  return transaction.Commit();
}

Status Session::UseWriteAheadLog(std::chrono::milliseconds timeout) {
  // SQLite does not wait for the lock that this change needs, whatever the busy timeout says.
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    Status status = Execute("PRAGMA journal_mode=WAL");
    if (status.code() != Code::kUnavailable || std::chrono::steady_clock::now() >= deadline)
      return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

bool Session::IsUnwritable(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error) &&
         (IsThereUnwritable(path) || IsFolderUnwritable(path));
}

Result<Session> Session::OpenUnwritable(const std::filesystem::path& path,
                                        const SessionOptions& options) {
  Session session = PENSTOCK_TRY(OpenWith(path, SQLITE_OPEN_READONLY, options));
  Result<int32_t> id = session.ApplicationId();
  const Code code = id.status().code();
  if (!id.ok() && (code == Code::kPermissionDenied || code == Code::kNotFound)) {
    std::error_code error;
    const std::filesystem::path log = path.string() + "-wal";
    if (std::filesystem::file_size(log, error) > 0 && !error) {
      return FailedPrecondition(
          fmt::format("'{}' has changes in '{}', and its folder cannot be written, which SQLite "
                      "needs to read them; read it as a user who may write there",
                      path.string(), log.string()));
    }
    session = PENSTOCK_TRY(OpenWith(path, SQLITE_OPEN_READONLY, options, "?immutable=1"));
    id = session.ApplicationId();
  }
  const int32_t found = PENSTOCK_TRY(std::move(id));
  if (options.application_id == 0 || found == options.application_id) return session;
  return FailedPrecondition(
      fmt::format("'{}' is a SQLite file, but not one of Penstock's; set "
                  "PENSTOCK_HOME to another folder",
                  path.string()));
}

Result<Session> Session::OpenReadOnly(const std::filesystem::path& path,
                                      const SessionOptions& options) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return NotFound(
        fmt::format("there is no SQLite file '{}'", std::filesystem::absolute(path).string()));
  }
  return OpenWith(path, SQLITE_OPEN_READONLY, options);
}

Result<Statement> Session::Prepare(std::string_view sql) {
  if (sql.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return InvalidArgument(
        fmt::format("the SQL statement has {} bytes; fewer were expected", sql.size()));
  }
  errno = 0;
  sqlite3_stmt* prepared = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &prepared, &rest);
  if (code == SQLITE_OK && prepared == nullptr)
    return InvalidArgument("the SQL statement is empty");
  if (code == SQLITE_OK) {
    Statement statement(this, prepared);
    const auto end = static_cast<size_t>(rest - sql.data());
    if (!HoldsNoStatement(sql.substr(end))) {
      return InvalidArgument(fmt::format(
          "one SQL statement was expected, and another one begins at character {}: '{}'", end + 1,
          sql.substr(end, 24)));
    }
    return statement;
  }
  const int offset = sqlite3_error_offset(database_.get());
  const Status status = Error(code, "read the SQL");
  if (offset < 0) return status;
  return Status(status.code(),
                fmt::format("{} (at character {}: '{}')", status.message(), offset + 1,
                            sql.substr(static_cast<size_t>(offset), 24)));
}

Status Session::Execute(std::string_view sql) {
  errno = 0;
  const int code =
      sqlite3_exec(database_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : Error(code, "run a statement");
}

int64_t Session::changes() const { return sqlite3_changes64(database_.get()); }

Result<int64_t> Session::Pragma(std::string_view name) {
  Statement statement = PENSTOCK_TRY(Prepare(fmt::format("PRAGMA {}", name)));
  const bool has_row = PENSTOCK_TRY(statement.Step());
  return has_row ? statement.Int(0) : 0;
}

Result<int32_t> Session::ApplicationId() {
  return static_cast<int32_t>(PENSTOCK_TRY(Pragma("application_id")));
}

Result<int64_t> Session::UserVersion() { return Pragma("user_version"); }

Status Session::SetUserVersion(int64_t version) {
  return Execute(fmt::format("PRAGMA user_version={}", version));
}

Result<Transaction> Transaction::Begin(Session& session) {
  PENSTOCK_TRY(session.Execute("BEGIN IMMEDIATE"));
  return Transaction(&session);
}

Transaction::Transaction(Transaction&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)) {}

Transaction::~Transaction() {
  // A rollback can fail only when SQLite has rolled back already.
  if (session_ != nullptr) static_cast<void>(session_->Execute("ROLLBACK"));
}

Status Transaction::Commit() {
  PENSTOCK_CHECK(session_ != nullptr);
  PENSTOCK_TRY(session_->Execute("COMMIT"));
  session_ = nullptr;
  return {};
}

}  // namespace penstock::sql
