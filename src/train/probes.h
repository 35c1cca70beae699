// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "package/signature.h"
#include "train/rows.h"

namespace penstock::train {

// Where there would be more, each kind of probe changes one row instead of kProbeRowsPerKind; then
// most columns get the essential ones alone, and some of very many none.
inline constexpr int64_t kProbesMax = 20'000;
inline constexpr int kProbeRowsPerKind = 3;

enum class ProbeKind {
  kMissing,
  kInfinity,   // either sign
  kMagnitude,  // far outside the data: beyond float32, integers above 2^24, large; either sign
  kBound,      // the ends of the data, just beyond them, a tenth of the range beyond them
  kZero,       // 0 and -0.0
  kCategory,   // strings that no row has; the empty string
  kFlag,       // true and false
  kZeroRow,    // every number 0; column is -1
};

// A real row with one column (or all numbers) changed. A value type.
struct Probe {
  ProbeKind kind = ProbeKind::kZeroRow;
  int column = -1;
  int64_t row = 0;  // that is changed
  Cell cell;
};

// What the rows at hand hold in one column.
struct ColumnRange {
  bool has_missing = false;
  bool has_infinity = false;
  bool has_numbers = false;  // finite ones: then min, max and abs_max mean something
  double min = 0;
  double max = 0;
  double abs_max = 0;
};

// By column; zeros for strings and booleans.
std::vector<ColumnRange> RangesOf(const Columns& rows);

struct ProbePlan {
  std::vector<Probe> probes;  // in the order of kinds
  int64_t left_out = 0;       // kinds of probes that kProbesMax has no room for, over all columns
};

// The probes of every column; the same seed gives the same ones.
ProbePlan MakeProbes(const package::Signature& signature, const Columns& rows,
                     const std::vector<ColumnRange>& ranges, uint64_t seed);

// Magnitudes can go on beyond the data up to this, for a column of this type.
double MagnitudeMax(package::Type type);
// A number of the column's type as a cell.
Cell NumberCell(package::Type type, double value);

// The absolute value of the probe's number; 0 where it is none.
double MagnitudeOf(const Probe& probe);

// The changed rows themselves.
Columns Apply(const Columns& rows, std::span<const Probe> probes);

// "age = 1e+39"; "all numbers 0".
std::string ToText(const package::Signature& signature, const Probe& probe);

}  // namespace penstock::train
