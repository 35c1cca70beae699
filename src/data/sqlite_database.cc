// SPDX-License-Identifier: Apache-2.0
#include "data/sqlite_database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/names.h"
#include "data/sqlite_uri.h"
#include "sql/application_id.h"
#include "sql/file_system_kind.h"

namespace penstock::data {
namespace {

// The header of a SQLite file (https://www.sqlite.org/fileformat.html section 1.3).
constexpr size_t kHeaderBytes = 100;
constexpr size_t kWriteVersionAt = 18;
constexpr char kWalVersion = 2;
constexpr size_t kExcerptBytesMax = 24;

// Of the path, so that SQLite opens exactly this file.
std::string FileUri(const std::string& path, std::string_view parameters) {
  std::string uri = "file:";
  for (const char byte : std::filesystem::absolute(path).string()) {
    const bool is_special = byte == '?' || byte == '#' || byte == '%';
    uri += is_special ? fmt::format("%{:02X}", static_cast<unsigned>(byte)) : std::string(1, byte);
  }
  return uri.append(parameters);
}

Status CheckFile(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return NotFound(fmt::format(
          "there is no database '{}' (looked for '{}'); check the path: a relative one begins in "
          "the working directory, an absolute one has four slashes, sqlite:////",
          path, std::filesystem::absolute(path).string()));
    }
    return FromErrno(errno, fmt::format("cannot look at the database '{}'", path));
  }
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument(fmt::format("'{}' is not a file; name a SQLite database", path));
  }
  if (access(path.c_str(), R_OK) != 0) {
    return FromErrno(errno, fmt::format("cannot read the database '{}'", path));
  }
  return {};
}

std::string Quoted(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

// What follows "no such table: " in SQLite's message; empty when it says something else.
std::string Missing(std::string_view message, std::string_view what) {
  return message.starts_with(what) ? std::string(message.substr(what.size())) : "";
}

bool IsWal(std::string_view header) {
  return header.size() == kHeaderBytes && header[kWriteVersionAt] == kWalVersion;
}

std::string HeaderOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string header(kHeaderBytes, '\0');
  file.read(header.data(), kHeaderBytes);
  header.resize(static_cast<size_t>(file.gcount()));
  return header;
}

// The last part of "t.column".
std::string LastPart(const std::string& name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

void CloseDatabase::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void FinalizeStatement::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Status CheckLogIsLocal(const std::string& path, std::string_view header,
                       int64_t file_system_magic) {
  const std::string_view name = sql::NetworkFileSystemName(file_system_magic);
  if (name.empty() || !IsWal(header)) return {};
  return FailedPrecondition(fmt::format(
      "the database '{}' is in WAL mode on {}, where a reader may miss rows that another "
      "machine writes; copy it to a local disk, or end WAL mode with PRAGMA "
      "journal_mode=DELETE",
      path, name));
}

Result<SqliteDatabase> SqliteDatabase::Open(const std::string& path) {
  PENSTOCK_TRY(CheckFile(path));
  PENSTOCK_TRY(CheckLogIsLocal(path, HeaderOf(path), sql::FileSystemMagic(path)));
  SqliteDatabase database;
  database.path_ = path;
  PENSTOCK_TRY(database.OpenAs(FileUri(path, "")));
  const Status begun = database.Begin();
  if (!begun.ok()) PENSTOCK_TRY(database.BeginWithoutLocks(begun));
  PENSTOCK_TRY(database.RefuseRegistry());
  return database;
}

Status SqliteDatabase::OpenAs(const std::string& file_uri) {
  sqlite3* database = nullptr;
  const int flags =
      SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file_uri.c_str(), &database, flags, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) return StatusOf(code);
  sqlite3_busy_timeout(database, kBusyMsMax);
  // "typo" must be a missing column, not the text 'typo'; and a file from elsewhere must not run
  // what it likes.
  sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return {};
}

