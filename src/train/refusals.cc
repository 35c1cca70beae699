// SPDX-License-Identifier: Apache-2.0
#include "train/refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "train/answers.h"
#include "train/search.h"

namespace penstock::train {
namespace {

using package::Type;

constexpr size_t kReasonBytesMax = 240;
// The largest double that rounds to a finite float32: half a unit above it lies infinity.
constexpr double kFloat32Edge = 3.4028235677973362e38;
// From here on nobody minds where exactly a refusal begins, and every answer of the original that a
// search costs is dear: an eighth is near enough. Below it is found to the last bit.
constexpr Precision kEdgePrecision{.relative = 0.125, .from = 9007199254740992.0};

// The first line, cut so that it stays valid UTF-8.
std::string ReasonOf(const Status& status) {
  std::string reason = status.message().substr(0, status.message().find('\n'));
  if (reason.size() <= kReasonBytesMax) return reason;
  size_t size = kReasonBytesMax;
  while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xC0) == 0x80) --size;
  return reason.substr(0, size) + "...";
}

bool IsNumberProbe(const Probe& probe) {
  return probe.kind == ProbeKind::kMagnitude || probe.kind == ProbeKind::kBound ||
         probe.kind == ProbeKind::kZero;
}

// Only the first row of what is likely to be refused: each refusal costs a call of its own.
struct Split {
  std::vector<Probe> first;
  std::vector<Probe> rest;
};

Split SplitByRow(std::span<const Probe> probes) {
  Split split;
  const Probe* previous = nullptr;
  for (const Probe& probe : probes) {
    const bool is_repeat = previous != nullptr && previous->kind == probe.kind &&
                           previous->column == probe.column && previous->cell == probe.cell;
    (is_repeat ? split.rest : split.first).push_back(probe);
    previous = &probe;
  }
  return split;
}

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

// What was learnt about one column.
struct ColumnFindings {
  std::optional<std::string> missing;
  std::optional<std::string> infinity;
  std::optional<std::string> categories;
  double refused_min = 0;  // smallest magnitude refused, and why; 0: none
  double accepted_max = 0;
  std::string magnitude;
};

class Finder {
 public:
  Finder(const package::Signature& signature, const Columns& rows,
         const std::vector<ColumnRange>& ranges, Questions& questions)
      : rows_(rows), ranges_(ranges), questions_(questions), columns_(ranges.size()) {
    found_.signature = signature;
  }

  Result<Findings> Find(std::span<const Probe> probes) {
    PENSTOCK_TRY(AskAll(probes));
    Sort();
    PENSTOCK_TRY(FindEdges());
    for (size_t column = 0; column < columns_.size(); ++column) Publish(static_cast<int>(column));
    return std::move(found_);
  }

 private:
  Status AskAll(std::span<const Probe> probes) {
    Split split = SplitByRow(probes);
    // Alike probes side by side: by kind, then by size, so that halving finds the refused ones
    // quickly.
    std::ranges::stable_sort(split.first, {},
                             [](const Probe& p) { return std::pair(p.kind, MagnitudeOf(p)); });
    std::vector<Reply> replies = PENSTOCK_TRY(questions_.Ask(split.first));
    std::set<std::tuple<ProbeKind, int, Cell>> refused;
    for (size_t i = 0; i < replies.size(); ++i) {
      const Probe& probe = split.first[i];
      if (replies[i].is_refused) refused.insert({probe.kind, probe.column, probe.cell});
    }
    std::erase_if(split.rest,
                  [&](const Probe& p) { return refused.contains({p.kind, p.column, p.cell}); });
    std::vector<Reply> more = PENSTOCK_TRY(questions_.Ask(split.rest));
    found_.probes = std::move(split.first);
    found_.probes.insert(found_.probes.end(), split.rest.begin(), split.rest.end());
    found_.replies = std::move(replies);
    std::ranges::move(more, std::back_inserter(found_.replies));
    return {};
  }

  void Sort() {
    for (size_t i = 0; i < found_.probes.size(); ++i) {
      const Probe& probe = found_.probes[i];
      const Reply& reply = found_.replies[i];
      if (reply.is_refused) {
        SortRefused(probe, reply.reason);
      } else if (IsNumberProbe(probe)) {
        ColumnFindings& column = columns_[static_cast<size_t>(probe.column)];
        column.accepted_max = std::max(column.accepted_max, MagnitudeOf(probe));
      }
    }
  }

