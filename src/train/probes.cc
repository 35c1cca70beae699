// SPDX-License-Identifier: Apache-2.0
#include "train/probes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>

namespace penstock::train {
namespace {

using package::Type;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kRandomMagnitudes = 3;  // up to what float32 holds; one more goes beyond
constexpr double kFloat32Range = 1e38;
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

bool IsNumeric(Type type) {
  return type == Type::kFloat32 || type == Type::kFloat64 || type == Type::kInt64;
}

void Include(double value, ColumnRange& range) {
  if (std::isnan(value)) {
    range.has_missing = true;
  } else if (std::isinf(value)) {
    range.has_infinity = true;
  } else {
    range.min = range.has_numbers ? std::min(range.min, value) : value;
    range.max = range.has_numbers ? std::max(range.max, value) : value;
    range.abs_max = std::max(range.abs_max, std::fabs(value));
    range.has_numbers = true;
  }
}

ColumnRange RangeOf(const Column& column) {
  ColumnRange range;
  if (const Numbers* numbers = std::get_if<Numbers>(&column)) {
    for (const double value : numbers->values) Include(value, range);
  } else if (const Integers* integers = std::get_if<Integers>(&column)) {
    for (const int64_t value : integers->values) Include(static_cast<double>(value), range);
  } else {
    const auto is_missing = [](uint8_t mark) { return mark != 0; };
    const auto& marks = std::holds_alternative<Strings>(column) ? std::get<Strings>(column).missing
                                                                : std::get<Bools>(column).missing;
    range.has_missing = std::ranges::any_of(marks, is_missing);
  }
  return range;
}

double Next(Type type, double value, double towards) {
  if (type == Type::kInt64) return towards > value ? value + 1 : value - 1;
  if (type == Type::kFloat64) return std::nextafter(value, towards);
  return static_cast<double>(
      std::nextafter(static_cast<float>(value), static_cast<float>(towards)));
}

// A cell to try in one column.
struct Attempt {
  ProbeKind kind = ProbeKind::kMissing;
  Cell cell;
  bool is_essential = false;  // without it a column would be refused what it can well answer
};

// Collects them.
class ColumnProbes {
 public:
  ColumnProbes(Type type, const ColumnRange& range, std::mt19937_64& random)
      : type_(type), range_(range), random_(random) {
    Add(ProbeKind::kMissing, Missing(), true);
    if (IsNumeric(type)) {
      AddNumbers();
    } else if (type == Type::kBool) {
      Add(ProbeKind::kFlag, true);
      Add(ProbeKind::kFlag, false);
    } else {
      AddStrings();
    }
  }

  const std::vector<Attempt>& attempts() const { return attempts_; }

 private:
  void Add(ProbeKind kind, Cell cell, bool is_essential = false) {
    attempts_.push_back({.kind = kind, .cell = std::move(cell), .is_essential = is_essential});
  }

  void AddNumbers() {
    Add(ProbeKind::kInfinity, kInfinity, true);
    Add(ProbeKind::kInfinity, -kInfinity);
    AddMagnitudes();
    if (range_.has_numbers) AddBounds();
    Add(ProbeKind::kZero, NumberCell(type_, 0));
    if (type_ != Type::kInt64) Add(ProbeKind::kZero, -0.0);
  }

  void AddBounds() {
    const double beyond = (range_.max - range_.min) / 10;
    for (const double value :
         {range_.min, range_.max, Next(type_, range_.min, -kInfinity),
          Next(type_, range_.max, kInfinity), range_.min - beyond, range_.max + beyond}) {
      const double whole = type_ == Type::kInt64 ? std::trunc(value) : value;
      if (std::fabs(whole) <= MagnitudeMax(type_)) Add(ProbeKind::kBound, NumberCell(type_, whole));
    }
  }

  void AddBothSigns(Cell cell, bool is_essential = false) {
    Add(ProbeKind::kMagnitude, cell, is_essential);
    if (const int64_t* integer = std::get_if<int64_t>(&cell))
      return Add(ProbeKind::kMagnitude, -*integer);
    Add(ProbeKind::kMagnitude, -std::get<double>(cell));
  }