// One transaction from the first look at the schema on: columns cannot change between planning and
// reading.
Status SqliteDatabase::Begin() {
  const int code = sqlite3_exec(database_.get(), "BEGIN; SELECT count(*) FROM sqlite_schema",
                                nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : StatusOf(code);
}

Result<SqliteDatabase::FileState> SqliteDatabase::StateOf(const std::string& path) {
  FileState state;
  struct stat info{};
  if (stat(path.c_str(), &info) != 0)
    return FromErrno(errno, fmt::format("cannot look at the database '{}'", path));
  state.size = info.st_size;
  state.modified_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  state.header = HeaderOf(path);
  return state;
}

Status SqliteDatabase::BeginWithoutLocks(const Status& refused) {
  const int primary = sqlite3_extended_errcode(database_.get()) & 0xFF;
  if (primary != SQLITE_CANTOPEN && primary != SQLITE_READONLY) return refused;
  FileState state = PENSTOCK_TRY(StateOf(path_));
  if (!IsWal(state.header)) return refused;
  std::error_code error;
  const std::string log = path_ + "-wal";
  const auto log_bytes = std::filesystem::file_size(log, error);
  if (!error && log_bytes > 0) {
    return FailedPrecondition(fmt::format(
        "the database '{}' is in WAL mode with changes in '{}', and its folder cannot be "
        "written, which SQLite needs to read them; copy both files to a folder that can "
        "be written",
        path_, log));
  }
  without_locks_ = std::make_unique<FileState>(std::move(state));
  PENSTOCK_TRY(OpenAs(FileUri(path_, "?immutable=1")));
  return Begin();
}

Status SqliteDatabase::CheckUnchanged() const {
  if (!without_locks_) return {};
  std::error_code error;
  const auto log_bytes = std::filesystem::file_size(path_ + "-wal", error);
  const bool has_log = !error && log_bytes > 0;
  if (!has_log && PENSTOCK_TRY(StateOf(path_)) == *without_locks_) return {};
  return Unavailable(fmt::format(
      "the database '{}' was written to while it was read without locks, since its folder "
      "cannot be written; read it again",
      path_));
}

Status SqliteDatabase::RefuseRegistry() {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v2(database_.get(), "PRAGMA application_id", -1, &statement, nullptr);
  const StatementHandle handle(statement);
  if (code != SQLITE_OK) return StatusOf(code);
  if (sqlite3_step(statement) != SQLITE_ROW)
    return StatusOf(sqlite3_extended_errcode(database_.get()));
  if (sqlite3_column_int(statement, 0) != sql::kRegistryApplicationId) return {};
  return FailedPrecondition(fmt::format(
      "'{}' is Penstock's own registry, which is not a source of data; 'penstock models "
      "list' shows what is in it",
      path_));
}

Result<std::vector<std::string>> SqliteDatabase::Names(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  const StatementHandle handle(statement);
  std::vector<std::string> names;
  if (code != SQLITE_OK) return StatusOf(code);
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    const auto* name = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    if (name != nullptr) names.emplace_back(name);
  }
  if (code != SQLITE_DONE) return StatusOf(code);
  return names;
}

Result<std::vector<std::string>> SqliteDatabase::Tables() {
  return Names(
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE "
      "'sqlite\\_%' ESCAPE '\\' "
      "ORDER BY name");
}

Result<StatementHandle> SqliteDatabase::PrepareTable(const std::string& table) {
  sqlite3_stmt* statement = nullptr;
  const std::string sql = "SELECT * FROM " + Quoted(table);
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  StatementHandle handle(statement);
  if (code == SQLITE_OK) return handle;
  const std::string missing = Missing(sqlite3_errmsg(database_.get()), "no such table: ");
  if (missing != table) return StatusOf(code);
  const std::vector<std::string> tables = PENSTOCK_TRY(Tables());
  if (tables.empty()) {
    return NotFound(
        fmt::format("the database '{}' has no table '{}'; it has no tables at all: check the path",
                    path_, table));
  }
  return NotFound(fmt::format("the database '{}' has no table '{}'; it has {}.{}", path_, table,
                              QuotedList(tables), DidYouMean(table, tables)));
}

