// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "table/batch.h"
#include "table/stream.h"

// Arrow IPC streams (https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format).
namespace penstock::table {

// Writes a stream to a file descriptor, which it does not own: schema, batches, end. Movable; not
// thread-safe. A reader that went away is kCancelled (SIGPIPE must be ignored or blocked); other
// errors of write as FromErrno.
class IpcWriter {
 public:
  // Writes the schema.
  static Result<IpcWriter> Open(int descriptor, std::vector<Field> fields);
  IpcWriter(IpcWriter&&) noexcept;
  IpcWriter& operator=(IpcWriter&&) noexcept;
  ~IpcWriter();

  Status Write(const Batch& batch);
  // Writes the end of the stream, without which a reader knows that something is missing.
  Status Finish();

 private:
  struct State;
  explicit IpcWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Reads up to `into.size()` bytes; 0 at the end.
using ReadBytes = std::function<Result<size_t>(std::span<uint8_t> into)>;

// Reads a stream. Only the formats that IpcWriter writes need to pass: dictionaries and compression
// are refused. A malformed or cut-off stream is kDataLoss, one without the end that Finish writes
// too; an error of `read` comes back as it is.
class IpcReader : public BatchSource {
 public:
  explicit IpcReader(ReadBytes read);
  ~IpcReader() override;

  Result<OwnedSchema> Schema() override;
  Result<Batch> Next() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::table
