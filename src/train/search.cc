// SPDX-License-Identifier: Apache-2.0
#include "train/search.h"

#include <bit>
#include <cstdint>

#include "base/check.h"

namespace penstock::train {
namespace {

using package::Type;

// Non-negative numbers of a type in their order: neighbours differ by 1. For floating point numbers these are the bits.
int64_t OrdinalOf(Type type, double value) {
  if (type == Type::kInt64) return static_cast<int64_t>(value);
  if (type == Type::kFloat32) return std::bit_cast<int32_t>(static_cast<float>(value));
  return std::bit_cast<int64_t>(value);
}

double FromOrdinal(Type type, int64_t ordinal) {
  if (type == Type::kInt64) return static_cast<double>(ordinal);
  if (type == Type::kFloat32) return static_cast<double>(std::bit_cast<float>(static_cast<int32_t>(ordinal)));
  return std::bit_cast<double>(ordinal);
}

double NextAfter(Type type, double value) { return FromOrdinal(type, OrdinalOf(type, value) + 1); }

double Middle(const Search& search) {
  const int64_t low = OrdinalOf(search.type, search.low);
  return FromOrdinal(search.type, low + (OrdinalOf(search.type, search.high) - low) / 2);
}

bool IsDone(const Search& search, double relative) {
  const double middle = Middle(search);
  return middle <= search.low || middle >= search.high || search.high <= search.low * (1 + relative);
}

Status Step(std::vector<Search>& searches, const std::vector<Trial>& trials, const HoldsAt& holds_at) {
  if (trials.empty()) return {};
  const std::vector<bool> holds = PENSTOCK_TRY(holds_at(trials));
  PENSTOCK_CHECK(holds.size() == trials.size());
  for (size_t i = 0; i < trials.size(); ++i) {
    Search& search = searches[trials[i].index];
    (holds[i] ? search.low : search.high) = trials[i].magnitude;
  }
  return {};
}

Status TryEverywhere(std::vector<Search>& searches, double hint, bool is_after, const HoldsAt& holds_at) {
  std::vector<Trial> trials;
  for (size_t i = 0; i < searches.size(); ++i) {
    const double magnitude = is_after ? NextAfter(searches[i].type, hint) : hint;
    if (searches[i].low < magnitude && magnitude < searches[i].high) trials.push_back({i, magnitude});
  }
  return Step(searches, trials, holds_at);
}

}  // namespace

Status Narrow(std::vector<Search>& searches, std::span<const double> hints, double relative, const HoldsAt& holds_at) {
  for (const double hint : hints) {
    PENSTOCK_TRY(TryEverywhere(searches, hint, false, holds_at));
    PENSTOCK_TRY(TryEverywhere(searches, hint, true, holds_at));
  }
  while (true) {
    std::vector<Trial> trials;
    for (size_t i = 0; i < searches.size(); ++i) {
      if (!IsDone(searches[i], relative)) trials.push_back({i, Middle(searches[i])});
    }
    if (trials.empty()) return {};
    PENSTOCK_TRY(Step(searches, trials, holds_at));
  }
}

}  // namespace penstock::train
