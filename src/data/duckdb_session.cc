// SPDX-License-Identifier: Apache-2.0
#include "data/duckdb_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/names.h"
#include "data/duckdb_errors.h"
#include "table/cells.h"

namespace penstock::data {
namespace {

namespace fs = std::filesystem;

std::string Quoted(std::string_view text, char quote = '\'') {
  std::string quoted(1, quote);
  for (const char c : text) {
    quoted += c;
    if (c == quote) quoted += c;
  }
  return quoted + quote;
}

std::string_view FunctionOf(FileFormat format) {
  switch (format) {
    case FileFormat::kCsv:
      return "read_csv";
    case FileFormat::kParquet:
      return "read_parquet";
    case FileFormat::kJson:
      return "read_json";
  }
  return "";
}

// The path as a pattern that matches only itself.
std::string Escaped(std::string_view path) {
  std::string pattern;
  for (const char c : path)
    pattern += IsPattern({&c, 1}) ? fmt::format("[{}]", c) : std::string(1, c);
  return pattern;
}

Status NoSuchFile(const fs::path& path) {
  std::vector<std::string> names;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  std::ranges::sort(names);
  return NotFound(fmt::format("there is no file '{}' (working directory '{}').{}", path.string(),
                              fs::current_path(error).string(),
                              DidYouMean(path.filename().string(), names)));
}

// Refuses what DuckDB would tell less well, and returns the pattern for it.
Result<std::string> CheckedPattern(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    if (IsPattern(path)) return path;
    return NoSuchFile(path);
  }
  if (error) return FromErrno(error.value(), fmt::format("cannot read '{}'", path));
  if (status.type() == fs::file_type::directory) return IsADirectory(path);
  if (access(path.c_str(), R_OK) != 0)
    return FromErrno(errno, fmt::format("cannot read '{}'", path));
  if (status.type() == fs::file_type::regular && fs::file_size(path, error) == 0 && !error)
    return InvalidArgument(fmt::format("'{}' is empty; a header or rows were expected", path));
  return Escaped(path);
}

}  // namespace

DuckdbSession::DuckdbSession(std::shared_ptr<const DuckdbLibrary> library)
    : library_(std::move(library)),
      database_(library_->close),
      connection_(library_->disconnect),
      statement_(library_->destroy_prepare) {}

DuckdbSession::~DuckdbSession() { library_->destroy_result(&result_); }

Status DuckdbSession::Open(const FileUri& uri) {
  PENSTOCK_TRY(OpenDatabase(uri.database));
  const std::string query = PENSTOCK_TRY(QueryOf(uri));
  PENSTOCK_TRY(Prepare(query));
  columns_ = PENSTOCK_TRY(ColumnsOf(*library_, statement_.get()));
  const std::string with_casts = WithCasts(query, columns_);
  return with_casts == query ? Status() : Prepare(with_casts);
}

Status DuckdbSession::OpenDatabase(const std::string& path) {
  DuckdbHandle<duckdb_config> config(library_->destroy_config);
  if (library_->create_config(config.out()) == DuckDBError)
    return ResourceExhausted("memory is short for opening DuckDB");
  std::error_code error;
  const fs::path spill =
      fs::temp_directory_path(error) / fmt::format("penstock-{}-{}", getpid(), fmt::ptr(this));
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
      {"allow_persistent_secrets", "false"},
      {"enable_external_file_cache", "false"},  // each file is read once
      {"temp_directory", spill.string()},
      {"access_mode", path.empty() ? "AUTOMATIC" : "READ_ONLY"},
  };
  for (const auto& [name, value] : settings) {
    if (library_->set_config(config.get(), name.c_str(), value.c_str()) == DuckDBError)
      return FailedPrecondition(
          fmt::format("this DuckDB, {}, has no setting '{}'; version 1.5 was expected",
                      library_->library_version(), name));
  }
  if (!path.empty()) PENSTOCK_TRY(CheckedPattern(path));
  char* message = nullptr;
  const duckdb_state state = library_->open_ext(path.empty() ? nullptr : path.c_str(),
                                                database_.out(), config.get(), &message);
  const std::string told = message == nullptr ? "" : message;
  library_->free(message);
  if (state == DuckDBError)
    return FromDuckdb(told).Prefixed(path.empty() ? "DuckDB did not start" : "'" + path + "'");
  if (library_->connect(database_.get(), connection_.out()) == DuckDBError)
    return ResourceExhausted("memory is short for opening DuckDB");
  interruptible_ = connection_.get();
  // With the lock, no query of the user's can undo the settings.
  return Run("SET lock_configuration = true");
}

