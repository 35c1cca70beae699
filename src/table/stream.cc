// SPDX-License-Identifier: Apache-2.0
#include "table/stream.h"

#include <cerrno>
#include <string>
#include <utility>

namespace penstock::table {
namespace {

// What an exported stream holds.
struct Exported {
  std::unique_ptr<BatchSource> source;
  std::shared_ptr<StreamOutcome> outcome;
  std::string last_error;

  int Fail(const Status& status) {
    outcome->Fail(status);
    last_error = status.message();
    switch (status.code()) {
      case Code::kInvalidArgument:
      case Code::kNotFound:
      case Code::kOutOfRange:
        return EINVAL;
      case Code::kResourceExhausted:
        return ENOMEM;
      default:
        return EIO;
    }
  }
};

Exported& Of(ArrowArrayStream* stream) { return *static_cast<Exported*>(stream->private_data); }

int GetSchema(ArrowArrayStream* stream, ArrowSchema* out) {
  Result<OwnedSchema> schema = Of(stream).source->Schema();
  if (!schema.ok()) return Of(stream).Fail(schema.status());
  schema->MoveTo(out);
  return 0;
}

int GetNext(ArrowArrayStream* stream, ArrowArray* out) {
  if (const Status before = Of(stream).outcome->status(); !before.ok())
    return Of(stream).Fail(before);
  Result<Batch> batch = Of(stream).source->Next();
  if (!batch.ok()) return Of(stream).Fail(batch.status());
  batch->MoveTo(out);
  return 0;
}

const char* GetLastError(ArrowArrayStream* stream) {
  return Of(stream).last_error.empty() ? nullptr : Of(stream).last_error.c_str();
}

void Release(ArrowArrayStream* stream) {
  delete static_cast<Exported*>(stream->private_data);
  stream->private_data = nullptr;
  stream->release = nullptr;
}

}  // namespace

Status StreamOutcome::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void StreamOutcome::Fail(const Status& status) {
  const std::lock_guard lock(mutex_);
  if (status_.ok()) status_ = status;
}

TableStream::TableStream(std::unique_ptr<BatchSource> source)
    : source_(std::move(source)), outcome_(std::make_shared<StreamOutcome>()) {}

Result<std::vector<Field>> TableStream::Fields() {
  const OwnedSchema schema = PENSTOCK_TRY(source_->Schema());
  return FieldsOf(*schema.get());
}

Result<Batch> TableStream::Next() {
  PENSTOCK_TRY(outcome_->status());
  Result<Batch> batch = source_->Next();
  if (!batch.ok()) outcome_->Fail(batch.status());
  return batch;
}

void TableStream::Export(ArrowArrayStream* out) && {
  auto exported = std::make_unique<Exported>();
  exported->source = std::move(source_);
  exported->outcome = outcome_;
  out->get_schema = GetSchema;
  out->get_next = GetNext;
  out->get_last_error = GetLastError;
  out->release = Release;
  out->private_data = exported.release();
}

}  // namespace penstock::table
