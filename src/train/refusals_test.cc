// SPDX-License-Identifier: Apache-2.0
#include "train/refusals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "train/fakes.h"

namespace penstock::train {
namespace {

using package::Type;
using testing::HasSubstr;

// Columns of small numbers, as wide as it takes.
struct Wide {
  explicit Wide(size_t width) : candidates({NumbersCandidate(width)}) {
    signature.task = package::Task::kRegression;
    signature.has_column_names = true;
    std::vector<Column> made;
    for (size_t c = 0; c < width; ++c) {
      signature.inputs.push_back({.name = "x" + std::to_string(c)});
      Numbers column;
      for (int i = 0; i < 8; ++i) column.values.push_back(static_cast<double>(i) + ScaleOf(c));
      made.emplace_back(std::move(column));
    }
    columns = *Columns::Make(signature, std::move(made));
  }

  static double ScaleOf(size_t column) { return 1 + static_cast<double>(column % 10); }

  ParityReport Check(Original& original, ParityOptions options) const {
    auto report = CheckParity(signature, candidates, columns, original, options);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return *std::move(report);
  }

  package::Signature signature;
  Columns columns;
  std::vector<Candidate> candidates;
};

constexpr size_t kWidth = 300;
constexpr double kFloat32Edge = 3.4028235677973362e38;  // IEEE 754: what rounds to a finite float32

double First(const Row& row) { return std::isnan(row[0]) ? 0.5 : std::tanh(row[0]); }
ParityOptions NativeFirst() {
  return WithNative([](const Row& row, int64_t, int64_t) { return First(row); });
}

// Refuses a row for the first column that `refuses` names.
template <typename F>
std::function<std::string(const Row&)> Refuses(F refuses) {
  return [refuses](const Row& row) -> std::string {
    for (size_t c = 0; c < row.size(); ++c) {
      if (refuses(c, row[c])) return "ValueError: not this one";
    }
    return "";
  };
}

TEST(Refusals, ManyColumnsAlikeAreJudgedByAnEvenSample) {
  const Wide wide(kWidth);
  FakeOriginal original(
      First, Refuses([](size_t, double x) { return !std::isfinite(static_cast<float>(x)); }));
  const ParityReport report = wide.Check(original, NativeFirst());
  ASSERT_TRUE(report.chosen) << report.candidates[0].reason;
  std::set<std::pair<std::string, std::string>> refused;
  int64_t asked = 0;
  for (const Refusal& refusal : report.refusals) {
    refused.insert({refusal.kind, refusal.column});
    asked += refusal.is_asked ? 1 : 0;
  }
  EXPECT_EQ(refused.size(), 3 * kWidth) << "missing, infinity, abs_max";
  EXPECT_EQ(asked, static_cast<int64_t>(3 * kColumnsAskedSingly));
  EXPECT_GE(report.probes_assumed, static_cast<int64_t>(3 * (kWidth - kColumnsAskedSingly)));
  for (const package::Input& input : report.signature.inputs) {
    EXPECT_FALSE(input.allows_missing);
    EXPECT_FALSE(input.allows_infinity);
    EXPECT_EQ(input.abs_max->value, kFloat32Edge) << input.name;
  }
  EXPECT_LT(original.calls, static_cast<int64_t>(4 * kColumnsAskedSingly + 100));

  const json::Value json = report.ToJson();
  EXPECT_EQ(*json.Int("probes_assumed"), report.probes_assumed);
  EXPECT_EQ(*json.Int("probes_unasked"), 0);
  const json::Array refusals = *json.List("refusals");
  EXPECT_TRUE(*refusals[0].Bool("asked"));
}

TEST(Refusals, ColumnsThatAreNotAlikeAreAllAsked) {
  const Wide wide(kWidth);
  FakeOriginal original(First,
                        Refuses([](size_t c, double x) { return c % 3 == 0 && std::isnan(x); }));
  const ParityReport report = wide.Check(original, NativeFirst());
  ASSERT_TRUE(report.chosen);
  for (size_t c = 0; c < kWidth; ++c)
    EXPECT_EQ(report.signature.inputs[c].allows_missing, c % 3 != 0) << c;
  EXPECT_EQ(report.probes_assumed, 0);
}

TEST(Refusals, EachOfManyColumnsKeepsAnEdgeOfItsOwn) {
  const Wide wide(kWidth);
  FakeOriginal original(
      First, Refuses([](size_t c, double x) { return std::fabs(x) > 1000 * Wide::ScaleOf(c); }));
  const ParityReport report = wide.Check(original, NativeFirst());
  ASSERT_TRUE(report.chosen);
  for (size_t c = 0; c < kWidth; ++c)
    EXPECT_EQ(report.signature.inputs[c].abs_max->value, 1000 * Wide::ScaleOf(c)) << c;
}

TEST(Refusals, WhereFarNumbersAreRefusedInSomeColumnsAllAreBounded) {
  std::vector<int64_t> calls;
  for (const size_t width : {kWidth, 3 * kWidth}) {
    const Wide wide(width);
    FakeOriginal original(
        First, Refuses([](size_t c, double x) { return c % 2 == 0 && std::fabs(x) > 1e200; }));
    const ParityReport report = wide.Check(original, NativeFirst());
    ASSERT_TRUE(report.chosen);
    for (size_t c = 0; c < width; c += 2) {
      EXPECT_LE(report.signature.inputs[c].abs_max->value, 1e200) << c;
      EXPECT_GE(report.signature.inputs[c].abs_max->value, 1e30) << c;
    }
    calls.push_back(original.calls);
  }
  // Three times the columns cost less than three times the calls.
  EXPECT_LT(calls[1], 3 * calls[0]) << calls[0] << ", " << calls[1];
}

// A call of the original takes a second, whatever its size.
class SlowOriginal final : public Original, public Clock {
 public:
  Result<engine::Predictions> Predict(const Columns& rows) override {
    now_ns_ += 1'000'000'000;
    return original_.Predict(rows);
  }
  int64_t NowUs() const override { return now_ns_ / 1000; }
  int64_t MonotonicNs() const override { return now_ns_; }

