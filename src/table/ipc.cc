// SPDX-License-Identifier: Apache-2.0
#include "table/ipc.h"

#include <fmt/format.h>
#include <nanoarrow/nanoarrow.h>
#include <nanoarrow/nanoarrow_ipc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace penstock::table {
namespace {

// A call of write or read that fails reports its own Status; nanoarrow carries only a number.
constexpr ArrowErrorCode kOwnStatus = EIO;
constexpr std::array<uint8_t, 8> kEndOfStream = {0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0};

struct Output {
  int descriptor = -1;
  Status status;
};

Status WriteFailed(int error) {
  if (error == EPIPE) return {Code::kCancelled, "the reader of this stream went away"};
  return FromErrno(error, "cannot write the stream");
}

ArrowErrorCode WriteSome(ArrowIpcOutputStream* stream, const void* bytes, int64_t size,
                         int64_t* written, ArrowError*) {
  auto& output = *static_cast<Output*>(stream->private_data);
  while (true) {
    const ssize_t count = write(output.descriptor, bytes, static_cast<size_t>(size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      output.status = WriteFailed(errno);
      return kOwnStatus;
    }
    *written = count;
    return NANOARROW_OK;
  }
}

struct Input {
  ReadBytes read;
  Status status;
  bool saw_end = false;  // the last bytes read were the end that Finish writes
};

ArrowErrorCode ReadAllOf(ArrowIpcInputStream* stream, uint8_t* bytes, int64_t size,
                         int64_t* size_read, ArrowError*) {
  auto& input = *static_cast<Input*>(stream->private_data);
  const std::span<uint8_t> into(bytes, static_cast<size_t>(size));
  size_t filled = 0;
  while (filled < into.size()) {
    Result<size_t> count = input.read(into.subspan(filled));
    if (!count.ok()) {
      input.status = count.status();
      return kOwnStatus;
    }
    if (*count == 0) break;
    filled += *count;
  }
  *size_read = static_cast<int64_t>(filled);
  input.saw_end =
      filled == kEndOfStream.size() && std::ranges::equal(into.first(filled), kEndOfStream);
  return NANOARROW_OK;
}

}  // namespace

struct IpcWriter::State {
  Output output;
  std::vector<Field> fields;
  ArrowIpcWriter writer{};
  OwnedSchema schema;
  ArrowArrayView view{};
  ArrowError error{};

  State() { ArrowArrayViewInitFromType(&view, NANOARROW_TYPE_UNINITIALIZED); }
  ~State() {
    ArrowArrayViewReset(&view);
    if (writer.private_data != nullptr) ArrowIpcWriterReset(&writer);
  }

  Status StatusOf(ArrowErrorCode code) const {
    if (code == NANOARROW_OK) return {};
    if (!output.status.ok()) return output.status;
    if (code == ENOMEM) return ResourceExhausted("memory is short for writing a batch of rows");
    return Internal(fmt::format("cannot write an Arrow stream: {}", error.message));
  }

  Status Start() {
    ArrowIpcOutputStream stream{
        .write = WriteSome,
        .release = [](ArrowIpcOutputStream* self) { self->release = nullptr; },
        .private_data = &output};
    PENSTOCK_TRY(StatusOf(ArrowIpcWriterInit(&writer, &stream)));
    schema = PENSTOCK_TRY(MakeSchema(fields));
    PENSTOCK_TRY(StatusOf(ArrowArrayViewInitFromSchema(&view, schema.get(), &error)));
    return StatusOf(ArrowIpcWriterWriteSchema(&writer, schema.get(), &error));
  }
};

IpcWriter::IpcWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
IpcWriter::IpcWriter(IpcWriter&&) noexcept = default;
IpcWriter& IpcWriter::operator=(IpcWriter&&) noexcept = default;
IpcWriter::~IpcWriter() = default;

Result<IpcWriter> IpcWriter::Open(int descriptor, std::vector<Field> fields) {
  auto state = std::make_unique<State>();
  state->output.descriptor = descriptor;
  state->fields = std::move(fields);
  PENSTOCK_TRY(state->Start());
  return IpcWriter(std::move(state));
}

Status IpcWriter::Write(const Batch& batch) {
  PENSTOCK_TRY(
      state_->StatusOf(ArrowArrayViewSetArray(&state_->view, batch.get(), &state_->error)));
  return state_->StatusOf(
      ArrowIpcWriterWriteArrayView(&state_->writer, &state_->view, &state_->error));
}

Status IpcWriter::Finish() {
  return state_->StatusOf(ArrowIpcWriterWriteArrayView(&state_->writer, nullptr, &state_->error));
}

struct IpcReader::State {
  Input input;
  ArrowArrayStream stream{};
  ArrowErrorCode started = NANOARROW_OK;

  ~State() {
    if (stream.release != nullptr) stream.release(&stream);
  }

  Status StatusOf(ArrowErrorCode code) {
    if (code == NANOARROW_OK) return {};
    if (!input.status.ok()) return input.status;
    if (code == ENOMEM) return ResourceExhausted("memory is short for a batch of rows");
    const char* reason =
        stream.get_last_error == nullptr ? nullptr : stream.get_last_error(&stream);
    return DataLoss(
        fmt::format("the Arrow stream is cut off or damaged: {}", reason == nullptr ? "" : reason));
  }
};

IpcReader::IpcReader(ReadBytes read) : state_(std::make_unique<State>()) {
  state_->input.read = std::move(read);
  ArrowIpcInputStream stream{.read = ReadAllOf,
                             .release = [](ArrowIpcInputStream* self) { self->release = nullptr; },
                             .private_data = &state_->input};
  state_->started = ArrowIpcArrayStreamReaderInit(&state_->stream, &stream, nullptr);
}

IpcReader::~IpcReader() = default;

Result<OwnedSchema> IpcReader::Schema() {
  PENSTOCK_TRY(state_->StatusOf(state_->started));
  OwnedSchema schema;
  PENSTOCK_TRY(state_->StatusOf(state_->stream.get_schema(&state_->stream, schema.get())));
  return schema;
}

Result<Batch> IpcReader::Next() {
  PENSTOCK_TRY(state_->StatusOf(state_->started));
  Batch batch;
  PENSTOCK_TRY(state_->StatusOf(state_->stream.get_next(&state_->stream, batch.get())));
  if (batch.empty() && !state_->input.saw_end) {
    return DataLoss("the Arrow stream is cut off or damaged: it has no end");
  }
  return batch;
}

}  // namespace penstock::table
