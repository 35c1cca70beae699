// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "package/signature.h"
#include "train/original.h"
#include "train/parity.h"
#include "train/probes.h"
#include "train/rows.h"

namespace penstock::train {

// The original is given at most this many values, and rows, at a time.
inline constexpr int64_t kOriginalCellsMax = int64_t{1} << 24;
inline constexpr int64_t kOriginalRowsMax = 16'384;

// What the original says to one probe.
struct Reply {
  bool is_asked = false;  // false: time ran out
  bool is_refused = false;
  std::string reason;          // "ValueError: Input X contains NaN."
  engine::Predictions answer;  // of one row
};

// The original, asked about many rows at once where it lets us. Not thread-safe; what it was made
// with must outlive it.
class Questions {
 public:
  Questions(const package::Signature& signature, const Columns& rows, Original& original,
            const ParityOptions& options)
      : signature_(signature), rows_(rows), original_(original), options_(options) {}

  // From now on for so long; probes that are asked later get no reply. Without it there is no end.
  void GiveTime(double seconds);

  // The answers to the rows at hand, asked in large batches. What the original raises comes back.
  Result<engine::Predictions> AskRows();

  // The reply to each probe. An exception refuses all rows of a call, so a call that raises is
  // divided until single rows are left: probes that are alike should stand side by side.
  Result<std::vector<Reply>> Ask(std::span<const Probe> probes);

  // The two halves of that, for probes of one kind, as many as rows_per_call() at most. Together:
  // one call; false when the original refuses it, with no reply. Apart: what a refused call is
  // divided into.
  Result<bool> AskTogether(std::span<const Probe> probes, std::span<Reply> replies);
  Status AskApart(std::span<const Probe> probes, std::span<Reply> replies);

  // As many rows as the limits above allow, and as a small part of the time given is enough for.
  size_t rows_per_call() const;

 private:
  // An error only where the check must end: what the original raises is its answer.
  Status Call(const Columns& columns, Result<engine::Predictions>& answers);
  Status AskRange(std::span<const Probe> probes, std::span<Reply> replies);
  bool IsOutOfTime() const;

  const package::Signature& signature_;
  const Columns& rows_;
  Original& original_;
  const ParityOptions& options_;
  int64_t given_ns_ = 0;
  int64_t end_ns_ = 0;
  int64_t row_ns_ = 0;  // of the last call that was answered
};

}  // namespace penstock::train
