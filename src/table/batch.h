// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "table/arrow.h"

namespace penstock::table {

// The types of a column, Arrow's of the same names. Times of day and timestamps are int64 counts of
// the unit in the name; Utc is a point in time, the others say no zone. Every column may hold
// nulls.
enum class ColumnType {
  kInt64,
  kFloat64,
  kBool,
  kString,
  kBinary,
  kInt8,
  kInt16,
  kInt32,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat32,
  kDate32,
  kTimeUs,
  kTimestampUs,
  kTimestampNs,
  kTimestampUsUtc,
};

// "int64", "string", "timestamp[us]" and so on: as pyarrow writes them.
std::string_view ColumnTypeName(ColumnType type);

struct Field {
  std::string name;
  ColumnType type = ColumnType::kFloat64;

  friend bool operator==(const Field&, const Field&) = default;
};

// Owns an Arrow structure: released when it goes, unless it was moved out. Movable; not
// thread-safe.
template <typename T>
class Owned {
 public:
  Owned() = default;
  ~Owned() { Reset(); }
  Owned(Owned&& other) noexcept : value_(std::exchange(other.value_, T{})) {}
  Owned& operator=(Owned&& other) noexcept {
    if (this != &other) {
      Reset();
      value_ = std::exchange(other.value_, T{});
    }
    return *this;
  }

  bool empty() const { return value_.release == nullptr; }
  const T* get() const { return &value_; }
  T* get() { return &value_; }
  // Hands the structure over to who must release it; *out is overwritten.
  void MoveTo(T* out) { *out = std::exchange(value_, T{}); }
  void Reset() {
    if (value_.release != nullptr) value_.release(&value_);
    value_ = T{};
  }

 private:
  T value_{};
};

using OwnedSchema = Owned<ArrowSchema>;
// A batch: a struct array with one child per column.
using Batch = Owned<ArrowArray>;

// Rows and bytes of values after which a batch should be finished: large enough to cost nothing a
// row, small enough that two of them are no burden.
inline constexpr int64_t kBatchRowsMax = 65'536;
inline constexpr int64_t kBatchBytesMax = int64_t{64} << 20;
// Of one string or binary value. Arrow's 32-bit offsets hold a full batch and one such value.
inline constexpr int64_t kValueBytesMax = int64_t{1} << 30;

// A struct schema of these columns, each nullable. kResourceExhausted when memory is short.
Result<OwnedSchema> MakeSchema(const std::vector<Field>& fields);

// The columns of a struct schema; kUnimplemented, naming the column, for an Arrow type that
// ColumnType does not have.
Result<std::vector<Field>> FieldsOf(const ArrowSchema& schema);

// A bitmap of which bit `offset + i` says whether value i is not null; without bits none is null.
struct Validity {
  const uint8_t* bits = nullptr;
  int64_t offset = 0;
};

// Makes batches. Row by row: append one value to every column, then call EndRow. Column by column:
// append as many values to every column, then call EndRows. The builder is ready for the next batch
// after Finish. Values go to columns of their type; anything else is a programmer's error. Lack of
// memory is told by Finish. Movable; not thread-safe.
class BatchBuilder {
 public:
  explicit BatchBuilder(std::vector<Field> fields);
  BatchBuilder(BatchBuilder&&) noexcept;
  BatchBuilder& operator=(BatchBuilder&&) noexcept;
  ~BatchBuilder();

  void AppendNull(size_t column);
  void AppendInt64(size_t column, int64_t value);
  void AppendFloat64(size_t column, double value);
  void AppendBool(size_t column, bool value);
  // For kString and kBinary, at most kValueBytesMax. The caller has checked that a string is UTF-8
  // (IsUtf8).
  void AppendBytes(size_t column, std::string_view value);
  void EndRow();

  // For columns whose values have a width of whole bytes: `values` are rows of them, in Arrow's
  // layout. A value that is null may be anything.
  void AppendValues(size_t column, const void* values, const Validity& validity, int64_t rows);
  // For kBool: a byte each, 0 or 1.
  void AppendBools(size_t column, const bool* values, const Validity& validity, int64_t rows);
  // For kString and kBinary, as AppendBytes.
  void AppendTexts(size_t column, std::span<const std::string_view> values,
                   const Validity& validity);
  void EndRows(int64_t rows);
  // All rows of a batch of these columns.
  void AppendBatch(const Batch& batch);

  const std::vector<Field>& fields() const;
  int64_t rows() const;
  // True when the batch has reached kBatchRowsMax or kBatchBytesMax.
  bool is_full() const;
  // False when some column's text or binary values would go beyond what 32-bit offsets hold.
  bool HasRoomFor(const Batch& batch) const;
  // The same for so many more bytes in one column.
  bool HasRoomFor(int64_t text_bytes) const;

  // The rows since the last Finish. kResourceExhausted when memory ran out.
  Result<Batch> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether bytes are well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, at
// most U+10FFFF.
bool IsUtf8(std::string_view bytes);

}  // namespace penstock::table
