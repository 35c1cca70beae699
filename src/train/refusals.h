// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "package/signature.h"
#include "train/parity.h"
#include "train/probes.h"
#include "train/questions.h"
#include "train/rows.h"

namespace penstock::train {

// Where the original refuses, each column costs a call of its own. Of more columns than this that
// many are asked, evenly spaced; where it refuses all of them in the same words, the others are
// taken as refused.
inline constexpr size_t kColumnsAskedSingly = 64;
// A model that refuses unseen categories and knows more than this stays with the original.
inline constexpr size_t kCategoriesMax = 10'000;

// What the original makes of the probes.
struct Findings {
  std::vector<Probe> probes;  // those that were asked, as many as replies
  std::vector<Reply> replies;
  int64_t assumed = 0;  // probes taken as refused, because others like them were
  int64_t unasked = 0;  // probes for which there was no time
  std::vector<Refusal> refusals;
  package::Signature signature;  // with what the original refuses; what it answers is allowed
  std::string inexpressible;     // not empty: a refusal that a signature cannot state, in words
};

// Asks the probes, then finds where refusals begin: to the last bit at the edge of float32 and
// below 2^53. What no probe asked about counts as refused.
// `known_strings` as in ParityOptions.
Result<Findings> FindRefusals(const package::Signature& signature, const Columns& rows,
                              const std::vector<ColumnRange>& ranges, std::span<const Probe> probes,
                              std::span<const std::vector<std::string>> known_strings,
                              Questions& questions);

}  // namespace penstock::train