Status DuckdbSession::Run(const std::string& sql) {
  duckdb_result result{};
  const duckdb_state state = library_->query(connection_.get(), sql.c_str(), &result);
  const char* error = library_->result_error(&result);
  const Status status = state == DuckDBError ? FromDuckdb(error == nullptr ? "" : error) : Status();
  library_->destroy_result(&result);
  return status;
}

// The rows of a small result in which every column is text.
Result<std::vector<std::vector<std::string>>> DuckdbSession::Texts(const std::string& sql) {
  PENSTOCK_TRY(Prepare(sql));
  const std::vector<DuckdbColumn> columns = PENSTOCK_TRY(ColumnsOf(*library_, statement_.get()));
  std::vector<table::Field> fields;
  for (const DuckdbColumn& column : columns) fields.push_back(column.field);
  PENSTOCK_TRY(Execute());
  std::vector<std::vector<std::string>> rows;
  while (true) {
    const DuckdbHandle<duckdb_data_chunk> chunk = PENSTOCK_TRY(Fetch());
    if (chunk.get() == nullptr) return rows;
    const auto count = static_cast<int64_t>(library_->data_chunk_get_size(chunk.get()));
    table::BatchBuilder builder(fields);
    AppendRows(*library_, chunk.get(), 0, count, builder);
    const table::Batch batch = PENSTOCK_TRY(builder.Finish());
    for (int64_t row = 0; row < count; ++row) {
      std::vector<std::string>& texts = rows.emplace_back();
      for (size_t i = 0; i < fields.size(); ++i)
        texts.push_back(std::get<std::string>(
            table::CellAt(batch, fields[i].type, static_cast<int64_t>(i), row)));
    }
  }
}

Result<std::string> DuckdbSession::OptionText(std::string_view function, const std::string& name,
                                              const std::string& value) {
  const auto known = PENSTOCK_TRY(Texts(
      fmt::format("SELECT DISTINCT name, type FROM (SELECT unnest(parameters) AS name, "
                  "unnest(parameter_types) AS type FROM duckdb_functions() WHERE function_name = "
                  "'{}') WHERE name <> 'col0' ORDER BY name",
                  function)));
  std::vector<std::string> names;
  for (const std::vector<std::string>& option : known) {
    names.push_back(option[0]);
    if (option[0] != name) continue;
    const bool is_list = option[1].ends_with("[]");
    const bool is_any = option[1] == "ANY";
    const bool is_literal =
        (is_list || is_any) && (value.starts_with('[') || value.starts_with('{'));
    const bool is_bool = is_any && (value == "true" || value == "false");
    if (is_literal || is_bool) return fmt::format("{} = {}", name, value);
    return is_list ? fmt::format("{} = [{}]", name, Quoted(value))
                   : fmt::format("{} = {}", name, Quoted(value));
  }
  return InvalidArgument(
      fmt::format("the source has the option '{}', which DuckDB's {} does not "
                  "have; it has {}.{}",
                  name, function, QuotedList(names), DidYouMean(name, names)));
}

Result<std::string> DuckdbSession::ScanOf(const FileUri& uri) {
  const std::string_view function = FunctionOf(uri.format);
  std::string arguments = Quoted(PENSTOCK_TRY(CheckedPattern(uri.path)));
  for (const auto& [name, value] : uri.options)
    arguments += ", " + PENSTOCK_TRY(OptionText(function, name, value));
  return fmt::format("SELECT * FROM {}({})", function, arguments);
}

Result<std::string> DuckdbSession::TableQuery(const FileUri& uri) {
  const auto tables = PENSTOCK_TRY(
      Texts("SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = "
            "current_database() ORDER BY table_name"));
  std::vector<std::string> names;
  for (const std::vector<std::string>& table : tables) {
    const std::string name = table[0] == "main" ? table[1] : table[0] + "." + table[1];
    if (name == uri.table)
      return fmt::format("SELECT * FROM {}.{}", Quoted(table[0], '"'), Quoted(table[1], '"'));
    names.push_back(name);
  }
  return NotFound(fmt::format("'{}' has no table or view '{}'; it has {}.{}", uri.database,
                              uri.table, names.empty() ? "none at all" : QuotedList(names),
                              DidYouMean(uri.table, names)));
}

