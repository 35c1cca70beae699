// SPDX-License-Identifier: Apache-2.0
#include "train/parity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/own_format.h"
#include "train/fakes.h"

namespace penstock::train {
namespace {

using package::Type;
using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

package::Signature Regression(std::vector<package::Input> inputs) {
  return {
      .task = package::Task::kRegression, .has_column_names = true, .inputs = std::move(inputs)};
}

Numbers Normal(int64_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Numbers column;
  for (int64_t i = 0; i < rows; ++i) column.values.push_back(normal(random));
  return column;
}

// Two columns of standard normal numbers.
struct Problem {
  explicit Problem(int64_t rows = 1000)
      : signature(Regression({{.name = "a"}, {.name = "b"}})),
        columns(*Columns::Make(signature, {Normal(rows, 1), Normal(rows, 2)})),
        candidates({NumbersCandidate(2)}) {}

  ParityReport Check(Original& original, const ParityOptions& options) const {
    auto report = CheckParity(signature, candidates, columns, original, options);
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return *std::move(report);
  }

  package::Signature signature;
  Columns columns;
  std::vector<Candidate> candidates;
};

double Sum(const Row& row) { return row[0] + 2 * row[1]; }
double NativeSum(const Row& row, int64_t, int64_t) { return Sum(row); }

std::string RefusesNaN(const Row& row) {
  for (const double x : row) {
    if (std::isnan(x)) return "ValueError: Input X contains NaN.";
  }
  return "";
}

// As scikit-learn's forests: float32 is what they look at.
std::string RefusesBeyondFloat32(const Row& row) {
  for (const double x : row) {
    if (!std::isfinite(static_cast<float>(x))) {
      return "ValueError: Input X contains infinity or a value too large for dtype('float32').";
    }
  }
  return "";
}

TEST(Parity, WhatAgreesEverywherePasses) {
  const Problem problem;
  FakeOriginal original(Sum);
  const ParityReport report = problem.Check(original, WithNative(NativeSum));
  ASSERT_EQ(report.chosen, 0U);
  const CandidateReport& candidate = report.candidates[0];
  EXPECT_THAT(candidate.reason, HasSubstr("own evaluator in float64 agreed on 1,000 rows and "));
  EXPECT_EQ(candidate.differing_rows, 0);
  EXPECT_EQ(candidate.absolute_max, 0);
  EXPECT_GT(candidate.row_ns, 0);
  std::vector<std::pair<int64_t, bool>> passes;
  for (const Pass& pass : candidate.passes) {
    passes.emplace_back(pass.rows_per_call, pass.is_shuffled);
    EXPECT_EQ(pass.rows, 1000);
  }
  EXPECT_THAT(passes,
              testing::ElementsAre(std::pair(1, false), std::pair(2, false), std::pair(7, false),
                                   std::pair(256, false), std::pair(256, true)));
}

TEST(Parity, OneDifferingRowOfManyFails) {
  const Problem problem;
  const double unlucky = std::get<double>(problem.columns.At(417, 0));
  FakeOriginal original(Sum);
  const ParityReport report =
      problem.Check(original, WithNative([=](const Row& row, int64_t, int64_t) {
                      return Sum(row) * (row[0] == unlucky ? 1 + 1e-6 : 1);
                    }));
  EXPECT_FALSE(report.chosen);
  const CandidateReport& candidate = report.candidates[0];
  EXPECT_EQ(candidate.differing_rows, 1);
  ASSERT_EQ(candidate.worst.size(), 1U);
  EXPECT_EQ(candidate.worst[0].row, 417);
  EXPECT_NEAR(candidate.relative_max, 1e-6, 1e-9);
  EXPECT_THAT(candidate.reason, HasSubstr("differs on 1 of 1,000 rows (worst: row 417, "));
}

TEST(Parity, ALabelThatDiffersFailsWhateverTheProbabilities) {
  for (const bool has_probabilities : {true, false}) {
    Problem problem;
    problem.signature.task = package::Task::kClassification;
    problem.signature.classes = std::vector<std::string>{"no", "yes"};
    problem.signature.has_probabilities = has_probabilities;
    const double unlucky = std::get<double>(problem.columns.At(417, 0));
    FakeOriginal original([](const Row&) { return 1; }, [](const Row&) { return ""; },
                          problem.signature);
    const auto same = [](const Row&, int64_t, int64_t) { return 1; };
    EXPECT_TRUE(problem.Check(original, WithNative(same)).chosen) << has_probabilities;
    const ParityReport report = problem.Check(
        original,
        WithNative([=](const Row& row, int64_t, int64_t) { return row[0] == unlucky ? 0 : 1; }));
    EXPECT_FALSE(report.chosen) << has_probabilities;
    const CandidateReport& candidate = report.candidates[0];
    EXPECT_EQ(candidate.differing_rows, 1);
    EXPECT_EQ(candidate.absolute_max, 1);
    EXPECT_THAT(candidate.reason,
                HasSubstr("differs on 1 of 1,000 rows (worst: row 417, \"yes\" against \"no\")"));
    ASSERT_EQ(candidate.worst.size(), 1U);
    const std::string probabilities = has_probabilities ? R"(,"probabilities":[0.5,0.5])" : "";
    EXPECT_EQ(json::Write(candidate.worst[0].original),
              R"({"prediction":"yes")" + probabilities + "}");
    EXPECT_EQ(json::Write(candidate.worst[0].native),
              R"({"prediction":"no")" + probabilities + "}");
  }
}

TEST(Parity, ADifferenceWithinThePrecisionIsNone) {
  Problem problem;
  FakeOriginal original(Sum);
  const auto a_little_off =
      WithNative([](const Row& row, int64_t, int64_t) { return Sum(row) * (1 + 3e-7); });
  EXPECT_FALSE(problem.Check(original, a_little_off).chosen) << "float64 is held to 1e-9";
  problem.candidates[0].entry.precision = Type::kFloat32;
  EXPECT_TRUE(problem.Check(original, a_little_off).chosen) << "float32 is held to 1e-5";
}

TEST(Parity, AnEngineThatDependsOnItsBatchFails) {
  const Problem problem;
  FakeOriginal original(Sum);
  for (const int64_t bad_size : {1, 2, 7, 256}) {
    const ParityReport report =
        problem.Check(original, WithNative([=](const Row& row, int64_t, int64_t rows) {
                        return Sum(row) + (rows == bad_size);
                      }));
    EXPECT_FALSE(report.chosen) << bad_size;
  }
  // Right only in the order of the data: the answer to a row depends on the row before it.
  double previous = 0;
  const auto remembers = [&](const Row& row, int64_t place, int64_t) {
    const bool is_ordered = place == 0 || row[0] >= previous;
    previous = row[0];
    return Sum(row) + (is_ordered ? 0 : 1);
  };
  Numbers sorted = Normal(1000, 3);
  std::ranges::sort(sorted.values);
  const Columns columns = *Columns::Make(problem.signature, {sorted, Normal(1000, 4)});
  const ParityReport report =
      *CheckParity(problem.signature, problem.candidates, columns, original, WithNative(remembers));
  EXPECT_FALSE(report.chosen);
  EXPECT_TRUE(report.candidates[0].passes.back().is_shuffled);
  EXPECT_GT(report.candidates[0].passes.back().differing, 0);
}

TEST(Parity, AModelThatDependsOnItsBatchHasNoNativeForm) {
  class Centers : public Original {
   public:
    Result<engine::Predictions> Predict(const Columns& rows) override {
      engine::Predictions answers{.rows = rows.rows()};
      double mean = 0;
      for (int64_t i = 0; i < rows.rows(); ++i)
        mean += Number(rows, i) / static_cast<double>(rows.rows());
      for (int64_t i = 0; i < rows.rows(); ++i) answers.values.push_back(Number(rows, i) - mean);
      return answers;
    }
    static double Number(const Columns& rows, int64_t i) {
      const Cell cell = rows.At(i, 0);
      return IsMissing(cell) ? kNaN : std::get<double>(cell);
    }
  };
  const Problem problem;
  Centers original;
  const ParityReport report = problem.Check(original, WithNative(NativeSum));
  EXPECT_FALSE(report.chosen);
  EXPECT_THAT(report.candidates[0].reason, HasSubstr("otherwise alone than among others"));
}

TEST(Parity, RefusalsOfTheOriginalAreFoundToTheLastBit) {
  const Problem problem;
  FakeOriginal original(Sum, [](const Row& row) {
    const std::string refusal = RefusesNaN(row);
    return refusal.empty() ? RefusesBeyondFloat32(row) : refusal;
  });
  const ParityReport report = problem.Check(original, WithNative(NativeSum));
  ASSERT_TRUE(report.chosen);
  for (const package::Input& input : report.signature.inputs) {
    EXPECT_FALSE(input.allows_missing);
    EXPECT_EQ(input.missing_reason, "the original: ValueError: Input X contains NaN.");
    EXPECT_FALSE(input.allows_infinity);
    ASSERT_TRUE(input.abs_max);
    EXPECT_TRUE(input.abs_max->refused_by_original);
    EXPECT_THAT(input.abs_max->reason, HasSubstr("too large for dtype('float32')"));
    // IEEE 754: halfway between the largest float32 and 2^128 rounds to infinity, the double below
    // it does not.
    EXPECT_EQ(input.abs_max->value,
              std::nextafter(std::ldexp(1.0, 128) - std::ldexp(1.0, 103), 0.0));
  }
  EXPECT_GT(report.probes_refused, 0);
  EXPECT_EQ(report.refusals.size(), 6U);
}

TEST(Parity, ARefusalAtAnOddPlaceIsFoundByBisection) {
  const Problem problem;
  constexpr double kEdge = 12345.6789;
  FakeOriginal original(Sum, [](const Row& row) {
    return std::fabs(row[1]) > kEdge ? std::string("ValueError: b is absurd") : "";
  });
  const ParityReport report = problem.Check(original, WithNative(NativeSum));
  ASSERT_TRUE(report.chosen);
  EXPECT_EQ(report.signature.inputs[1].abs_max->value, kEdge);
  EXPECT_GT(report.signature.inputs[0].abs_max.value_or(package::Bound{.value = 1e300}).value,
            1e299);
}

TEST(Parity, FarEdgesCostFewCallsOfTheOriginal) {
  // As a scaler before a forest: each column meets the edge of float32 at a place of its own.
  package::Signature signature = Regression({});
  std::vector<Column> columns;
  for (uint64_t i = 0; i < 32; ++i) {
    signature.inputs.push_back({.name = "x" + std::to_string(i)});
    Numbers column = Normal(400, i);
    for (double& value : column.values) value *= std::exp(0.1 * static_cast<double>(i) - 1.6);
    columns.emplace_back(std::move(column));
  }
  const Columns rows = *Columns::Make(signature, std::move(columns));
  std::vector<double> scale;
  for (int c = 0; c < 32; ++c) {
    double squares = 0;
    for (int64_t i = 0; i < 400; ++i) squares += std::pow(std::get<double>(rows.At(i, c)), 2);
    scale.push_back(std::sqrt(squares / 400));
  }
  FakeOriginal original([](const Row& row) { return std::tanh(row[0]); },
                        [&](const Row& row) {
                          Row scaled = row;
                          for (size_t c = 0; c < 32; ++c) scaled[c] /= scale[c];
                          return RefusesBeyondFloat32(scaled);
                        });
  const auto native =
      WithNative([](const Row& row, int64_t, int64_t) { return std::tanh(row[0]); });
  const ParityReport report =
      *CheckParity(signature, {NumbersCandidate(32)}, rows, original, native);
  ASSERT_TRUE(report.chosen) << report.candidates[0].reason;
  for (size_t c = 0; c < 32; ++c) {
    const double edge = scale[c] * std::numeric_limits<float>::max();
    EXPECT_LE(report.signature.inputs[c].abs_max->value, edge * (1 + 1e-7));
    EXPECT_GE(report.signature.inputs[c].abs_max->value, edge / 1.13);
  }
  EXPECT_LT(original.calls, 32 * 25);
}

TEST(Parity, ARefusalThatNoLimitCanStateKeepsTheModelFromBeingNative) {
  const Problem problem;
  FakeOriginal original(Sum, [](const Row& row) {
    return row[0] == 0 && row[1] == 0 ? std::string("ValueError: all zero") : "";
  });
  const ParityReport report = problem.Check(original, WithNative(NativeSum));
  EXPECT_FALSE(report.chosen);
  EXPECT_THAT(report.candidates[0].reason, HasSubstr("the model refuses all numbers 0"));
  EXPECT_THAT(report.candidates[0].reason, HasSubstr("ValueError: all zero"));
}

TEST(Parity, FarOutsideTheDataADifferenceBecomesALimit) {
  const Problem problem;
  FakeOriginal original(Sum);
  // Right up to a million in column a, and in column b everywhere.
  const ParityReport report =
      problem.Check(original, WithNative([](const Row& row, int64_t, int64_t) {
                      return Sum(row) * (std::fabs(row[0]) > 1e6 ? 1.01 : 1.0);
                    }));
  ASSERT_TRUE(report.chosen);
  const package::Input& a = report.signature.inputs[0];
  ASSERT_TRUE(a.abs_max);
  EXPECT_FALSE(a.abs_max->refused_by_original);
  EXPECT_LE(a.abs_max->value, 1e6);
  EXPECT_GE(a.abs_max->value, 0.98e6);
  const CandidateReport& candidate = report.candidates[0];
  EXPECT_GT(candidate.probes_limited, 0);
  EXPECT_THAT(candidate.limits, testing::Contains(testing::Field(&Limit::kind, "abs_max")));
}

TEST(Parity, WhatJsonCannotSayIsNotAnswered) {
  const Problem problem;
  const auto overflows = [](const Row& row) { return row[0] * 1e10 + row[1]; };
  FakeOriginal original(overflows);
  const ParityReport report = problem.Check(
      original, WithNative([=](const Row& row, int64_t, int64_t) { return overflows(row); }));
  ASSERT_TRUE(report.chosen);
  const std::optional<package::Bound>& bound = report.signature.inputs[0].abs_max;
  ASSERT_TRUE(bound);
  EXPECT_LE(bound->value, std::numeric_limits<double>::max() / 1e10);
  EXPECT_GE(bound->value, 1e298);
  EXPECT_FALSE(report.signature.inputs[0].allows_infinity) << "the answer to infinity is infinite";
  EXPECT_FALSE(report.signature.inputs[0].allows_missing) << "the answer to NaN is NaN";
}

TEST(Parity, MissingValuesAreAllowedWhereBothAnswerThem) {
  const Problem problem;
  const auto imputes = [](const Row& row) { return (std::isnan(row[0]) ? 0.5 : row[0]) + row[1]; };
  FakeOriginal original(imputes, [](const Row& row) {
    return std::isnan(row[1]) ? std::string("ValueError: b is missing") : "";
  });
  const ParityReport report = problem.Check(
      original, WithNative([=](const Row& row, int64_t, int64_t) { return imputes(row); }));
  ASSERT_TRUE(report.chosen);
  EXPECT_TRUE(report.signature.inputs[0].allows_missing);
  EXPECT_FALSE(report.signature.inputs[1].allows_missing);
  EXPECT_EQ(report.signature.inputs[1].missing_reason, "the original: ValueError: b is missing");

  const auto treats_as_zero = [](const Row& row, int64_t, int64_t) {
    return (std::isnan(row[0]) ? 0 : row[0]) + row[1];
  };
  const ParityReport limited = problem.Check(original, WithNative(treats_as_zero));
  ASSERT_TRUE(limited.chosen) << "no row has missing values: a limit is enough";
  EXPECT_FALSE(limited.signature.inputs[0].allows_missing);
}

TEST(Parity, MissingValuesInTheDataMustAgree) {
  const package::Signature signature = Regression({{.name = "a"}});
  Numbers values = Normal(500, 5);
  values.values[77] = kNaN;
  const Columns columns = *Columns::Make(signature, {values});
  FakeOriginal original([](const Row& row) { return std::isnan(row[0]) ? 0.5 : row[0]; });
  const auto wrong =
      WithNative([](const Row& row, int64_t, int64_t) { return std::isnan(row[0]) ? 0 : row[0]; });
  const ParityReport report =
      *CheckParity(signature, {NumbersCandidate(1)}, columns, original, wrong);
  EXPECT_FALSE(report.chosen);
  EXPECT_EQ(report.candidates[0].worst[0].row, 77);
  EXPECT_EQ(json::Write(report.candidates[0].worst[0].inputs), R"({"a":null})");
}

TEST(Parity, ADifferenceJustBeyondTheDataFails) {
  const Problem problem;
  double largest = 0;
  for (int64_t i = 0; i < 1000; ++i)
    largest = std::max(largest, std::get<double>(problem.columns.At(i, 0)));
  FakeOriginal original(Sum);
  const ParityReport report =
      problem.Check(original, WithNative([=](const Row& row, int64_t, int64_t) {
                      return Sum(row) + (row[0] > largest ? 1 : 0);
                    }));
  EXPECT_FALSE(report.chosen);
  EXPECT_THAT(report.candidates[0].reason, HasSubstr("probes (worst: a = "));
}

TEST(Parity, LargeIntegersAreExactOnlyWhereBothAre) {
  const package::Signature signature = Regression({{.name = "n", .type = Type::kInt64}});
  Integers values;
  for (int64_t i = 0; i < 300; ++i) values.values.push_back(i);
  const Columns columns = *Columns::Make(signature, {values});
  // The native form looks at n through float32: odd integers above 2^24 move.
  const auto is_odd = [](double n) { return std::fabs(std::fmod(n, 2)); };
  FakeOriginal original([=](const Row& row) { return is_odd(row[0]); });
  const ParityReport report =
      *CheckParity(signature, {NumbersCandidate(1)}, columns, original,
                   WithNative([=](const Row& row, int64_t, int64_t) {
                     return is_odd(static_cast<double>(static_cast<float>(row[0])));
                   }));
  ASSERT_TRUE(report.chosen) << report.candidates[0].reason;
  ASSERT_TRUE(report.signature.inputs[0].abs_max);
  EXPECT_LE(report.signature.inputs[0].abs_max->value, 16777216.0);
  EXPECT_GE(report.signature.inputs[0].abs_max->value, 299.0);
}

TEST(Parity, TheFirstCandidateThatPassesIsChosenAndTheOthersSayWhy) {
  Problem problem;
  problem.candidates = {NumbersCandidate(2), NumbersCandidate(2), NumbersCandidate(2)};
  problem.candidates[0].entry.kind = package::EngineKind::kOnnxRuntime;
  problem.candidates[0].entry.precision = Type::kFloat32;
  problem.candidates[0].bytes = "broken";
  problem.candidates[1].bytes = "wrong";
  ParityOptions options;
  options.load = [](const package::Signature& signature, const package::EngineEntry& entry,
                    std::string_view bytes) -> Result<std::unique_ptr<engine::Model>> {
    if (bytes == "broken") return InvalidArgument("not an ONNX model");
    const double error = bytes == "wrong" ? 1 : 0;
    return std::unique_ptr<engine::Model>(std::make_unique<FakeModel>(
        signature, entry, [=](const Row& row, int64_t, int64_t) { return Sum(row) + error; }));
  };
  FakeOriginal original(Sum);
  const ParityReport report = problem.Check(original, options);
  EXPECT_EQ(report.chosen, 2U);
  EXPECT_EQ(report.candidates[0].reason,
            "ONNX Runtime in float32 cannot run it: not an ONNX model");
  EXPECT_THAT(report.candidates[1].reason, HasSubstr("differs on 1,000 of 1,000 rows"));
  EXPECT_EQ(report.candidates[1].worst.size(), static_cast<size_t>(kWorstRowsMax));
}

TEST(Parity, WhatTheOriginalRaisesOnTheRowsComesBackAsItself) {
  const Problem problem;
  FakeOriginal original(
      Sum, [](const Row& row) { return row[0] > 1 ? std::string("ValueError: too much") : ""; });
  const auto report = CheckParity(problem.signature, problem.candidates, problem.columns, original,
                                  WithNative(NativeSum));
  ASSERT_FALSE(report.ok());
  EXPECT_THROW(std::rethrow_exception(report.status().exception()), UserError);
}

TEST(Parity, AStopIsHeededSoon) {
  const Problem problem(50'000);
  FakeOriginal original(Sum);
  for (const int64_t polls_before_stop : {0, 10, 1000}) {
    ParityOptions options = WithNative(NativeSum);
    int64_t polls = 0;
    options.poll = [&]() -> Status {
      return polls++ < polls_before_stop ? Status() : Status(Code::kCancelled, "stopped");
    };
    EXPECT_EQ(CheckParity(problem.signature, problem.candidates, problem.columns, original, options)
                  .status()
                  .code(),
              Code::kCancelled);
    EXPECT_EQ(polls, polls_before_stop + 1);
  }
}

TEST(Parity, MoreRowsThanAreCheckedAreSampledEvenly) {
  const Problem problem(kParityRowsMax * 2);
  FakeOriginal original(Sum);
  const ParityReport report =
      problem.Check(original, WithNative([&](const Row& row, int64_t, int64_t) {
                      return Sum(row) + (row[0] > 4 ? 1 : 0);
                    }));
  EXPECT_EQ(report.rows_given, kParityRowsMax * 2);
  EXPECT_EQ(report.rows, kParityRowsMax);
  ASSERT_FALSE(report.candidates[0].worst.empty());
  for (const Difference& difference : report.candidates[0].worst) {
    EXPECT_GT(std::get<double>(problem.columns.At(difference.row, 0)), 4)
        << "rows are named as they were given";
  }
}

class SteppedClock final : public Clock {
 public:
  int64_t NowUs() const override { return now_ns / 1000; }
  int64_t MonotonicNs() const override { return now_ns; }
  int64_t now_ns = 0;
};

// Seven rows at a time, a row takes 0.1 s: 600 fit into a minute. Any other way takes no time.
TEST(Parity, APassThatWouldTakeTooLongIsSampledEvenlyAndSaysSo) {
  const Problem problem;
  Numbers numbers;
  for (int64_t i = 0; i < 1000; ++i) numbers.values.push_back(static_cast<double>(i));
  const Columns columns = *Columns::Make(problem.signature, {numbers, Normal(1000, 6)});
  FakeOriginal original(Sum);
  SteppedClock clock;
  std::vector<double> seen;
  int64_t row_ns = 100'000'000;
  ParityOptions options = WithNative([&](const Row& row, int64_t, int64_t rows) {
    const bool is_slow = rows > 2 && rows <= 7;
    if (is_slow) clock.now_ns += row_ns;
    if (is_slow) seen.push_back(row[0]);
    return Sum(row);
  });
  options.seconds_per_pass_max = 60;
  options.clock = &clock;
  const auto rows_of_passes = [&] {
    const json::Value report =
        CheckParity(problem.signature, problem.candidates, columns, original, options)->ToJson();
    const json::Array candidates = *report.List("candidates");
    const json::Array passes = *candidates[0].List("passes");
    std::vector<std::pair<int64_t, int64_t>> rows;
    for (const json::Value& pass : passes)
      rows.emplace_back(*pass.Int("rows_per_call"), *pass.Int("rows"));
    return rows;
  };
  EXPECT_THAT(rows_of_passes(),
              testing::ElementsAre(std::pair(1, 1000), std::pair(2, 1000), std::pair(7, 600),
                                   std::pair(256, 1000), std::pair(256, 1000)));
  ASSERT_GE(seen.size(), 600U);
  const std::vector<double> taken(seen.end() - 600, seen.end());
  EXPECT_EQ(taken.front(), 0);
  EXPECT_GE(taken.back(), 998);
  for (size_t i = 1; i < taken.size(); ++i)
    EXPECT_THAT(taken[i] - taken[i - 1], testing::AnyOf(1, 2));

  row_ns *= 1000;
  EXPECT_THAT(rows_of_passes(), testing::Contains(std::pair(7, 256)))
      << "never fewer than judge it";
  options.seconds_per_pass_max = 1e6;
  EXPECT_THAT(rows_of_passes(), testing::Contains(std::pair(7, 1000)));
}

TEST(Parity, TheTimeOfTheOriginalIsTheModelsOwnWhereItIsKnown) {
  class Timed : public FakeOriginal {
   public:
    using FakeOriginal::FakeOriginal;
    std::optional<int64_t> model_ns() const override { return known_ns; }
    std::optional<int64_t> known_ns;
  };
  const Problem problem;
  SteppedClock clock;
  Timed original([&](const Row& row) {
    clock.now_ns += 700;
    return Sum(row);
  });
  ParityOptions options = WithNative(NativeSum);
  options.clock = &clock;
  EXPECT_EQ(problem.Check(original, options).original_row_ns, 700);
  original.known_ns = 300;
  EXPECT_EQ(problem.Check(original, options).original_row_ns, 300);
}

// scipy 1.17: beta.ppf(0.95, k + 1, n - k).
TEST(Parity, TheUpperBoundIsThatOfClopperAndPearson) {
  EXPECT_NEAR(DifferingShareUpper95(0, 41203), 7.270401114867209e-05, 1e-15);
  EXPECT_NEAR(DifferingShareUpper95(0, 1), 0.95, 1e-12);
  EXPECT_NEAR(DifferingShareUpper95(3, 1000), 0.007735244718479458, 1e-12);
  EXPECT_NEAR(DifferingShareUpper95(10, 20), 0.6980460887135065, 1e-12);
  EXPECT_EQ(DifferingShareUpper95(5, 5), 1);
}

// A linear model in the engine's own format: the same numbers, by hand.
TEST(Parity, TheOwnEvaluatorPassesOnALinearModel) {
  const Problem problem;
  const std::vector<double> coef = {1.5, -0.25};
  const std::vector<double> intercept = {3};
  const auto bytes_of = [](const std::vector<double>& v) {
    return std::string_view(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(double));
  };
  const engine::OwnArray arrays[] = {{.name = "c", .shape = {1, 2}, .bytes = bytes_of(coef)},
                                     {.name = "i", .shape = {1}, .bytes = bytes_of(intercept)}};
  const json::Value steps =
      *json::Parse(R"([{"op": "linear", "coef": "c", "intercept": "i", "link": "identity"}])");
  std::vector<Candidate> candidates = problem.candidates;
  candidates[0].bytes = *engine::WriteOwn(steps, arrays);
  FakeOriginal original([](const Row& row) { return row[0] * 1.5 + row[1] * -0.25 + 3; });
  const ParityReport report =
      *CheckParity(problem.signature, candidates, problem.columns, original);
  EXPECT_TRUE(report.chosen) << report.candidates[0].reason;
}

TEST(Parity, TheReportIsJsonThatNamesEverything) {
  const Problem problem;
  FakeOriginal original(Sum, RefusesNaN);
  const json::Value report =
      *json::Parse(json::Write(problem.Check(original, WithNative(NativeSum)).ToJson()));
  EXPECT_EQ(*report.String("engine"), "own");
  EXPECT_EQ(*report.Int("rows"), 1000);
  const json::Array candidates = *report.List("candidates");
  EXPECT_TRUE(*candidates[0].Bool("passed"));
  EXPECT_NEAR(*candidates[0].Number("differing_share_upper_95"), 0.0029912, 1e-6);
  const json::Array refusals = *report.List("refusals");
  EXPECT_EQ(*refusals[0].String("kind"), "missing");
  EXPECT_EQ(*refusals[0].String("column"), "a");
}

}  // namespace
}  // namespace penstock::train
