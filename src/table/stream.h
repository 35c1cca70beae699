// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "table/arrow.h"
#include "table/batch.h"

namespace penstock::table {

// Where batches come from. Called from one thread at a time.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // The columns, as a struct schema that the caller owns. May be called more than once.
  virtual Result<OwnedSchema> Schema() = 0;
  // The next batch; an empty one at the end. After an error the source gives nothing more.
  virtual Result<Batch> Next() = 0;
  // Asks, before the first Next, for all rows in one batch as Gather has it. False when the source
  // cannot make it by itself.
  virtual bool GatherByItself() { return false; }
};

// What became of a stream that was handed to a consumer through Arrow's C interface, which knows
// error texts only. Thread-safe.
class StreamOutcome {
 public:
  // The error that ended the stream; OK before, and for a stream that was read to its end.
  Status status() const;
  void Fail(const Status& status);

 private:
  mutable std::mutex mutex_;
  Status status_;
};

// Rows as a stream of batches that is read once. Movable; not thread-safe.
class TableStream {
 public:
  explicit TableStream(std::unique_ptr<BatchSource> source);

  Result<std::vector<Field>> Fields();
  bool GatherByItself() { return source_->GatherByItself(); }
  // The next batch; an empty one (`empty()`) at the end. Every later call repeats an error.
  Result<Batch> Next();

  // Hands the stream over through the Arrow C stream interface; the consumer releases *out, from
  // any thread. An error is an errno value (EINVAL for what the source holds, else EIO) with the
  // message of the Status, and stays in outcome().
  void Export(ArrowArrayStream* out) &&;
  // Shared with an exported stream: what it ended with.
  std::shared_ptr<const StreamOutcome> outcome() const { return outcome_; }

 private:
  std::unique_ptr<BatchSource> source_;
  std::shared_ptr<StreamOutcome> outcome_;
};

}  // namespace penstock::table
