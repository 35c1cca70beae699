// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "train/parity.h"
#include "train/probes.h"
#include "train/refusals.h"
#include "train/rows.h"

namespace penstock::train {

// What every candidate is held against. Borrowed for the length of a call.
struct Evidence {
  const Columns& rows;                 // at hand, sampled
  int64_t rows_given = 0;              // of which `rows` are an even sample
  const engine::Predictions& answers;  // the original's, to rows
  const std::vector<ColumnRange>& ranges;
  const Findings& findings;
  Questions& questions;
};

// The row that was given, for a row of the sample.
int64_t GivenRow(int64_t row, int64_t rows, int64_t rows_given);

// Holds one candidate against the evidence: all rows in every batch size, then probes, then where
// it stops to agree. Stops after what failed. Errors are those of the poll and of the original.
Result<CandidateReport> TryCandidate(const Candidate& candidate, const Evidence& evidence,
                                     const ParityOptions& options);

}  // namespace penstock::train
