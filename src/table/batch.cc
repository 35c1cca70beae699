// SPDX-License-Identifier: Apache-2.0
#include "table/batch.h"

#include <fmt/format.h>
#include <nanoarrow/nanoarrow.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/names.h"

namespace penstock::table {
namespace {

struct TypeRow {
  ColumnType type;
  std::string_view name;
  const char* format;  // of the Arrow C data interface
  int64_t bytes;       // of one value; 0: no whole number of bytes, or as many as it needs
};

constexpr std::array kTypes = {
    TypeRow{ColumnType::kInt64, "int64", "l", 8},
    TypeRow{ColumnType::kFloat64, "float64", "g", 8},
    TypeRow{ColumnType::kBool, "bool", "b", 0},
    TypeRow{ColumnType::kString, "string", "u", 0},
    TypeRow{ColumnType::kBinary, "binary", "z", 0},
    TypeRow{ColumnType::kInt8, "int8", "c", 1},
    TypeRow{ColumnType::kInt16, "int16", "s", 2},
    TypeRow{ColumnType::kInt32, "int32", "i", 4},
    TypeRow{ColumnType::kUInt8, "uint8", "C", 1},
    TypeRow{ColumnType::kUInt16, "uint16", "S", 2},
    TypeRow{ColumnType::kUInt32, "uint32", "I", 4},
    TypeRow{ColumnType::kUInt64, "uint64", "L", 8},
    TypeRow{ColumnType::kFloat32, "float32", "f", 4},
    TypeRow{ColumnType::kDate32, "date32", "tdD", 4},
    TypeRow{ColumnType::kTimeUs, "time64[us]", "ttu", 8},
    TypeRow{ColumnType::kTimestampUs, "timestamp[us]", "tsu:", 8},
    TypeRow{ColumnType::kTimestampNs, "timestamp[ns]", "tsn:", 8},
    TypeRow{ColumnType::kTimestampUsUtc, "timestamp[us, UTC]", "tsu:UTC", 8},
};

const TypeRow& RowOf(ColumnType type) {
  const auto& row = kTypes[static_cast<size_t>(type)];
  PENSTOCK_CHECK(row.type == type);
  return row;
}

Status OutOfMemory() {
  return ResourceExhausted("memory is short for a batch of rows; read fewer columns or rows");
}

Result<ColumnType> ColumnTypeOf(const ArrowSchema& column) {
  const std::string_view format = column.format == nullptr ? "" : column.format;
  if (column.dictionary == nullptr) {
    for (const TypeRow& row : kTypes) {
      if (format == row.format) return row.type;
    }
  }
  std::vector<std::string> names;
  for (const TypeRow& row : kTypes) names.emplace_back(row.name);
  return Unimplemented(fmt::format("column '{}' has the Arrow format '{}'{}; {} are read",
                                   column.name == nullptr ? "" : column.name, format,
                                   column.dictionary == nullptr ? "" : " with a dictionary",
                                   QuotedList(names, names.size())));
}

ArrowErrorCode Fill(const std::vector<Field>& fields, ArrowSchema* schema) {
  ArrowSchemaInit(schema);
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetTypeStruct(schema, static_cast<int64_t>(fields.size())));
  for (size_t i = 0; i < fields.size(); ++i) {
    NANOARROW_RETURN_NOT_OK(
        ArrowSchemaSetFormat(schema->children[i], RowOf(fields[i].type).format));
    NANOARROW_RETURN_NOT_OK(ArrowSchemaSetName(schema->children[i], fields[i].name.c_str()));
  }
  return NANOARROW_OK;
}

// Copies bits between bitmaps, whole bytes at a time where both begin at one.
void CopyBits(const uint8_t* from, int64_t from_offset, uint8_t* to, int64_t to_offset,
              int64_t count) {
  int64_t done = 0;
  if (from_offset % 8 == 0 && to_offset % 8 == 0) {
    std::memcpy(to + to_offset / 8, from + from_offset / 8, static_cast<size_t>(count / 8));
    done = count / 8 * 8;
  }
  for (; done < count; ++done)
    ArrowBitSetTo(to, to_offset + done,
                  static_cast<uint8_t>(ArrowBitGet(from, from_offset + done)));
}

// Counts and copies which of the next rows are null. A column without a null has no bitmap.
ArrowErrorCode AppendValidity(ArrowArray* column, const Validity& validity, int64_t rows) {
  ArrowBitmap* bitmap = ArrowArrayValidityBitmap(column);
  const int64_t nulls =
      validity.bits == nullptr ? 0 : rows - ArrowBitCountSet(validity.bits, validity.offset, rows);
  if (nulls == 0) {
    return bitmap->buffer.data == nullptr ? NANOARROW_OK : ArrowBitmapAppend(bitmap, 1, rows);
  }
  if (bitmap->buffer.data == nullptr) {
    NANOARROW_RETURN_NOT_OK(ArrowBitmapReserve(bitmap, column->length + rows));
    ArrowBitmapAppendUnsafe(bitmap, 1, column->length);
  }
  const int64_t before = bitmap->size_bits;
  NANOARROW_RETURN_NOT_OK(ArrowBitmapAppend(bitmap, 0, rows));
  CopyBits(validity.bits, validity.offset, bitmap->buffer.data, before, rows);
  column->null_count += nulls;
  return NANOARROW_OK;
}

// Makes room for so many more bits, all 0.
ArrowErrorCode AppendZeroBits(ArrowArray* column, int64_t rows) {
  ArrowBuffer* buffer = ArrowArrayBuffer(column, 1);
  const int64_t bytes = (column->length + rows + 7) / 8;
  return ArrowBufferAppendFill(buffer, 0, bytes - buffer->size_bytes);
}

}  // namespace

