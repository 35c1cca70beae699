// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "package/signature.h"

namespace penstock::train {

// The search, in one column, for the magnitude at which something stops to hold: it holds at `low`, not at `high`,
// 0 <= low < high.
struct Search {
  int column = 0;
  package::Type type = package::Type::kFloat64;
  double low = 0;
  double high = 0;
};

// A magnitude to try for searches[index].
struct Trial {
  size_t index = 0;
  double magnitude = 0;
};

// Whether it holds, for each trial.
using HoldsAt = std::function<Result<std::vector<bool>>(std::span<const Trial>)>;

// Halves all searches in step, so that one call of `holds_at` serves every column: until low and high are neighbours in
// the column's type, or high <= low x (1 + relative). Each of `hints` is tried first, with the number after it.
Status Narrow(std::vector<Search>& searches, std::span<const double> hints, double relative, const HoldsAt& holds_at);

}  // namespace penstock::train
