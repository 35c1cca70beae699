// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
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
// A model that refuses unseen categories and knows more than this stays with the original.
inline constexpr size_t kCategoriesMax = 10'000;

// What the original says to one probe.
struct Reply {
  bool is_refused = false;
  std::string reason;          // "ValueError: Input X contains NaN."
  engine::Predictions answer;  // of one row
};

// The original, asked about many rows at once where it lets us. Not thread-safe; what it was made
// with must outlive it.
class Questions {
 public:
  Questions(const package::Signature& signature, const Columns& rows, Original& original,
            const std::function<Status()>& poll)
      : signature_(signature), rows_(rows), original_(original), poll_(poll) {}

  // The answers to the rows at hand, asked in large batches. What the original raises comes back.
  Result<engine::Predictions> AskRows();
  // The reply to each probe. An exception refuses all rows of a call, so a call that raises is
  // divided until single rows are left: probes that are alike should stand side by side.
  Result<std::vector<Reply>> Ask(std::span<const Probe> probes);

 private:
  Result<engine::Predictions> Call(const Columns& columns);
  Status AskRange(std::span<const Probe> probes, std::span<Reply> replies);

  const package::Signature& signature_;
  const Columns& rows_;
  Original& original_;
  const std::function<Status()>& poll_;
};

// What the original makes of the probes.
struct Findings {
  std::vector<Probe> probes;  // those that were asked, as many as replies
  std::vector<Reply> replies;
  std::vector<Refusal> refusals;
  package::Signature signature;  // with what the original refuses; what it answers is allowed
  std::string inexpressible;     // not empty: a refusal that a signature cannot state, in words
};

// Asks all probes, then finds where refusals begin: to the last bit at the edge of float32 and
// below 2^53.
Result<Findings> FindRefusals(const package::Signature& signature, const Columns& rows,
                              const std::vector<ColumnRange>& ranges, std::span<const Probe> probes,
                              Questions& questions);

}  // namespace penstock::train
