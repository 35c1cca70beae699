// SPDX-License-Identifier: Apache-2.0
#include "table/batch.h"

#include <fmt/format.h>
#include <nanoarrow/nanoarrow.h>

#include <cerrno>

namespace penstock::table {
namespace {

ArrowType TypeOf(ColumnType type) {
  switch (type) {
    case ColumnType::kInt64:
      return NANOARROW_TYPE_INT64;
    case ColumnType::kFloat64:
      return NANOARROW_TYPE_DOUBLE;
    case ColumnType::kBool:
      return NANOARROW_TYPE_BOOL;
    case ColumnType::kString:
      return NANOARROW_TYPE_STRING;
    case ColumnType::kBinary:
      return NANOARROW_TYPE_BINARY;
  }
  return NANOARROW_TYPE_UNINITIALIZED;
}

Status OutOfMemory() {
  return ResourceExhausted("memory is short for a batch of rows; read fewer columns or rows");
}

Result<ColumnType> ColumnTypeOf(const ArrowSchema& column) {
  const std::string_view format = column.format == nullptr ? "" : column.format;
  if (column.dictionary == nullptr) {
    if (format == "l") return ColumnType::kInt64;
    if (format == "g") return ColumnType::kFloat64;
    if (format == "b") return ColumnType::kBool;
    if (format == "u") return ColumnType::kString;
    if (format == "z") return ColumnType::kBinary;
  }
  return Unimplemented(fmt::format(
      "column '{}' has the Arrow format '{}'{}; int64, float64, bool, utf8 and binary are "
      "read",
      column.name == nullptr ? "" : column.name, format,
      column.dictionary == nullptr ? "" : " with a dictionary"));
}

ArrowErrorCode Fill(const std::vector<Field>& fields, ArrowSchema* schema) {
  ArrowSchemaInit(schema);
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetTypeStruct(schema, static_cast<int64_t>(fields.size())));
  for (size_t i = 0; i < fields.size(); ++i) {
    NANOARROW_RETURN_NOT_OK(ArrowSchemaSetType(schema->children[i], TypeOf(fields[i].type)));
    NANOARROW_RETURN_NOT_OK(ArrowSchemaSetName(schema->children[i], fields[i].name.c_str()));
  }
  return NANOARROW_OK;
}

}  // namespace

std::string_view ColumnTypeName(ColumnType type) {
  switch (type) {
    case ColumnType::kInt64:
      return "int64";
    case ColumnType::kFloat64:
      return "float64";
    case ColumnType::kBool:
      return "bool";
    case ColumnType::kString:
      return "string";
    case ColumnType::kBinary:
      return "binary";
  }
  return "";
}

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
