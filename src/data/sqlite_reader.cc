// SPDX-License-Identifier: Apache-2.0
#include "data/sqlite_reader.h"

#include <fmt/format.h>
#include <poll.h>
#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/names.h"
#include "data/sqlite_columns.h"
#include "data/sqlite_database.h"
#include "data/sqlite_uri.h"
#include "table/ipc.h"

namespace penstock::data {
namespace {

// The first rows, which decide the types that no declaration decides.
constexpr size_t kSampleRowsMax = table::kBatchRowsMax;
constexpr size_t kSampleValuesMax = 4'000'000;
constexpr int64_t kSampleBytesMax = table::kBatchBytesMax;
constexpr int kStepsBetweenLooks = 100'000;

struct FreeValue {
  void operator()(sqlite3_value* value) const { sqlite3_value_free(value); }
};
using ValueCopy = std::unique_ptr<sqlite3_value, FreeValue>;

// Ends a query that gives no rows for a long time.
int EndsWithItsReader(void* descriptor) {
  return IsReaderGone(*static_cast<int*>(descriptor)) ? 1 : 0;
}

// Moves the rows of one statement into a stream.
class RowMover {
 public:
  RowMover(SqliteDatabase& database, sqlite3_stmt* statement, int descriptor)
      : database_(database), statement_(statement), descriptor_(descriptor) {}

  Status Run() {
    columns_ = PENSTOCK_TRY(ColumnsOf(statement_));
    PENSTOCK_TRY(TakeSample());
    std::vector<table::Field> fields;
    for (const SqliteColumn& column : columns_)
      fields.push_back({.name = column.name, .type = *column.type});
    builder_.emplace(fields);
    writer_.emplace(PENSTOCK_TRY(table::IpcWriter::Open(descriptor_, fields)));
    PENSTOCK_TRY(MoveSample());
    while (PENSTOCK_TRY(Step())) PENSTOCK_TRY(MoveRow());
    if (builder_->rows() > 0) PENSTOCK_TRY(WriteBatch());
    PENSTOCK_TRY(database_.CheckUnchanged());
    return writer_->Finish();
  }

 private:
  Result<bool> Step() {
    if (is_at_end_) return false;
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) return database_.StatusOf(code);
    is_at_end_ = true;
    return false;
  }

  Status TakeSample() {
    bool needs_sample = false;
    for (const SqliteColumn& column : columns_) needs_sample = needs_sample || !column.type;
    if (!needs_sample) return {};
    int64_t bytes = 0;
    const size_t rows_max =
        std::min(kSampleRowsMax, std::max<size_t>(1, kSampleValuesMax / columns_.size()));
    for (size_t row = 0; row < rows_max && bytes < kSampleBytesMax && PENSTOCK_TRY(Step()); ++row) {
      for (size_t i = 0; i < columns_.size(); ++i) {
        ValueCopy copy(sqlite3_value_dup(sqlite3_column_value(statement_, static_cast<int>(i))));
        if (!copy)
          return ResourceExhausted("memory is short for the first rows; read fewer columns");
        const int kind = sqlite3_value_type(copy.get());
        if (kind == SQLITE_TEXT || kind == SQLITE_BLOB) bytes += sqlite3_value_bytes(copy.get());
        sample_.push_back(std::move(copy));
      }
    }
    DecideTypes();
    return {};
  }

  void DecideTypes() {
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].type) continue;
      std::vector<int> kinds;
      for (size_t at = i; at < sample_.size(); at += columns_.size())
        kinds.push_back(sqlite3_value_type(sample_[at].get()));
      columns_[i].type = TypeOfValues(columns_[i].declared, kinds);
    }
  }

  Status MoveSample() {
    for (size_t at = 0; at < sample_.size(); at += columns_.size()) {
      ++row_;
      for (size_t i = 0; i < columns_.size(); ++i) {
        PENSTOCK_TRY(Append(columns_[i], i, row_, sample_[at + i].get(), *builder_));
      }
      PENSTOCK_TRY(EndRow());
    }
    sample_.clear();
    sample_.shrink_to_fit();
    return {};
  }

  Status MoveRow() {
    ++row_;
    for (size_t i = 0; i < columns_.size(); ++i) {
      sqlite3_value* value = sqlite3_column_value(statement_, static_cast<int>(i));
      PENSTOCK_TRY(Append(columns_[i], i, row_, value, *builder_));
    }
    return EndRow();
  }

  Status EndRow() {
    builder_->EndRow();
    return builder_->is_full() ? WriteBatch() : Status();
  }

  Status WriteBatch() { return writer_->Write(PENSTOCK_TRY(builder_->Finish())); }

  SqliteDatabase& database_;
  sqlite3_stmt* statement_;
  int descriptor_;
  std::vector<SqliteColumn> columns_;
  std::vector<ValueCopy> sample_;  // row by row
  std::optional<table::BatchBuilder> builder_;
  std::optional<table::IpcWriter> writer_;
  int64_t row_ = 0;
  bool is_at_end_ = false;
};

Status NoTable(SqliteDatabase& database, const SqliteUri& uri) {
  const std::vector<std::string> tables = PENSTOCK_TRY(database.Tables());
  return InvalidArgument(fmt::format(
      "the source sqlite:///{} names no table; add #TABLE or ?query=SELECT ...; it has {}",
      uri.path, tables.empty() ? "no tables at all" : QuotedList(tables)));
}

}  // namespace

bool IsReaderGone(int descriptor) {
  pollfd entry{.fd = descriptor, .events = 0, .revents = 0};
  return poll(&entry, 1, 0) > 0 && (entry.revents & POLLERR) != 0;
}

Status WriteSqlite(std::string_view uri, int descriptor) {
  const SqliteUri source = PENSTOCK_TRY(ParseSqliteUri(uri));
  SqliteDatabase database = PENSTOCK_TRY(SqliteDatabase::Open(source.path));
  sqlite3_progress_handler(database.handle(), kStepsBetweenLooks, EndsWithItsReader, &descriptor);
  if (source.table.empty() && source.query.empty()) return NoTable(database, source);
  const StatementHandle statement = source.query.empty()
                                        ? PENSTOCK_TRY(database.PrepareTable(source.table))
                                        : PENSTOCK_TRY(database.PrepareQuery(source.query));
  return RowMover(database, statement.get(), descriptor).Run();
}

}  // namespace penstock::data