  void SortRefused(const Probe& probe, const std::string& reason) {
    if (probe.kind == ProbeKind::kZeroRow || probe.kind == ProbeKind::kFlag)
      return CannotSay(probe, reason);
    const auto index = static_cast<size_t>(probe.column);
    ColumnFindings& column = columns_[index];
    if (probe.kind == ProbeKind::kMissing) {
      if (ranges_[index].has_missing) return CannotSay(probe, reason);
      column.missing = reason;
    } else if (probe.kind == ProbeKind::kInfinity) {
      if (ranges_[index].has_infinity) return CannotSay(probe, reason);
      column.infinity = reason;
    } else if (probe.kind == ProbeKind::kCategory) {
      // The first one: what it says of the others names other strings.
      if (!column.categories)
        column.categories = fmt::format("to {}: {}", ToText(probe.cell), reason);
    } else if (MagnitudeOf(probe) <= ranges_[index].abs_max) {
      CannotSay(probe, reason);
    } else if (column.refused_min == 0 || MagnitudeOf(probe) < column.refused_min) {
      column.refused_min = MagnitudeOf(probe);
      column.magnitude = reason;
    }
  }

  void CannotSay(const Probe& probe, const std::string& reason) {
    if (!found_.inexpressible.empty()) return;
    found_.inexpressible = fmt::format(
        "the model refuses {} in row {} ({}) but answers rows that a native form cannot "
        "tell from it",
        ToText(found_.signature, probe), probe.row, reason);
  }

  Status FindEdges() {
    std::vector<Search> searches;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const ColumnFindings& column = columns_[i];
      if (column.refused_min == 0) continue;
      const double low = column.accepted_max < column.refused_min ? column.accepted_max : 0;
      searches.push_back({.column = static_cast<int>(i),
                          .type = found_.signature.inputs[i].type,
                          .low = std::max(low, ranges_[i].abs_max),
                          .high = column.refused_min,
                          .guesses = {kFloat32Edge},
                          .rough_guesses = ScaledEdges(rows_.column(static_cast<int>(i)))});
    }
    const auto accepts = [&](std::span<const Trial> trials) { return Accepts(searches, trials); };
    PENSTOCK_TRY(Narrow(searches, kEdgePrecision, accepts));
    for (const Search& search : searches) {
      const ColumnFindings& column = columns_[static_cast<size_t>(search.column)];
      found_.signature.inputs[static_cast<size_t>(search.column)].abs_max =
          package::Bound{.value = search.low,
                         .refused_by_original = true,
                         .reason = fmt::format("the original refuses it ({})", column.magnitude)};
    }
    return {};
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
      for (size_t i = 0; i < replies.size(); ++i) accepts[owners[i]] = !replies[i].is_refused;
    }
    return accepts;
  }

  void Publish(int index) {
    package::Input& input = found_.signature.inputs[static_cast<size_t>(index)];
    const ColumnFindings& column = columns_[static_cast<size_t>(index)];
    input.allows_missing = !column.missing;
    input.missing_reason = column.missing.value_or("");
    input.allows_infinity =
        !column.infinity && (input.type == Type::kFloat64 || input.type == Type::kFloat32);
    if (column.missing) Add(input, "missing", 0, *column.missing);
    if (column.infinity) Add(input, "infinity", 0, *column.infinity);
    if (column.refused_min != 0) Add(input, "abs_max", input.abs_max->value, column.magnitude);
    if (column.categories) PublishCategories(index, *column.categories);
  }

  void PublishCategories(int index, const std::string& reason) {
    package::Input& input = found_.signature.inputs[static_cast<size_t>(index)];
    Add(input, "categories", 0, reason);
    const Strings& strings = std::get<Strings>(rows_.column(index));
    std::set<std::string> seen;
    for (int64_t row = 0; row < rows_.rows() && seen.size() <= kCategoriesMax; ++row) {
      const Cell cell = rows_.At(row, index);
      if (!IsMissing(cell)) seen.insert(strings.values[static_cast<size_t>(row)]);
    }
    if (seen.size() > kCategoriesMax) {
      found_.inexpressible = fmt::format(
          "the model refuses strings of column '{}' that it does not know ({}), and "
          "knows more than {}",
          input.name, reason, kCategoriesMax);
      return;
    }
    input.categories.assign(seen.begin(), seen.end());
    input.categories_reason =
        fmt::format("the original refuses what it does not know ({})", reason);
  }

  void Add(const package::Input& input, std::string kind, double abs_max, std::string reason) {
    found_.refusals.push_back({.column = input.name,
                               .kind = std::move(kind),
                               .abs_max = abs_max,
                               .reason = std::move(reason)});
  }

  const Columns& rows_;
  const std::vector<ColumnRange>& ranges_;
  Questions& questions_;
  std::vector<ColumnFindings> columns_;
  Findings found_;
};