Result<std::string> DuckdbSession::QueryOf(const FileUri& uri) {
  if (!uri.table.empty()) return TableQuery(uri);
  if (uri.path.empty()) return uri.query;
  std::string scan = PENSTOCK_TRY(ScanOf(uri));
  if (uri.query.empty()) return scan;
  // What an option's value smuggled in is refused here: Run would run any statement.
  PENSTOCK_TRY(Prepare(scan));
  PENSTOCK_TRY(Run(fmt::format("CREATE TEMP VIEW {} AS {}", kFilesView, scan)));
  return uri.query;
}

Status DuckdbSession::Prepare(const std::string& query) {
  DuckdbHandle<duckdb_extracted_statements> extracted(library_->destroy_extracted);
  const idx_t count =
      library_->extract_statements(connection_.get(), query.c_str(), extracted.out());
  if (count == 0) {
    const char* error = library_->extract_statements_error(extracted.get());
    return FromDuckdb(error == nullptr ? "Parser Error: there is no statement" : error);
  }
  if (count > 1)
    return InvalidArgument(
        fmt::format("the query has {} statements; one that only reads was expected", count));
  DuckdbHandle<duckdb_prepared_statement> statement(library_->destroy_prepare);
  if (library_->prepare_extracted_statement(connection_.get(), extracted.get(), 0,
                                            statement.out()) == DuckDBError) {
    const char* error = library_->prepare_error(statement.get());
    return FromDuckdb(error == nullptr ? "" : error);
  }
  if (library_->prepared_statement_type(statement.get()) != DUCKDB_STATEMENT_TYPE_SELECT)
    return InvalidArgument("the query is not one that only reads; expected SELECT ...");
  if (library_->nparams(statement.get()) > 0)
    return InvalidArgument(
        "the query has parameters ('?' or '$1'), which a source has no values for");
  statement_ = std::move(statement);
  return {};
}

Status DuckdbSession::Execute() {
  library_->destroy_result(&result_);
  DuckdbHandle<duckdb_pending_result> pending(library_->destroy_pending);
  if (library_->pending_prepared_streaming(statement_.get(), pending.out()) == DuckDBError) {
    const char* error = library_->pending_error(pending.get());
    return FromDuckdb(error == nullptr ? "" : error);
  }
  if (library_->execute_pending(pending.get(), &result_) == DuckDBError) {
    const char* error = library_->result_error(&result_);
    return FromDuckdb(error == nullptr ? "" : error);
  }
  return {};
}

Result<DuckdbHandle<duckdb_data_chunk>> DuckdbSession::Fetch() {
  DuckdbHandle<duckdb_data_chunk> chunk(library_->destroy_data_chunk);
  *chunk.out() = library_->fetch_chunk(result_);
  if (chunk.get() != nullptr) return chunk;
  // A result that failed ends like one that is complete.
  const char* error = library_->result_error(&result_);
  if (error == nullptr || *error == '\0') return chunk;
  Status status = FromDuckdb(error);
  return status.code() == Code::kCancelled && !is_interrupted_ ? AskAgain() : status;
}

// Where one of DuckDB's threads fails, rarely what another one says wins: that it was stopped. The
// reason is worth the time of a second run.
Status DuckdbSession::AskAgain() {
  PENSTOCK_TRY(Execute());
  DuckdbHandle<duckdb_data_chunk> chunk(library_->destroy_data_chunk);
  do {
    library_->destroy_data_chunk(chunk.out());
    *chunk.out() = library_->fetch_chunk(result_);
  } while (chunk.get() != nullptr);
  const char* error = library_->result_error(&result_);
  Status status = FromDuckdb(error == nullptr ? "" : error);
  if (status.code() != Code::kCancelled && !status.message().empty()) return status;
  return {Code::kAborted, "DuckDB stopped in the middle and did not say why; read it again"};
}

void DuckdbSession::Interrupt() {
  is_interrupted_ = true;
  if (duckdb_connection connection = interruptible_) library_->interrupt(connection);
}

}  // namespace penstock::data