std::string_view ColumnTypeName(ColumnType type) { return RowOf(type).name; }

Result<OwnedSchema> MakeSchema(const std::vector<Field>& fields) {
  OwnedSchema schema;
  if (Fill(fields, schema.get()) != NANOARROW_OK) return OutOfMemory();
  return schema;
}

Result<std::vector<Field>> FieldsOf(const ArrowSchema& schema) {
  std::vector<Field> fields;
  for (int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& column = *schema.children[i];
    const ColumnType type = PENSTOCK_TRY(ColumnTypeOf(column));
    fields.push_back({.name = column.name == nullptr ? "" : column.name, .type = type});
  }
  return fields;
}

struct BatchBuilder::State {
  std::vector<Field> fields;
  OwnedSchema schema;
  Batch batch;
  int64_t rows = 0;
  int64_t bytes = 0;
  ArrowErrorCode error = NANOARROW_OK;

  // An array of this struct type, ready for appending.
  void Start() {
    rows = 0;
    bytes = 0;
    error = schema.empty() ? Fill(fields, schema.get()) : NANOARROW_OK;
    if (error == NANOARROW_OK) error = ArrowArrayInitFromSchema(batch.get(), schema.get(), nullptr);
    if (error == NANOARROW_OK) error = ArrowArrayStartAppending(batch.get());
  }

  ArrowArray* Column(size_t column, [[maybe_unused]] ColumnType type) {
    PENSTOCK_CHECK(column < fields.size() && fields[column].type == type);
    return batch.get()->children[column];
  }

  void Keep(ArrowErrorCode code) {
    if (code != NANOARROW_OK) [[unlikely]]
      error = code;
  }

  // Bools that are bits already.
  void AppendBits(size_t column, const uint8_t* bits, const Validity& validity, int64_t count) {
    if (error != NANOARROW_OK) return;
    ArrowArray* array = Column(column, ColumnType::kBool);
    Keep(AppendValidity(array, validity, count));
    Keep(AppendZeroBits(array, count));
    if (error != NANOARROW_OK) return;
    CopyBits(bits, validity.offset, ArrowArrayBuffer(array, 1)->data, array->length, count);
    array->length += count;
  }

