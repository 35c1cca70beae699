// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "package/signature.h"

namespace penstock::train {

// The search, in one column, for the magnitude at which something stops to hold: it holds at `low`,
// not at `high`, 0 <= low < high.
struct Search {
  int column = 0;
  package::Type type = package::Type::kFloat64;
  double low = 0;
  double high = 0;
  std::vector<double> guesses;        // where it may be: each is tried, with the number after it
  std::vector<double> rough_guesses;  // the same, but kRough below and above it are tried
};

inline constexpr double kRough = 0.01;  // of a rough guess

// A magnitude to try for searches[index].
struct Trial {
  size_t index = 0;
  double magnitude = 0;
};

// Whether it holds, for each trial.
using HoldsAt = std::function<Result<std::vector<bool>>(std::span<const Trial>)>;

// How near low and high must come to each other.
struct Precision {
  double relative =
      0;  // high <= low x (1 + relative); 0: until they are neighbours in the column's type
  double from =
      0;  // of magnitudes from here on; smaller ones are narrowed down until they are neighbours
};

// `count` of `size` places, evenly spaced; count <= size.
std::vector<bool> EvenPlaces(size_t count, size_t size);

// Tries the guesses, then halves all searches in step, so that one call of `holds_at` serves every
// column.
Status Narrow(std::vector<Search>& searches, const Precision& precision, const HoldsAt& holds_at);

}  // namespace penstock::train