int64_t RowsPerCall(const Columns& rows) {
  return std::clamp<int64_t>(kOriginalCellsMax / std::max(1, rows.width()), 1, kOriginalRowsMax);
}

}  // namespace

Result<engine::Predictions> Questions::Call(const Columns& columns) {
  auto answers = original_.Predict(columns);
  if (poll_) PENSTOCK_TRY(poll_());
  if (!answers.ok()) return answers;
  PENSTOCK_TRY(CheckAnswers(signature_, *answers, columns.rows()));
  return answers;
}

Result<engine::Predictions> Questions::AskRows() {
  engine::Predictions all;
  std::vector<int64_t> chunk;
  for (int64_t begin = 0; begin < rows_.rows(); begin += RowsPerCall(rows_)) {
    chunk.clear();
    for (int64_t row = begin; row < std::min(rows_.rows(), begin + RowsPerCall(rows_)); ++row)
      chunk.push_back(row);
    Append(PENSTOCK_TRY(Call(rows_.Gather(chunk))), all);
  }
  return all;
}

Result<std::vector<Reply>> Questions::Ask(std::span<const Probe> probes) {
  std::vector<Reply> replies(probes.size());
  const auto limit = static_cast<size_t>(RowsPerCall(rows_));
  for (size_t begin = 0; begin < probes.size();) {
    // One kind a call: a missing value turns a whole column of integers into floating point
    // numbers.
    size_t end = begin;
    while (end < probes.size() && end - begin < limit && probes[end].kind == probes[begin].kind)
      ++end;
    PENSTOCK_TRY(AskRange(probes.subspan(begin, end - begin),
                          std::span(replies).subspan(begin, end - begin)));
    begin = end;
  }
  return replies;
}

Status Questions::AskRange(std::span<const Probe> probes, std::span<Reply> replies) {
  auto answers = original_.Predict(Apply(rows_, probes));
  if (poll_) PENSTOCK_TRY(poll_());
  if (answers.ok()) {
    PENSTOCK_TRY(CheckAnswers(signature_, *answers, static_cast<int64_t>(probes.size())));
    for (size_t i = 0; i < probes.size(); ++i) {
      replies[i].answer = TakeRow(signature_, *answers, static_cast<int64_t>(i));
    }
    return {};
  }
  if (answers.status().code() == Code::kCancelled) return answers.status();
  if (probes.size() == 1) {
    replies[0] = {.is_refused = true, .reason = ReasonOf(answers.status())};
    return {};
  }
  // What is alike stands side by side: where the first is refused, the next ones will be.
  size_t single = 0;
  bool is_refused = true;
  while (is_refused && single < probes.size()) {
    PENSTOCK_TRY(AskRange(probes.subspan(single, 1), replies.subspan(single, 1)));
    is_refused = replies[single].is_refused;
    ++single;
  }
  if (single == probes.size()) return {};
  const size_t half = single + (probes.size() - single) / 2;
  if (half > single)
    PENSTOCK_TRY(
        AskRange(probes.subspan(single, half - single), replies.subspan(single, half - single)));
  return AskRange(probes.subspan(half), replies.subspan(half));
}

Result<Findings> FindRefusals(const package::Signature& signature, const Columns& rows,
                              const std::vector<ColumnRange>& ranges, std::span<const Probe> probes,
                              Questions& questions) {
  return Finder(signature, rows, ranges, questions).Find(probes);
}

}  // namespace penstock::train