  void AddMagnitudes() {
    constexpr int64_t kBeyondFloat32Integers = (int64_t{1} << 24) + 1;
    constexpr int64_t kBeyondFloat64Integers = (int64_t{1} << 53) + 1;
    if (type_ == Type::kInt64) {
      AddBothSigns(kBeyondFloat32Integers);
      AddBothSigns(kBeyondFloat64Integers, true);
      AddBothSigns(kInt64Max, true);
    } else {
      AddBothSigns(static_cast<double>(kBeyondFloat32Integers));
      AddBothSigns(9007199254740994.0);
      AddBothSigns(1e30, true);
      if (type_ == Type::kFloat64) AddBothSigns(1e39);
      AddBothSigns(MagnitudeMax(type_), true);
    }
    for (int i = 0; i < kRandomMagnitudes; ++i)
      AddRandomMagnitude(std::min(kFloat32Range, MagnitudeMax(type_)));
    AddRandomMagnitude(MagnitudeMax(type_));
  }

  // Even in the logarithm, so that no order of magnitude beyond the data goes untried. Of either
  // sign.
  void AddRandomMagnitude(double largest) {
    const double low = std::log(std::max(range_.abs_max, 1.0));
    const double high = std::log(largest);
    const double share = std::uniform_real_distribution<double>()(random_);
    const double value = std::trunc(
        std::min(std::exp(low + share * std::max(0.0, high - low)), MagnitudeMax(type_)));
    Add(ProbeKind::kMagnitude, NumberCell(type_, random_() % 2 == 0 ? value : -value));
  }

  void AddStrings() {
    Add(ProbeKind::kCategory, fmt::format("unseen-{:08x}", static_cast<uint32_t>(random_())), true);
    Add(ProbeKind::kCategory, "unseen \xC3\xBC\xE2\x9C\x93");
    Add(ProbeKind::kCategory, std::string());
  }

  Type type_;
  const ColumnRange& range_;
  std::mt19937_64& random_;
  std::vector<Attempt> attempts_;
};

void SetZeros(Columns& rows, int64_t row) {
  for (int column = 0; column < rows.width(); ++column) {
    if (std::holds_alternative<Numbers>(rows.column(column))) rows.Set(row, column, 0.0);
    if (std::holds_alternative<Integers>(rows.column(column))) rows.Set(row, column, int64_t{0});
  }
}

// The columns in an order of which every beginning is spread evenly over all of them: by the
// fractional parts of multiples of the golden ratio (Weyl, 1916).
std::vector<size_t> SpreadOrder(size_t columns) {
  const auto fraction = [](size_t column) {
    return std::fmod(static_cast<double>(column) * std::numbers::phi, 1.0);
  };
  std::vector<size_t> order(columns);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, fraction);
  return order;
}

// Drops attempts until `attempts_max` are left: first of some columns all but the essential ones,
// then those too. Returns how many it dropped.
int64_t KeepWithin(int64_t attempts_max, std::vector<std::vector<Attempt>>& attempts) {
  int64_t total = 0;
  for (const std::vector<Attempt>& column : attempts) total += std::ssize(column);
  if (total <= attempts_max) return 0;
  const std::vector<size_t> order = SpreadOrder(attempts.size());
  std::vector<bool> is_full(attempts.size());
  std::vector<bool> is_kept(attempts.size());
  int64_t room = attempts_max;
  const auto essential = [](const std::vector<Attempt>& column) {
    return std::ranges::count_if(column, &Attempt::is_essential);
  };
  for (const size_t column : order) {
    is_kept[column] = essential(attempts[column]) <= room;
    if (is_kept[column]) room -= essential(attempts[column]);
  }
  for (const size_t column : order) {
    const int64_t more = std::ssize(attempts[column]) - essential(attempts[column]);
    is_full[column] = is_kept[column] && more <= room;
    if (is_full[column]) room -= more;
  }
  for (size_t column = 0; column < attempts.size(); ++column) {
    std::erase_if(attempts[column], [&](const Attempt& attempt) {
      return !is_full[column] && !(is_kept[column] && attempt.is_essential);
    });
  }
  return total - (attempts_max - room);
}

}  // namespace

