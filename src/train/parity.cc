// SPDX-License-Identifier: Apache-2.0
#include "train/parity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/answers.h"
#include "train/probes.h"
#include "train/refusals.h"
#include "train/trial.h"

namespace penstock::train {
namespace {

constexpr int64_t kSingleRowsMax = 21;
constexpr int64_t kSingleRowsNsMax = 2'000'000'000;

Columns Sample(const Columns& rows) {
  std::vector<int64_t> sample(static_cast<size_t>(kParityRowsMax));
  for (int64_t i = 0; i < kParityRowsMax; ++i) {
    sample[static_cast<size_t>(i)] = GivenRow(i, kParityRowsMax, rows.rows());
  }
  return rows.Gather(sample);
}

// Times the original on single rows. Where it answers them otherwise than in a batch there is no
// one answer to be native for, and `inexpressible` says so.
Status AskSingly(const package::Signature& signature, const Columns& rows,
                 const engine::Predictions& answers, Original& original,
                 const ParityOptions& options, ParityReport& report, std::string& inexpressible) {
  const Comparison comparison(signature, answers, kFloat32Tolerance);
  const int64_t count = std::min(rows.rows(), kSingleRowsMax);
  const int64_t begin = options.clock->MonotonicNs();
  std::vector<int64_t> times;
  for (int64_t i = 0; i < count && options.clock->MonotonicNs() - begin < kSingleRowsNsMax; ++i) {
    const int64_t row = GivenRow(i, count, rows.rows());
    const Columns one = rows.Gather(std::span(&row, 1));
    const int64_t start = options.clock->MonotonicNs();
    const engine::Predictions answer = PENSTOCK_TRY(original.Predict(one));
    const int64_t call_ns = options.clock->MonotonicNs() - start;
    times.push_back(original.model_ns().value_or(call_ns));
    if (options.poll) PENSTOCK_TRY(options.poll());
    PENSTOCK_TRY(CheckAnswers(signature, answer, 1));
    const Distance distance = comparison.Rows(answers, row, answer, 0);
    if (!distance.agrees && inexpressible.empty()) {
      inexpressible = fmt::format(
          "the model answers row {} otherwise alone than among others ({}), so that no native "
          "form can answer as it does",
          GivenRow(row, rows.rows(), report.rows_given), distance.text);
    }
  }
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  report.original_row_ns = times[times.size() / 2];
  return {};
}

int64_t RefusedCount(const Findings& findings) {
  return std::ranges::count_if(findings.replies, &Reply::is_refused);
}

}  // namespace

Result<ParityReport> CheckParity(const package::Signature& signature,
                                 const std::vector<Candidate>& candidates,
                                 const Columns& rows_given, Original& original,
                                 const ParityOptions& options) {
  ParityReport report{
      .rows_given = rows_given.rows(), .seed = options.seed, .signature = signature};
  const Columns rows = rows_given.rows() > kParityRowsMax ? Sample(rows_given) : rows_given;
  report.rows = rows.rows();
  Questions questions(signature, rows, original, options);
  const engine::Predictions answers = PENSTOCK_TRY(questions.AskRows());
  if (candidates.empty()) return report;

  const std::vector<ColumnRange> ranges = RangesOf(rows);
  const ProbePlan plan = MakeProbes(signature, rows, ranges, options.seed);
  questions.GiveTime(options.seconds_of_probes_max);
  Findings findings = PENSTOCK_TRY(
      FindRefusals(signature, rows, ranges, plan.probes, options.known_strings, questions));
  PENSTOCK_TRY(
      AskSingly(signature, rows, answers, original, options, report, findings.inexpressible));
  report.probes = static_cast<int64_t>(findings.probes.size());
  report.probes_refused = RefusedCount(findings);
  report.probes_assumed = findings.assumed;
  report.probes_unasked = plan.left_out + findings.unasked;
  report.refusals = findings.refusals;
  report.signature = findings.signature;

  const Evidence evidence{.rows = rows,
                          .rows_given = rows_given.rows(),
                          .answers = answers,
                          .ranges = ranges,
                          .findings = findings,
                          .questions = questions};
  for (const Candidate& candidate : candidates) {
    report.candidates.push_back(PENSTOCK_TRY(TryCandidate(candidate, evidence, options)));
    if (!report.candidates.back().passed) continue;
    report.chosen = report.candidates.size() - 1;
    report.signature = report.candidates.back().signature;
    break;
  }
  return report;
}

double DifferingShareUpper95(int64_t differing, int64_t rows) {
  if (rows <= 0 || differing >= rows) return 1;
  const double n = static_cast<double>(rows);
  if (differing == 0) return -std::expm1(std::log(0.05) / n);
  // P(X <= differing) falls with the share; the bound is where it is 0.05.
  const auto probability = [&](double share) {
    double sum = 0;
    double log_term = n * std::log1p(-share);  // of X = 0
    for (int64_t k = 0; k <= differing; ++k) {
      if (k > 0)
        log_term += std::log((n - static_cast<double>(k) + 1) / static_cast<double>(k)) +
                    std::log(share) - std::log1p(-share);
      sum += std::exp(log_term);
    }
    return sum;
  };
  double low = static_cast<double>(differing) / n;
  double high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (probability(middle) > 0.05 ? low : high) = middle;
  }
  return high;
}

}  // namespace penstock::train