Status SqliteDatabase::ExplainQuery(const std::string& query, int code) {
  if ((code & 0xFF) != SQLITE_ERROR) return StatusOf(code);
  const std::string message = sqlite3_errmsg(database_.get());
  const int offset = sqlite3_error_offset(database_.get());
  std::string place;
  if (offset >= 0 && static_cast<size_t>(offset) <= query.size()) {
    const std::string excerpt = query.substr(static_cast<size_t>(offset), kExcerptBytesMax);
    place = fmt::format(", at character {}{}", offset + 1,
                        excerpt.empty() ? "" : fmt::format(" (`{}`)", excerpt));
  }
  std::string remedy = "; correct the SQL after ?query=";
  if (const std::string table = Missing(message, "no such table: "); !table.empty()) {
    const std::vector<std::string> tables = PENSTOCK_TRY(Tables());
    remedy = tables.empty() ? "; it has no tables at all: check the path"
                            : fmt::format("; it has {}.{}", QuotedList(tables),
                                          DidYouMean(LastPart(table), tables));
  } else if (const std::string column = Missing(message, "no such column: "); !column.empty()) {
    const std::vector<std::string> columns = PENSTOCK_TRY(
        Names("SELECT DISTINCT c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
              "WHERE t.type IN ('table', 'view') ORDER BY c.name"));
    remedy = fmt::format("; correct the name, or put text in single quotes.{}",
                         DidYouMean(LastPart(column), columns));
  }
  return InvalidArgument(
      fmt::format("the query on '{}' does not work: {}{}{}", path_, message, place, remedy));
}

Result<StatementHandle> SqliteDatabase::PrepareQuery(const std::string& query) {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), query.data(), static_cast<int>(query.size()),
                                      &statement, &tail);
  StatementHandle handle(statement);
  if (code != SQLITE_OK) return ExplainQuery(query, code);
  if (statement == nullptr) {
    return InvalidArgument(
        fmt::format("the query on '{}' is only a comment; expected ?query=SELECT ...", path_));
  }
  const std::string_view rest(tail, static_cast<size_t>(query.data() + query.size() - tail));
  sqlite3_stmt* second = nullptr;
  const int rest_code = sqlite3_prepare_v2(database_.get(), rest.data(),
                                           static_cast<int>(rest.size()), &second, nullptr);
  const StatementHandle second_handle(second);
  if (rest_code != SQLITE_OK || second != nullptr) {
    return InvalidArgument(
        fmt::format("the query on '{}' holds more than one statement; give one SELECT", path_));
  }
  if (sqlite3_stmt_readonly(statement) == 0 || sqlite3_column_count(statement) == 0) {
    return InvalidArgument(
        fmt::format("the query on '{}' does not only read rows; give a SELECT", path_));
  }
  if (sqlite3_bind_parameter_count(statement) > 0) {
    const char* name = sqlite3_bind_parameter_name(statement, 1);
    return InvalidArgument(fmt::format(
        "the query on '{}' has the parameter '{}', which nothing fills; write the value "
        "into the query",
        path_, name == nullptr ? "?" : name));
  }
  return handle;
}

Status SqliteDatabase::StatusOf(int code) const {
  const char* said = database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(code);
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
      return InvalidArgument(fmt::format(
          "'{}' is not a SQLite database (or an encrypted one); check the path", path_));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      if (code == SQLITE_BUSY_RECOVERY) break;
      return Unavailable(fmt::format(
          "the database '{}' was locked by another process for {} s; end its transaction, then "
          "read again",
          path_, kBusyMsMax / 1000));
    case SQLITE_CORRUPT:
      return DataLoss(fmt::format(
          "the database '{}' is damaged: {}; restore it from a backup, or try the command "
          "'.recover' of the sqlite3 shell",
          path_, said));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return FailedPrecondition(fmt::format(
          "the database '{}' cannot be read without a recovery: {}; open it once with a "
          "program that may write to it and to its folder",
          path_, said));
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return ResourceExhausted(fmt::format(
          "the database '{}' cannot be read: {}; read fewer columns or rows", path_, said));
    case SQLITE_INTERRUPT:
      return {Code::kCancelled, fmt::format("reading the database '{}' was ended", path_)};
    case SQLITE_ERROR:
      return InvalidArgument(
          fmt::format("the database '{}' answered: {}; correct the query", path_, said));
    case SQLITE_IOERR:
      return DataLoss(
          fmt::format("the database '{}' cannot be read: {}; check the disk", path_, said));
    default:
      break;
  }
  return Unavailable(
      fmt::format("the database '{}' cannot be read: {} (code {}); try again", path_, said, code));
}

}  // namespace penstock::data
