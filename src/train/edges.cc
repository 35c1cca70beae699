// SPDX-License-Identifier: Apache-2.0
#include "train/edges.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "train/probes.h"

namespace penstock::train {
namespace {

// The largest double that rounds to a finite float32: half a unit above it lies infinity.
constexpr double kFloat32Edge = 3.4028235677973362e38;
// From here on nobody minds where exactly a refusal begins, and every answer of the original that a
// search costs is dear: an eighth is near enough. Below it is found to the last bit.
constexpr Precision kEdgePrecision{.relative = 0.125, .from = 9007199254740992.0};

// Where a model that scales a column first, as scikit-learn's scalers do, meets the edge of
// float32: by standard deviation, range, interquartile range, or largest value.
std::vector<double> ScaledEdges(const train::Column& column) {
  std::vector<double> values;
  for (int64_t row = 0; row < Size(column); ++row) {
    const Cell cell = At(column, row);
    if (const int64_t* integer = std::get_if<int64_t>(&cell))
      values.push_back(static_cast<double>(*integer));
    const double* number = std::get_if<double>(&cell);
    if (number != nullptr && std::isfinite(*number)) values.push_back(*number);
  }
  if (values.empty()) return {};
  std::ranges::sort(values);
  const auto count = static_cast<double>(values.size());
  double mean = 0;
  for (const double value : values) mean += value / count;
  double variance = 0;
  for (const double value : values) variance += (value - mean) * (value - mean) / count;
  const auto quantile = [&](double share) {
    return values[static_cast<size_t>(share * (count - 1))];
  };
  std::vector<double> edges;
  for (const double scale :
       {std::sqrt(variance), values.back() - values.front(), quantile(0.75) - quantile(0.25),
        std::max(std::fabs(values.front()), std::fabs(values.back()))}) {
    const double edge = scale * kFloat32Edge;
    if (edge > 0 && std::isfinite(edge)) edges.push_back(edge);
  }
  return edges;
}

class EdgeFinder {
 public:
  EdgeFinder(const Columns& rows, Questions& questions) : rows_(rows), questions_(questions) {}

  Status InAll(std::vector<Search>& searches) {
    for (Search& search : searches) {
      search.guesses = {kFloat32Edge};
      search.rough_guesses = ScaledEdges(rows_.column(search.column));
    }
    return Narrow(searches, kEdgePrecision,
                  [&](std::span<const Trial> trials) { return Accepts(searches, trials); });
  }

  // Searches in a few columns, and asks in one call whether the others accept the same place.
  Status ByFew(std::vector<Search>& searches) {
    const std::vector<bool> is_chosen = EvenPlaces(kColumnsSearchedFirst, searches.size());
    std::vector<Search> few;
    std::vector<Search> others;
    for (size_t i = 0; i < searches.size(); ++i)
      (is_chosen[i] ? few : others).push_back(std::move(searches[i]));
    PENSTOCK_TRY(InAll(few));
    const std::vector<bool> is_settled = PENSTOCK_TRY(Follow(few, others));
    searches = std::move(few);
    std::vector<Search> unsettled;
    for (size_t i = 0; i < others.size(); ++i) {
      const bool is_done = is_settled[i] || others[i].low >= kEdgePrecision.from;
      (is_done ? searches : unsettled).push_back(std::move(others[i]));
    }
    PENSTOCK_TRY(InAll(unsettled));
    std::ranges::move(unsettled, std::back_inserter(searches));
    return {};
  }

 private:
  // Moves the low ends of the others to where those of the few lie: one number for all, or the same
  // of their own rough guesses. Tells which it moved.
  Result<std::vector<bool>> Follow(const std::vector<Search>& few, std::vector<Search>& others) {
    std::vector<bool> is_settled(others.size());
    const auto is_same = [&](const Search& search) { return search.low == few[0].low; };
    const bool is_one_number = std::ranges::all_of(few, is_same);
    const std::optional<size_t> guess = SharedGuess(few);
    if (!is_one_number && !guess) return is_settled;
    std::vector<Trial> trials;
    for (size_t i = 0; i < others.size(); ++i) {
      double place = few[0].low;
      if (!is_one_number) {
        const std::vector<double> edges = ScaledEdges(rows_.column(others[i].column));
        place = *guess < edges.size() ? edges[*guess] * (1 - kRough) : 0;
      }
      if (others[i].low < place && place < others[i].high) trials.push_back({i, place});
    }
    const std::vector<bool> accepts = PENSTOCK_TRY(Accepts(others, trials));
    for (size_t t = 0; t < trials.size(); ++t) {
      if (!accepts[t]) continue;
      others[trials[t].index].low = trials[t].magnitude;
      is_settled[trials[t].index] = true;
    }
    return is_settled;
  }

  // The rough guess at whose lower side every search ended.
  static std::optional<size_t> SharedGuess(const std::vector<Search>& few) {
    for (size_t n = 0; n < few[0].rough_guesses.size(); ++n) {
      const auto ended_there = [&](const Search& search) {
        return n < search.rough_guesses.size() &&
               search.low == search.rough_guesses[n] * (1 - kRough);
      };
      if (std::ranges::all_of(few, ended_there)) return n;
    }
    return std::nullopt;
  }

  // Both signs must be answered for a magnitude to count as accepted.
  Result<std::vector<bool>> Accepts(const std::vector<Search>& searches,
                                    std::span<const Trial> trials) {
    std::vector<bool> accepts(trials.size(), true);
    for (const double sign : {1.0, -1.0}) {
      std::vector<Probe> probes;
      std::vector<size_t> owners;
      for (size_t t = 0; t < trials.size(); ++t) {
        if (!accepts[t]) continue;
        const Search& search = searches[trials[t].index];
        probes.push_back({.kind = ProbeKind::kMagnitude,
                          .column = search.column,
                          .row = search.column % rows_.rows(),
                          .cell = NumberCell(search.type, sign * trials[t].magnitude)});
        owners.push_back(t);
      }
      const std::vector<Reply> replies = PENSTOCK_TRY(questions_.Ask(probes));
      for (size_t i = 0; i < replies.size(); ++i)
        accepts[owners[i]] = replies[i].is_asked && !replies[i].is_refused;
    }
    return accepts;
  }

  const Columns& rows_;
  Questions& questions_;
};

}  // namespace

Status FindEdges(const Columns& rows, Questions& questions, std::vector<Search>& searches) {
  EdgeFinder finder(rows, questions);
  return searches.size() <= kColumnsSearchedMax ? finder.InAll(searches) : finder.ByFew(searches);
}

}  // namespace penstock::train
