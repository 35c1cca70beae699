// SPDX-License-Identifier: Apache-2.0
#include "protocol/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/names.h"
#include "package/features.h"
#include "protocol/json_cursor.h"

namespace penstock::protocol {
namespace {

constexpr std::string_view kMember = "features";

enum class Shape { kRecords, kRows, kRecord, kColumns };

std::string_view KindOf(char start) {
  switch (start) {
    case '{':
      return "an object";
    case '[':
      return "a list";
    case '"':
      return "a string";
    case 't':
    case 'f':
      return "a boolean";
    case 'n':
      return "null";
    default:
      return "a number";
  }
}

// To a member that nobody knows; to the object that holds it where its name is too long to be
// shown.
std::string UnknownPointer(std::string pointer, std::string_view name) {
  if (name.size() <= kShownNameBytesMax) AppendPointerToken(pointer, name);
  return pointer;
}

// One pass over one body. Every Read returns false after it has set the problem.
class Decoder {
 public:
  Decoder(std::string_view body, const serve::Snapshot& snapshot, const FeatureLimits& limits,
          serve::Workspace& workspace, int64_t first_row)
      : body_(body),
        cursor_(body),
        snapshot_(snapshot),
        columns_(snapshot.columns()),
        limits_(limits),
        first_row_(first_row),
        input_(workspace.input),
        order_(workspace.column_order) {}

  std::optional<Problem> Decode() {
    if (!ReadBody()) return std::move(problem_);
    return std::nullopt;
  }

 private:
  bool ReadBody();
  bool ReadTopMembers();
  bool ReadFeatures();
  bool ReadList();
  bool ReadRow(int64_t row);
  bool ReadRecord(int64_t row);
  bool ReadRecordInNewOrder(int64_t row, size_t known);
  bool FinishRecord(int64_t row, std::vector<int> order);
  bool ReadObject();
  bool ReadColumns();
  bool ReadColumn(int column, int64_t& rows, int first_column);
  bool ReadCell(int64_t row, int column);
  // Out of the way of the quick path's registers.
  [[gnu::noinline]] bool ReadOtherCell(int64_t row, int column);
  bool ReadNumberCell(int64_t row, int column);
  bool ReadStringCell(int64_t row, int column);
  bool FindNewColumn(std::string_view name, int64_t row, int& column);
  bool ReserveRow(int64_t row);
  bool GrowTo(int64_t row);
  bool TooManyRows(int64_t rows_max);
  // No body holds more: a value takes a byte, and one to part it from the next.
  int64_t rows_in_body() const {
    return static_cast<int64_t>(body_.size() / (2 * columns_.size()));
  }
  void SetRows(int64_t rows) {
    if (input_.rows() != first_row_ + rows) input_.Resize(first_row_ + rows);
  }

  bool Refuse(int http_status, std::string detail) {
    problem_ = {.http_status = http_status, .detail = std::move(detail)};
    return false;
  }
  // 400: what stands at the cursor is not JSON, or too deep to tell.
  bool Malformed();
  bool Expect(bool is_met, const char* fault) {
    return is_met || (cursor_.Fail(fault), Malformed());
  }
  // 422, unless the body turns out not to be JSON at all further on.
  bool Misfit(const Status& status, std::string pointer);
  [[gnu::noinline]] bool MisfitCell(const Status& status, int64_t row, int column) {
    return Misfit(status, CellPointer(row, column));
  }
  // To what holds the cells: a row, or the one object.
  std::string RowPointer(int64_t row) const;
  std::string CellPointer(int64_t row, int column) const;

