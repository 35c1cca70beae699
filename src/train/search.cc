// SPDX-License-Identifier: Apache-2.0
#include "train/search.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "base/check.h"

namespace penstock::train {
namespace {

using package::Type;

// Non-negative numbers of a type in their order: neighbours differ by 1. For floating point numbers
// these are the bits.
int64_t OrdinalOf(Type type, double value) {
  if (type == Type::kInt64) return static_cast<int64_t>(value);
  if (type == Type::kFloat32) return std::bit_cast<int32_t>(static_cast<float>(value));
  return std::bit_cast<int64_t>(value);
}

double FromOrdinal(Type type, int64_t ordinal) {
  if (type == Type::kInt64) return static_cast<double>(ordinal);
  if (type == Type::kFloat32)
    return static_cast<double>(std::bit_cast<float>(static_cast<int32_t>(ordinal)));
  return std::bit_cast<double>(ordinal);
}

double NextAfter(Type type, double value) { return FromOrdinal(type, OrdinalOf(type, value) + 1); }

double Middle(const Search& search) {
  const int64_t low = OrdinalOf(search.type, search.low);
  return FromOrdinal(search.type, low + (OrdinalOf(search.type, search.high) - low) / 2);
}

bool IsDone(const Search& search, const Precision& precision) {
  const double middle = Middle(search);
  if (middle <= search.low || middle >= search.high) return true;
  return search.low >= precision.from && search.high <= search.low * (1 + precision.relative);
}

Status Step(std::vector<Search>& searches, const std::vector<Trial>& trials,
            const HoldsAt& holds_at) {
  if (trials.empty()) return {};
  const std::vector<bool> holds = PENSTOCK_TRY(holds_at(trials));
  PENSTOCK_CHECK(holds.size() == trials.size());
  for (size_t i = 0; i < trials.size(); ++i) {
    Search& search = searches[trials[i].index];
    (holds[i] ? search.low : search.high) = trials[i].magnitude;
  }
  return {};
}

// One guess of each search, below it and above it.
struct Bracket {
  size_t index = 0;
  double below = 0;
  double above = 0;
};

Status Try(std::vector<Search>& searches, std::span<const Bracket> brackets,
           const HoldsAt& holds_at) {
  for (const double Bracket::* side : {&Bracket::below, &Bracket::above}) {
    std::vector<Trial> trials;
    for (const Bracket& bracket : brackets) {
      const Search& search = searches[bracket.index];
      const double magnitude = bracket.*side;
      if (search.low < magnitude && magnitude < search.high)
        trials.push_back({bracket.index, magnitude});
    }
    PENSTOCK_TRY(Step(searches, trials, holds_at));
  }
  return {};
}

Status TryGuesses(std::vector<Search>& searches, const HoldsAt& holds_at) {
  const auto most = [&](std::vector<double> Search::* guesses) {
    size_t count = 0;
    for (const Search& search : searches) count = std::max(count, (search.*guesses).size());
    return count;
  };
  for (size_t n = 0; n < most(&Search::guesses); ++n) {
    std::vector<Bracket> brackets;
    for (size_t i = 0; i < searches.size(); ++i) {
      if (n >= searches[i].guesses.size()) continue;
      const double guess = searches[i].guesses[n];
      if (guess >= searches[i].high) continue;
      brackets.push_back({i, guess, NextAfter(searches[i].type, guess)});
    }
    PENSTOCK_TRY(Try(searches, brackets, holds_at));
  }
  for (size_t n = 0; n < most(&Search::rough_guesses); ++n) {
    std::vector<Bracket> brackets;
    for (size_t i = 0; i < searches.size(); ++i) {
      if (n >= searches[i].rough_guesses.size()) continue;
      const double guess = searches[i].rough_guesses[n];
      brackets.push_back({i, guess * (1 - kRough), guess * (1 + kRough)});
    }
    PENSTOCK_TRY(Try(searches, brackets, holds_at));
  }
  return {};
}

}  // namespace

std::vector<bool> EvenPlaces(size_t count, size_t size) {
  std::vector<bool> is_chosen(size);
  for (size_t i = 0; i < count; ++i) is_chosen[i * size / count] = true;
  return is_chosen;
}

Status Narrow(std::vector<Search>& searches, const Precision& precision, const HoldsAt& holds_at) {
  PENSTOCK_TRY(TryGuesses(searches, holds_at));
  while (true) {
    std::vector<Trial> trials;
    for (size_t i = 0; i < searches.size(); ++i) {
      if (!IsDone(searches[i], precision)) trials.push_back({i, Middle(searches[i])});
    }
    if (trials.empty()) return {};
    PENSTOCK_TRY(Step(searches, trials, holds_at));
  }
}

}  // namespace penstock::train