  // Rows of another array of text or binary values.
  void AppendSlice(size_t column, const ArrowArray& from, const Validity& validity, int64_t count) {
    if (error != NANOARROW_OK || count == 0) return;
    ArrowArray* array = batch.get()->children[column];
    const int32_t* begin = static_cast<const int32_t*>(from.buffers[1]) + validity.offset;
    const int32_t slice_bytes = begin[count] - begin[0];
    ArrowBuffer* offsets = ArrowArrayBuffer(array, 1);
    ArrowBuffer* data = ArrowArrayBuffer(array, 2);
    const auto shift = static_cast<int32_t>(data->size_bytes - begin[0]);
    Keep(AppendValidity(array, validity, count));
    Keep(ArrowBufferReserve(offsets, count * static_cast<int64_t>(sizeof(int32_t))));
    if (slice_bytes > 0)
      Keep(ArrowBufferAppend(data, static_cast<const char*>(from.buffers[2]) + begin[0],
                             slice_bytes));
    if (error != NANOARROW_OK) return;
    for (int64_t i = 1; i <= count; ++i) {
      const int32_t end = begin[i] + shift;
      ArrowBufferAppendUnsafe(offsets, &end, sizeof(end));
    }
    array->length += count;
    bytes += slice_bytes;
  }
};

BatchBuilder::BatchBuilder(std::vector<Field> fields) : state_(std::make_unique<State>()) {
  state_->fields = std::move(fields);
  state_->Start();
}
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;
BatchBuilder& BatchBuilder::operator=(BatchBuilder&&) noexcept = default;
BatchBuilder::~BatchBuilder() = default;

void BatchBuilder::AppendNull(size_t column) {
  PENSTOCK_CHECK(column < state_->fields.size());
  if (state_->error == NANOARROW_OK)
    state_->Keep(ArrowArrayAppendNull(state_->batch.get()->children[column], 1));
}

void BatchBuilder::AppendInt64(size_t column, int64_t value) {
  if (state_->error != NANOARROW_OK) return;
  state_->Keep(ArrowArrayAppendInt(state_->Column(column, ColumnType::kInt64), value));
}

void BatchBuilder::AppendFloat64(size_t column, double value) {
  if (state_->error != NANOARROW_OK) return;
  state_->Keep(ArrowArrayAppendDouble(state_->Column(column, ColumnType::kFloat64), value));
}

void BatchBuilder::AppendBool(size_t column, bool value) {
  if (state_->error != NANOARROW_OK) return;
  state_->Keep(ArrowArrayAppendInt(state_->Column(column, ColumnType::kBool), value ? 1 : 0));
}

void BatchBuilder::AppendBytes(size_t column, std::string_view value) {
  PENSTOCK_CHECK(static_cast<int64_t>(value.size()) <= kValueBytesMax);
  if (state_->error != NANOARROW_OK) return;
  const ColumnType type = state_->fields[column].type == ColumnType::kBinary ? ColumnType::kBinary
                                                                             : ColumnType::kString;
  ArrowBufferView view;
  view.data.data = value.data();
  view.size_bytes = static_cast<int64_t>(value.size());
  state_->Keep(ArrowArrayAppendBytes(state_->Column(column, type), view));
  state_->bytes += view.size_bytes;
}

void BatchBuilder::EndRow() {
  if (state_->error == NANOARROW_OK) state_->Keep(ArrowArrayFinishElement(state_->batch.get()));
  ++state_->rows;
}

void BatchBuilder::AppendValues(size_t column, const void* values, const Validity& validity,
                                int64_t rows) {
  if (state_->error != NANOARROW_OK) return;
  const int64_t width = RowOf(state_->fields[column].type).bytes;
  PENSTOCK_CHECK(width > 0);
  ArrowArray* array = state_->batch.get()->children[column];
  ArrowBuffer* buffer = ArrowArrayBuffer(array, 1);
  state_->Keep(AppendValidity(array, validity, rows));
  // Room for a whole batch at once, instead of growing to it by copies.
  if (buffer->capacity_bytes == 0) state_->Keep(ArrowBufferReserve(buffer, kBatchRowsMax * width));
  state_->Keep(ArrowBufferAppend(buffer, values, rows * width));
  array->length += rows;
}

void BatchBuilder::AppendBools(size_t column, const bool* values, const Validity& validity,
                               int64_t rows) {
  if (state_->error != NANOARROW_OK) return;
  ArrowArray* array = state_->Column(column, ColumnType::kBool);
  state_->Keep(AppendValidity(array, validity, rows));
  state_->Keep(AppendZeroBits(array, rows));
  if (state_->error != NANOARROW_OK) return;
  uint8_t* bits = ArrowArrayBuffer(array, 1)->data;
  for (int64_t row = 0; row < rows; ++row) {
    if (values[row]) ArrowBitSet(bits, array->length + row);
  }
  array->length += rows;
}