 private:
  FakeOriginal original_{First, Refuses([](size_t, double x) { return std::isnan(x); })};
  int64_t now_ns_ = 0;
};

TEST(Refusals, WhatThereIsNoTimeForIsRefusedAndTold) {
  const Wide wide(4);
  for (const double seconds : {0.5, 5.5, 1000.0}) {
    SlowOriginal original;
    ParityOptions options = NativeFirst();
    options.clock = &original;
    options.seconds_of_probes_max = seconds;
    const ParityReport report = wide.Check(original, options);
    ASSERT_TRUE(report.chosen) << report.candidates[0].reason;
    EXPECT_EQ(report.probes_unasked == 0, seconds > 100) << seconds;
    for (const package::Input& input : report.signature.inputs) EXPECT_FALSE(input.allows_missing);
    EXPECT_EQ(report.signature.inputs[0].allows_infinity, seconds > 100) << seconds;
    if (seconds > 100) continue;
    const package::Bound& bound = *report.signature.inputs[3].abs_max;
    EXPECT_EQ(bound.value, 11) << "as large as the rows are";
    EXPECT_FALSE(bound.refused_by_original);
    EXPECT_THAT(bound.reason, HasSubstr("no probe asked the original about larger numbers"));
    EXPECT_THAT(report.refusals, testing::Contains(testing::Field(
                                     &Refusal::reason, HasSubstr("no probe asked the original"))));
  }
}

std::set<int> ColumnsOf(const ProbePlan& plan, ProbeKind kind) {
  std::set<int> columns;
  for (const Probe& probe : plan.probes) {
    if (probe.kind == kind) columns.insert(probe.column);
  }
  return columns;
}

TEST(Probes, AreNeverMoreThanTheirMaximum) {
  for (const size_t width : {100, 300, 800, 1000, 4000, 25'000}) {
    const Wide wide(width);
    const ProbePlan plan = MakeProbes(wide.signature, wide.columns, RangesOf(wide.columns), 0);
    EXPECT_LE(plan.probes.size(), static_cast<size_t>(kProbesMax)) << width;
    EXPECT_EQ(plan.left_out > 0, width >= 800) << width;
    if (width > 4000) continue;
    EXPECT_EQ(ColumnsOf(plan, ProbeKind::kMissing).size(), width) << "the essential ones";
    EXPECT_EQ(ColumnsOf(plan, ProbeKind::kMagnitude).size(), width);
  }
}

TEST(Probes, ThatThereIsNoRoomForAreLeftOutEvenly) {
  const Wide wide(4000);
  const ProbePlan plan = MakeProbes(wide.signature, wide.columns, RangesOf(wide.columns), 0);
  const std::set<int> full = ColumnsOf(plan, ProbeKind::kZero);
  ASSERT_GT(full.size(), 100U);
  const double gap = 4000.0 / static_cast<double>(full.size());
  int previous = 0;
  for (const int column : full) {
    EXPECT_LT(column - previous, 3 * gap);
    previous = column;
  }
}

TEST(Refusals, AColumnWithoutAProbeIsHeldToItsRows) {
  const Wide wide(3);
  FakeOriginal original(First);
  const ParityOptions options;
  Questions questions(wide.signature, wide.columns, original, options);
  const Findings findings =
      *FindRefusals(wide.signature, wide.columns, RangesOf(wide.columns), {}, {}, questions);
  for (size_t c = 0; c < 3; ++c) {
    const package::Input& input = findings.signature.inputs[c];
    EXPECT_FALSE(input.allows_missing);
    EXPECT_FALSE(input.allows_infinity);
    EXPECT_EQ(input.abs_max->value, 7 + Wide::ScaleOf(c));
    EXPECT_THAT(input.missing_reason, HasSubstr("no probe asked the original"));
  }
  EXPECT_EQ(findings.refusals.size(), 9U);
}

}  // namespace
}  // namespace penstock::train