std::vector<ColumnRange> RangesOf(const Columns& rows) {
  std::vector<ColumnRange> ranges;
  for (int column = 0; column < rows.width(); ++column)
    ranges.push_back(RangeOf(rows.column(column)));
  return ranges;
}

double MagnitudeMax(Type type) {
  // -2^63 has no positive counterpart: 2^63 - 1 rounds to 2^63 as a double, so the largest double
  // below it is taken.
  if (type == Type::kInt64) return 9223372036854774784.0;
  return type == Type::kFloat32 ? static_cast<double>(std::numeric_limits<float>::max())
                                : std::numeric_limits<double>::max();
}

Cell NumberCell(Type type, double value) {
  if (type == Type::kInt64) return static_cast<int64_t>(value);
  return type == Type::kFloat32 ? static_cast<double>(static_cast<float>(value)) : value;
}

ProbePlan MakeProbes(const package::Signature& signature, const Columns& rows,
                     const std::vector<ColumnRange>& ranges, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<Attempt>> attempts;
  for (size_t column = 0; column < ranges.size(); ++column) {
    attempts.push_back(
        ColumnProbes(signature.inputs[column].type, ranges[column], random).attempts());
  }
  ProbePlan plan{.left_out = KeepWithin(kProbesMax - 1, attempts)};  // one is all numbers 0
  std::vector<Probe> one_each;
  for (size_t column = 0; column < attempts.size(); ++column) {
    for (Attempt& attempt : attempts[column]) {
      one_each.push_back({.kind = attempt.kind,
                          .column = static_cast<int>(column),
                          .cell = std::move(attempt.cell)});
    }
  }
  const bool has_numbers =
      std::ranges::any_of(signature.inputs, [](const auto& in) { return IsNumeric(in.type); });
  if (has_numbers) one_each.push_back({.kind = ProbeKind::kZeroRow});

  const bool is_small = static_cast<int64_t>(one_each.size()) * kProbeRowsPerKind <= kProbesMax;
  std::uniform_int_distribution<int64_t> any_row(0, rows.rows() - 1);
  for (const Probe& probe : one_each) {
    const bool is_once = probe.kind == ProbeKind::kZeroRow || !is_small;
    for (int i = 0; i < (is_once ? 1 : kProbeRowsPerKind); ++i) {
      plan.probes.push_back(probe);
      plan.probes.back().row = any_row(random);
    }
  }
  std::ranges::stable_sort(plan.probes, {}, &Probe::kind);
  return plan;
}

Columns Apply(const Columns& rows, std::span<const Probe> probes) {
  std::vector<int64_t> bases;
  bases.reserve(probes.size());
  for (const Probe& probe : probes) bases.push_back(probe.row);
  Columns changed = rows.Gather(bases);
  for (size_t i = 0; i < probes.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (probes[i].kind == ProbeKind::kZeroRow) {
      SetZeros(changed, row);
    } else {
      changed.Set(row, probes[i].column, probes[i].cell);
    }
  }
  return changed;
}

double MagnitudeOf(const Probe& probe) {
  if (const int64_t* integer = std::get_if<int64_t>(&probe.cell))
    return std::fabs(static_cast<double>(*integer));
  const double* number = std::get_if<double>(&probe.cell);
  return number == nullptr ? 0 : std::fabs(*number);
}

std::string ToText(const package::Signature& signature, const Probe& probe) {
  if (probe.kind == ProbeKind::kZeroRow) return "all numbers 0";
  return fmt::format("{} = {}", signature.inputs[static_cast<size_t>(probe.column)].name,
                     ToText(probe.cell));
}

}  // namespace penstock::train