  std::string_view body_;
  JsonCursor cursor_;
  const serve::Snapshot& snapshot_;
  const package::Columns& columns_;
  const FeatureLimits& limits_;
  int64_t first_row_;
  package::Tensors& input_;
  std::vector<int>& order_;
  Shape shape_ = Shape::kRecords;
  std::string scratch_;
  std::vector<bool> is_given_;
  std::optional<Problem> problem_;
};

inline bool Decoder::ReadCell(int64_t row, int column) {
  cursor_.SkipSpace();
  if (double value = 0; cursor_.ReadQuickNumber(value)) [[likely]] {
    // Also for integers: within 2^53 the two setters are the same.
    const Status status = input_.SetNumber(first_row_ + row, column, value);
    return status.ok() || MisfitCell(status, row, column);
  }
  return ReadOtherCell(row, column);
}

bool Decoder::ReadBody() {
  const char start = cursor_.Peek();
  if (start != '{') {
    if (body_.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      return Refuse(400,
                    "the body is empty; a JSON object with the member 'features' was expected");
    }
    return Misfit(InvalidArgument(fmt::format(
                      "the body is {}; an object with the one member 'features' was expected",
                      KindOf(start))),
                  "");
  }
  cursor_.Take('{');
  if (!ReadTopMembers()) return false;
  return Expect(cursor_.is_at_end(), "nothing more was expected after the end of the object");
}

bool Decoder::ReadTopMembers() {
  if (cursor_.Take('}')) {
    return Misfit(InvalidArgument("member 'features' is missing; it holds the rows to answer"), "");
  }
  bool has_features = false;
  do {
    std::string_view key;
    if (!cursor_.ReadKey(key, scratch_)) return Malformed();
    if (key != kMember) {
      const std::array<std::string, 1> known = {std::string(kMember)};
      return Misfit(InvalidArgument(fmt::format(
                        "member '{}' is not known; the one member of a request is 'features'.{}",
                        ShownName(key), DidYouMean(key, known))),
                    UnknownPointer("", key));
    }
    if (has_features)
      return Misfit(InvalidArgument("member 'features' stands twice; send it once"), "/features");
    has_features = true;
    if (!ReadFeatures()) return false;
  } while (cursor_.Take(','));
  return Expect(cursor_.Take('}'), "',' or '}' was expected");
}

bool Decoder::ReadFeatures() {
  const char start = cursor_.Peek();
  if (start == '[') return ReadList();
  if (start == '{') return ReadObject();
  return Misfit(InvalidArgument(fmt::format(
                    "'features' is {}; a list of records, a list of rows, a record or an object "
                    "of columns was expected",
                    KindOf(start))),
                "/features");
}

bool Decoder::ReadList() {
  cursor_.Take('[');
  if (cursor_.Peek() == ']') {
    return Misfit(InvalidArgument("'features' is an empty list; at least one row was expected"),
                  "/features");
  }
  shape_ = cursor_.Peek() == '[' ? Shape::kRows : Shape::kRecords;
  const char opener = shape_ == Shape::kRows ? '[' : '{';
  int64_t row = 0;
  do {
    if (!cursor_.Take(opener)) {
      const std::string_view expected =
          row == 0                 ? "a record or a row (one row is a list in a list: [[1, 2]])"
          : shape_ == Shape::kRows ? "a list, as the first row is one,"
                                   : "an object, as the first row is one,";
      return Misfit(InvalidArgument(fmt::format("row {} is {}; {} was expected", row,
                                                KindOf(cursor_.Peek()), expected)),
                    RowPointer(row));
    }
    if (!ReserveRow(row)) return false;
    if (!(shape_ == Shape::kRows ? ReadRow(row) : ReadRecord(row))) return false;
    ++row;
  } while (cursor_.Take(','));
  if (!Expect(cursor_.Take(']'), "',' or ']' was expected")) return false;
  SetRows(row);
  return true;
}

bool Decoder::ReadRow(int64_t row) {
  const size_t width = columns_.size();
  size_t column = 0;
  if (cursor_.Take(']')) return Misfit(package::WrongRowWidth(columns_, 0), RowPointer(row));
  do {
    if (column == width) {
      while (cursor_.SkipValue(kJsonDepthMax)) {
        ++column;
        if (!cursor_.Take(',')) break;
      }
      return Misfit(package::WrongRowWidth(columns_, column), RowPointer(row));
    }
    if (!ReadCell(row, static_cast<int>(column))) return false;
    ++column;
  } while (cursor_.Take(','));
  if (!Expect(cursor_.Take(']'), "',' or ']' was expected")) return false;
  return column == width || Misfit(package::WrongRowWidth(columns_, column), RowPointer(row));
}

bool Decoder::ReadRecord(int64_t row) {
  const std::vector<std::string>& keys = snapshot_.column_keys();
  size_t known = 0;
  if (cursor_.Take('}')) return FinishRecord(row, {});
  do {
    if (known == order_.size() || !cursor_.TakeBytes(keys[static_cast<size_t>(order_[known])])) {
      return ReadRecordInNewOrder(row, known);
    }
    if (!Expect(cursor_.Take(':'), "':' was expected after the name of a member")) return false;
    if (!ReadCell(row, order_[known])) return false;
    ++known;
  } while (cursor_.Take(','));
  if (!Expect(cursor_.Take('}'), "',' or '}' was expected")) return false;
  return known == order_.size() ||
         FinishRecord(row, {order_.begin(), order_.begin() + static_cast<ptrdiff_t>(known)});
}

// From a key on that is not the one that came last time. `known` columns of the record have been
// read.
bool Decoder::ReadRecordInNewOrder(int64_t row, size_t known) {
  std::vector<int> order(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(known));
  is_given_.assign(columns_.size(), false);
  for (int column : order) is_given_[static_cast<size_t>(column)] = true;
  do {
    std::string_view key;
    int column = 0;
    if (!cursor_.ReadKey(key, scratch_)) return Malformed();
    if (!FindNewColumn(key, row, column)) return false;
    if (!ReadCell(row, column)) return false;
    order.push_back(column);
  } while (cursor_.Take(','));
  if (!Expect(cursor_.Take('}'), "',' or '}' was expected")) return false;
  return FinishRecord(row, std::move(order));
}

bool Decoder::FinishRecord(int64_t row, std::vector<int> order) {
  if (order.size() == columns_.size()) {
    order_ = std::move(order);
    return true;
  }
  is_given_.assign(columns_.size(), false);
  for (int column : order) is_given_[static_cast<size_t>(column)] = true;
  return Misfit(package::MissingColumns(columns_, is_given_), RowPointer(row));
}

bool Decoder::FindNewColumn(std::string_view name, int64_t row, int& column) {
  column = columns_.Find(name);
  if (column >= 0 && !is_given_[static_cast<size_t>(column)]) {
    is_given_[static_cast<size_t>(column)] = true;
    return true;
  }
  if (column < 0)
    return Misfit(package::UnknownColumn(columns_, name), UnknownPointer(RowPointer(row), name));
  std::string pointer = RowPointer(row);
  AppendPointerToken(pointer, name);
  return Misfit(package::DuplicateColumn(name), std::move(pointer));
}

// One record, or columns: which of the two, the first value tells.
bool Decoder::ReadObject() {
  JsonCursor ahead = cursor_;
  std::string_view key;
  ahead.Take('{');
  shape_ = ahead.Peek() == '"' && ahead.ReadKey(key, scratch_) && ahead.Peek() == '['
               ? Shape::kColumns
               : Shape::kRecord;
  cursor_.Take('{');
  if (shape_ == Shape::kColumns) return ReadColumns();
  if (!ReserveRow(0) || !ReadRecord(0)) return false;
  SetRows(1);
  return true;
}

bool Decoder::ReadColumns() {
  is_given_.assign(columns_.size(), false);
  int first_column = -1;
  int64_t rows = 0;
  do {
    std::string_view key;
    int column = 0;
    if (!cursor_.ReadKey(key, scratch_)) return Malformed();
    if (!FindNewColumn(key, 0, column)) return false;
    if (!ReadColumn(column, rows, first_column)) return false;
    if (first_column < 0) first_column = column;
  } while (cursor_.Take(','));
  if (!Expect(cursor_.Take('}'), "',' or '}' was expected")) return false;
  if (std::ranges::find(is_given_, false) != is_given_.end()) {
    return Misfit(package::MissingColumns(columns_, is_given_), "/features");
  }
  if (rows == 0)
    return Misfit(InvalidArgument("the columns are empty; at least one row was expected"),
                  "/features");
  SetRows(rows);
  return true;
}

// The first column says how many rows there are.
bool Decoder::ReadColumn(int column, int64_t& rows, int first_column) {
  const std::string& name = columns_.names()[static_cast<size_t>(column)];
  std::string pointer = "/features";
  AppendPointerToken(pointer, name);
  if (!cursor_.Take('[')) {
    return Misfit(InvalidArgument(fmt::format(
                      "column '{}' is {}; a list was expected, as the first column is one", name,
                      KindOf(cursor_.Peek()))),
                  std::move(pointer));
  }
  const bool is_first = first_column < 0;
  const int64_t rows_in_body = this->rows_in_body();
  int64_t row = 0;
  if (!cursor_.Take(']')) {
    do {
      if (is_first) {
        if (row == rows_in_body) {
          return Misfit(InvalidArgument(fmt::format(
                            "column '{}' has more than {} values, for which the other {} columns "
                            "have no room in a body of {} bytes; every column must have as many",
                            name, row, columns_.size() - 1, body_.size())),
                        std::move(pointer));
        }
        if (!ReserveRow(row)) return false;
      }
      if (!is_first && row == rows) {
        return Misfit(InvalidArgument(fmt::format(
                          "column '{}' has more than the {} values of column '{}'; every column "
                          "must have as many",
                          name, rows, columns_.names()[static_cast<size_t>(first_column)])),
                      std::move(pointer));
      }
      if (!ReadCell(row, column)) return false;
      ++row;
    } while (cursor_.Take(','));
    if (!Expect(cursor_.Take(']'), "',' or ']' was expected")) return false;
  }
  if (is_first) rows = row;
  if (row == rows) return true;
  return Misfit(InvalidArgument(fmt::format(
                    "column '{}' has {} values, column '{}' has {}; every column must have as many",
                    name, row, columns_.names()[static_cast<size_t>(first_column)], rows)),
                std::move(pointer));
}

bool Decoder::ReadOtherCell(int64_t row, int column) {
  const char start = cursor_.Peek();
  if ((start >= '0' && start <= '9') || start == '-') return ReadNumberCell(row, column);
  Status status;
  switch (start) {
    case '"':
      return ReadStringCell(row, column);
    case 't':
    case 'f':
      if (!cursor_.ReadWord(start == 't' ? "true" : "false")) return Malformed();
      status = input_.SetBool(first_row_ + row, column, start == 't');
      break;
    case 'n':
      if (!cursor_.ReadWord("null")) return Malformed();
      status = input_.SetMissing(first_row_ + row, column);
      break;
    case '[':
    case '{':
      status = InvalidArgument(fmt::format("column '{}' is {}; one value was expected",
                                           columns_.names()[static_cast<size_t>(column)],
                                           KindOf(start)));
      break;
    default:
      return Expect(false, "a value was expected");
  }
  return status.ok() || MisfitCell(status, row, column);
}

bool Decoder::ReadNumberCell(int64_t row, int column) {
  JsonNumber number;
  if (!cursor_.ReadNumber(number)) return Malformed();
  if (!number.is_finite) [[unlikely]] {
    return MisfitCell(InvalidArgument(fmt::format(
                          "column '{}' is a number beyond the range of double; a number up to "
                          "1.797e308 was expected",
                          columns_.names()[static_cast<size_t>(column)])),
                      row, column);
  }
  const Status status = number.is_integer
                            ? input_.SetInteger(first_row_ + row, column, number.integer)
                            : input_.SetNumber(first_row_ + row, column, number.value);
  return status.ok() || MisfitCell(status, row, column);
}

bool Decoder::ReadStringCell(int64_t row, int column) {
  std::string_view text;
  if (!cursor_.ReadString(text, scratch_)) return Malformed();
  const Status status = input_.SetString(first_row_ + row, column, text);
  return status.ok() || MisfitCell(status, row, column);
}

inline bool Decoder::ReserveRow(int64_t row) {
  if (first_row_ + row < input_.rows()) [[likely]]
    return true;
  return GrowTo(row);
}

// By doubling, but not beyond what the body can fill.
bool Decoder::GrowTo(int64_t row) {
  const int64_t cells = snapshot_.signature().answer_cells();
  const int64_t rows_max =
      std::min(limits_.batch_rows_max, std::max<int64_t>(1, limits_.answer_cells_max / cells));
  if (row >= rows_max) return TooManyRows(rows_max);
  const int64_t rows = std::max(row + 1, std::min({2 * row, rows_in_body(), rows_max}));
  input_.Resize(first_row_ + rows);
  return true;
}

bool Decoder::TooManyRows(int64_t rows_max) {
  if (rows_max == limits_.batch_rows_max) {
    return Refuse(413, fmt::format("'features' holds more than {} rows; send them in several "
                                   "requests, or start the server with a larger --batch-rows-max",
                                   rows_max));
  }
  return Refuse(
      413, fmt::format(
               "'features' holds more than {} rows, and an answer at most {} values, of which this "
               "model gives {} a row; send the rows in several requests, or start the server with "
               "a larger --answer-cells-max",
               rows_max, limits_.answer_cells_max, snapshot_.signature().answer_cells()));
}

bool Decoder::Malformed() {
  if (cursor_.fault() != JsonCursor::kTooDeep) {
    return Refuse(400, fmt::format("the body is not JSON: at byte {}: {}", cursor_.offset(),
                                   cursor_.fault()));
  }
  return Refuse(
      400, fmt::format("objects and lists are nested too deep: level {} opens at byte {}, and "
                       "kJsonDepthMax = {} are read; send one value a column, which takes 3 levels",
                       kJsonDepthMax + 1, cursor_.offset() - 1, kJsonDepthMax));
}

bool Decoder::Misfit(const Status& status, std::string pointer) {
  cursor_ = JsonCursor(body_);
  if (!cursor_.SkipValue(kJsonDepthMax)) return Malformed();
  if (!cursor_.is_at_end())
    return Expect(false, "nothing more was expected after the end of the document");
  problem_ = ProblemFromStatus(status);
  problem_->pointer = std::move(pointer);
  problem_->has_pointer = true;
  return false;
}

std::string Decoder::RowPointer(int64_t row) const {
  const bool is_one = shape_ == Shape::kRecord || shape_ == Shape::kColumns;
  return is_one ? "/features" : fmt::format("/features/{}", row);
}

std::string Decoder::CellPointer(int64_t row, int column) const {
  const std::string& name = columns_.names()[static_cast<size_t>(column)];
  std::string pointer = RowPointer(row);
  if (shape_ == Shape::kRows) return fmt::format("{}/{}", pointer, column);
  AppendPointerToken(pointer, name);
  return shape_ == Shape::kColumns ? fmt::format("{}/{}", pointer, row) : pointer;
}

}  // namespace

std::optional<Problem> DecodeFeatures(std::string_view body, const serve::Snapshot& snapshot,
                                      const FeatureLimits& limits, serve::Workspace& workspace,
                                      int64_t first_row) {
  return Decoder(body, snapshot, limits, workspace, first_row).Decode();
}

}  // namespace penstock::protocol