void BatchBuilder::AppendTexts(size_t column, std::span<const std::string_view> values,
                               const Validity& validity) {
  if (state_->error != NANOARROW_OK) return;
  const auto rows = static_cast<int64_t>(values.size());
  int64_t bytes = 0;
  for (const std::string_view value : values) bytes += static_cast<int64_t>(value.size());
  ArrowArray* array = state_->batch.get()->children[column];
  ArrowBuffer* offsets = ArrowArrayBuffer(array, 1);
  ArrowBuffer* data = ArrowArrayBuffer(array, 2);
  state_->Keep(AppendValidity(array, validity, rows));
  state_->Keep(ArrowBufferReserve(offsets, rows * static_cast<int64_t>(sizeof(int32_t))));
  state_->Keep(ArrowBufferReserve(data, bytes));
  if (state_->error != NANOARROW_OK) return;
  for (const std::string_view value : values) {
    ArrowBufferAppendUnsafe(data, value.data(), static_cast<int64_t>(value.size()));
    const auto end = static_cast<int32_t>(data->size_bytes);
    ArrowBufferAppendUnsafe(offsets, &end, sizeof(end));
  }
  array->length += rows;
  state_->bytes += bytes;
}

void BatchBuilder::EndRows(int64_t rows) {
  state_->batch.get()->length += rows;
  state_->rows += rows;
}

void BatchBuilder::AppendBatch(const Batch& batch) {
  const int64_t rows = batch.get()->length;
  for (size_t i = 0; i < state_->fields.size(); ++i) {
    const ArrowArray& from = *batch.get()->children[i];
    const int64_t offset = from.offset + batch.get()->offset;
    const Validity validity{.bits = static_cast<const uint8_t*>(from.buffers[0]), .offset = offset};
    const int64_t width = RowOf(state_->fields[i].type).bytes;
    if (width > 0) {
      AppendValues(i, static_cast<const uint8_t*>(from.buffers[1]) + offset * width, validity,
                   rows);
    } else if (state_->fields[i].type == ColumnType::kBool) {
      state_->AppendBits(i, static_cast<const uint8_t*>(from.buffers[1]), validity, rows);
    } else {
      state_->AppendSlice(i, from, validity, rows);
    }
  }
  EndRows(rows);
}

bool BatchBuilder::HasRoomFor(const Batch& batch) const {
  for (size_t i = 0; i < state_->fields.size(); ++i) {
    const ColumnType type = state_->fields[i].type;
    const ArrowArray& from = *batch.get()->children[i];
    if ((type != ColumnType::kString && type != ColumnType::kBinary) || from.length == 0) continue;
    const int32_t* offsets = static_cast<const int32_t*>(from.buffers[1]) + from.offset;
    const int64_t held = ArrowArrayBuffer(state_->batch.get()->children[i], 2)->size_bytes;
    if (held + offsets[from.length] - offsets[0] > std::numeric_limits<int32_t>::max())
      return false;
  }
  return true;
}

bool BatchBuilder::HasRoomFor(int64_t text_bytes) const {
  // Of all columns together: one of them holds no more.
  return state_->bytes + text_bytes <= std::numeric_limits<int32_t>::max() || state_->rows == 0;
}

const std::vector<Field>& BatchBuilder::fields() const { return state_->fields; }
int64_t BatchBuilder::rows() const { return state_->rows; }

bool BatchBuilder::is_full() const {
  const int64_t row_bytes = static_cast<int64_t>(state_->fields.size() * sizeof(int64_t));
  return state_->rows >= kBatchRowsMax ||
         state_->bytes + state_->rows * row_bytes >= kBatchBytesMax;
}

Result<Batch> BatchBuilder::Finish() {
  if (state_->error == NANOARROW_OK)
    state_->Keep(ArrowArrayFinishBuildingDefault(state_->batch.get(), nullptr));
  if (state_->error != NANOARROW_OK) {
    state_->batch.Reset();
    state_->Start();
    return OutOfMemory();
  }
  Batch done = std::move(state_->batch);
  state_->Start();
  return done;
}

}  // namespace penstock::table
