// SPDX-License-Identifier: Apache-2.0
#include "train/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>

#include "base/count.h"
#include "train/answers.h"
#include "train/native_form.h"
#include "train/search.h"

namespace penstock::train {
namespace {

constexpr int64_t kBatchSizes[] = {256, 1, 2, 7};
constexpr int64_t kShuffledBatchSize = 256;
constexpr int64_t kPaceRows =
    256;  // rows by which the pace of a pass is judged, and that it has at least
constexpr int64_t kLatencyCalls = 200;
constexpr size_t kProbesTogether = 64;   // made in one go, of one kind; each is asked by itself
constexpr double kLimitRelative = 1e-3;  // how exactly the limits of an engine are found
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<int64_t> EvenSample(int64_t count, int64_t of) {
  std::vector<int64_t> sample(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) sample[static_cast<size_t>(i)] = GivenRow(i, count, of);
  return sample;
}

// The largest number of three digits that is not above value.
double RoundDown(double value) {
  const double unit = std::pow(10, std::floor(std::log10(value)) - 2);
  const double rounded = std::stod(fmt::format("{:.2e}", std::floor(value / unit) * unit));
  return std::isfinite(rounded) && rounded <= value ? rounded : value;
}

// Keeps the worst few differences, one a row.
void Keep(Difference difference, std::vector<Difference>& worst) {
  const auto same = std::ranges::find_if(worst, [&](const Difference& kept) {
    return kept.row == difference.row && kept.probe == difference.probe;
  });
  if (same != worst.end()) {
    if (same->absolute >= difference.absolute) return;
    worst.erase(same);
  }
  const auto place =
      std::ranges::upper_bound(worst, difference.absolute, std::greater(), &Difference::absolute);
  worst.insert(place, std::move(difference));
  if (worst.size() > static_cast<size_t>(kWorstRowsMax)) worst.pop_back();
}

json::Value Refused(const std::string& reason) { return json::Object{{"refused", reason}}; }

class CandidateTrial {
 public:
  CandidateTrial(const Evidence& evidence, const ParityOptions& options, NativeForm& native,
                 CandidateReport& report)
      : evidence_(evidence),
        options_(options),
        native_(native),
        report_(report),
        signature_(evidence.findings.signature),
        comparison_(signature_, evidence.answers, report.tolerance),
        differs_(static_cast<size_t>(evidence.rows.rows())) {}

  Status Run() {
    PENSTOCK_TRY(RunPasses());
    if (!IsNear()) return {};
    PENSTOCK_TRY(RunProbes());
    if (!IsNear()) return {};
    PENSTOCK_TRY(FindLimits());
    CheckRowsAreAnswered();
    PENSTOCK_TRY(MeasureLatency());
    return {};
  }

  // Says in one sentence how it went.
  void Conclude() {
    const std::string engine = EngineText(report_.entry);
    const bool differs = report_.differing_rows > 0 || report_.probes_differing > 0;
    // What could not be accepted is not offered: the bound is what an acceptance is held against.
    report_.is_offered = differs && IsNear() && refused_row_.empty() &&
                         report_.differing_share_upper_95 <= kOfferedShareMax;
    if (report_.differing_rows > 0) {
      const Difference& worst = report_.worst.front();
      report_.reason = fmt::format("{} differs on {} of {} rows (worst: row {}, {})", engine,
                                   CountText(report_.differing_rows),
                                   CountText(evidence_.rows.rows()), worst.row, worst.text);
    } else if (report_.probes_differing > 0) {
      const Difference& worst = report_.worst_probes.front();
      report_.reason =
          fmt::format("{} differs on {} of {} probes (worst: {} in row {}, {})", engine,
                      CountText(report_.probes_differing),
                      CountText(static_cast<int64_t>(evidence_.findings.probes.size())),
                      worst.probe, worst.row, worst.text);
    } else if (!refused_row_.empty()) {
      report_.reason = fmt::format("{} {}", engine, refused_row_);
    } else {
      report_.passed = true;
      report_.reason =
          fmt::format("{} agreed on {} rows and {} probes", engine,
                      CountText(evidence_.rows.rows()), CountText(report_.probes_agreed));
    }
  }

 private:
  // So few rows and probes differ, or none, that the form is worth more questions.
  bool IsNear() const {
    const auto is_few = [](int64_t differing, auto of) {
      return static_cast<double>(differing) <= kOfferedShareMax * static_cast<double>(of);
    };
    return is_few(report_.differing_rows, evidence_.rows.rows()) &&
           is_few(report_.probes_differing, evidence_.findings.probes.size());
  }

  Status Poll() const { return options_.poll ? options_.poll() : Status(); }

  Status RunPasses() {
    for (const int64_t size : kBatchSizes) {
      PENSTOCK_TRY(RunPass({.rows_per_call = size}));
      if (!IsNear()) break;  // one way of asking that fails is enough
    }
    if (IsNear()) {
      PENSTOCK_TRY(RunPass({.rows_per_call = kShuffledBatchSize, .is_shuffled = true}));
    }
    std::ranges::stable_sort(report_.passes, {}, [](const Pass& p) {
      return std::pair(p.is_shuffled, p.rows_per_call);
    });
    report_.differing_share_upper_95 =
        DifferingShareUpper95(report_.differing_rows, evidence_.rows.rows());
    return {};
  }

  Status RunPass(Pass pass) {
    const int64_t rows = evidence_.rows.rows();
    pass.rows = report_.passes.empty() ? rows : PENSTOCK_TRY(RowsInTime(pass.rows_per_call));
    std::vector<int64_t> order = EvenSample(pass.rows, rows);
    if (pass.is_shuffled)
      std::shuffle(order.begin(), order.end(), std::mt19937_64(options_.seed + 1));
    for (size_t begin = 0; begin < order.size(); begin += static_cast<size_t>(pass.rows_per_call)) {
      const size_t size = std::min(static_cast<size_t>(pass.rows_per_call), order.size() - begin);
      pass.differing += PENSTOCK_TRY(RunCall(std::span(order).subspan(begin, size)));
    }
    report_.passes.push_back(pass);
    return {};
  }

  // How many rows a pass can take: all, unless the first ones tell that it would last too long.
  Result<int64_t> RowsInTime(int64_t rows_per_call) {
    const int64_t rows = evidence_.rows.rows();
    const std::vector<int64_t> sample = EvenSample(std::min(rows, kPaceRows), rows);
    const int64_t start = options_.clock->MonotonicNs();
    engine::Predictions answers;
    for (size_t begin = 0; begin < sample.size(); begin += static_cast<size_t>(rows_per_call)) {
      const size_t size = std::min(static_cast<size_t>(rows_per_call), sample.size() - begin);
      PENSTOCK_TRY(Poll());
      // What it refuses is judged in the pass itself.
      static_cast<void>(
          native_.Predict(evidence_.rows, std::span(sample).subspan(begin, size), answers));
    }
    const double row_ns = static_cast<double>(options_.clock->MonotonicNs() - start) /
                          static_cast<double>(sample.size());
    const double rows_in_time = options_.seconds_per_pass_max * 1e9 / std::max(row_ns, 1.0);
    if (rows_in_time >= static_cast<double>(rows)) return rows;
    return std::max(static_cast<int64_t>(rows_in_time), static_cast<int64_t>(sample.size()));
  }

  // The number of rows that differ in one call.
  Result<int64_t> RunCall(std::span<const int64_t> rows) {
    PENSTOCK_TRY(Poll());
    const Status answered = native_.Predict(evidence_.rows, rows, answers_);
    if (!answered.ok() && rows.size() > 1) {
      // One row that is refused fails its call: ask again, row by row.
      int64_t differing = 0;
      for (size_t i = 0; i < rows.size(); ++i)
        differing += PENSTOCK_TRY(RunCall(rows.subspan(i, 1)));
      return differing;
    }
    int64_t differing = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!JudgeRow(rows[i], answered, static_cast<int64_t>(i))) ++differing;
    }
    return differing;
  }

  bool JudgeRow(int64_t row, const Status& answered, int64_t native_row) {
    Distance distance{.agrees = false, .absolute = kInfinity, .text = ""};
    if (answered.ok()) {
      distance = comparison_.Rows(evidence_.answers, row, answers_, native_row);
      report_.absolute_max = std::max(report_.absolute_max, distance.absolute);
      report_.relative_max = std::max(report_.relative_max, distance.relative);
    }
    if (distance.agrees) return true;
    if (!differs_[static_cast<size_t>(row)]) {
      differs_[static_cast<size_t>(row)] = true;
      ++report_.differing_rows;
    }
    Keep({.row = GivenRow(row, evidence_.rows.rows(), evidence_.rows_given),
          .inputs = RecordToJson(signature_, evidence_.rows, row),
          .original = AnswerToJson(signature_, evidence_.answers, row),
          .native = answered.ok() ? AnswerToJson(signature_, answers_, native_row)
                                  : Refused(answered.message()),
          .absolute = distance.absolute,
          .relative = distance.relative,
          .text = answered.ok() ? distance.text : fmt::format("refused: {}", answered.message())},
         report_.worst);
    return false;
  }

  struct ColumnLimits {
    bool missing = false;
    bool infinity = false;
    double agreed_max = 0;            // largest magnitude at which the two agreed
    double differed_min = kInfinity;  // smallest at which they did not
    std::vector<int64_t> bases;       // rows on which they did not
  };

  // What the native form makes of one changed row, held against what the original said.
  struct Verdict {
    Distance distance;
    Status answered;
    bool is_finite = true;  // the original's answer
  };

  Verdict Judge(const Columns& changed, int64_t row, const Reply& reply) {
    Verdict verdict{.answered = native_.Predict(changed, std::span(&row, 1), answers_),
                    .is_finite = IsFinite(signature_, reply.answer, 0)};
    if (verdict.answered.ok()) {
      verdict.distance = comparison_.Rows(reply.answer, 0, answers_, 0);
    } else {
      verdict.distance = {.agrees = false, .absolute = kInfinity};
    }
    return verdict;
  }

  Status RunProbes() {
    limits_.resize(evidence_.ranges.size());
    const std::vector<Probe>& probes = evidence_.findings.probes;
    for (size_t begin = 0; begin < probes.size();) {
      PENSTOCK_TRY(Poll());
      size_t end = begin;
      while (end < probes.size() && end - begin < kProbesTogether &&
             probes[end].kind == probes[begin].kind)
        ++end;
      const Columns changed = Apply(evidence_.rows, std::span(probes).subspan(begin, end - begin));
      for (size_t i = begin; i < end; ++i) RunProbe(i, changed, static_cast<int64_t>(i - begin));
      begin = end;
    }
    return {};
  }

  void RunProbe(size_t index, const Columns& changed, int64_t row) {
    const Probe& probe = evidence_.findings.probes[index];
    const Reply& reply = evidence_.findings.replies[index];
    if (reply.is_refused) return;
    const Verdict verdict = Judge(changed, row, reply);
    if (!IsLimit(probe, verdict) && !verdict.distance.agrees) {
      KeepProbe(probe, changed, row, reply, verdict);
    } else if (IsLimit(probe, verdict)) {
      ++report_.probes_limited;
      NoteLimit(probe);
    } else {
      ++report_.probes_agreed;
      NoteAgreement(probe);
    }
  }

  // Whether a probe tells what cannot be vouched for, rather than that the engine is wrong: it lies
  // far outside the data, and the two differ there or the answer could not be sent.
  bool IsLimit(const Probe& probe, const Verdict& verdict) const {
    if (verdict.distance.agrees && verdict.is_finite) return false;
    if (probe.column < 0) return false;
    const ColumnRange& range = evidence_.ranges[static_cast<size_t>(probe.column)];
    switch (probe.kind) {
      case ProbeKind::kMissing:
        return !range.has_missing;
      case ProbeKind::kInfinity:
        return !range.has_infinity;
      case ProbeKind::kMagnitude:
        return MagnitudeOf(probe) > range.abs_max;
      default:
        return false;
    }
  }

  void NoteLimit(const Probe& probe) {
    ColumnLimits& limits = limits_[static_cast<size_t>(probe.column)];
    if (probe.kind == ProbeKind::kMissing) {
      limits.missing = true;
    } else if (probe.kind == ProbeKind::kInfinity) {
      limits.infinity = true;
    } else {
      limits.differed_min = std::min(limits.differed_min, MagnitudeOf(probe));
      const bool is_known = std::ranges::find(limits.bases, probe.row) != limits.bases.end();
      if (!is_known && limits.bases.size() < kProbeRowsPerKind) limits.bases.push_back(probe.row);
    }
  }

  void NoteAgreement(const Probe& probe) {
    if (probe.column < 0 ||
        (probe.kind != ProbeKind::kMagnitude && probe.kind != ProbeKind::kBound))
      return;
    ColumnLimits& limits = limits_[static_cast<size_t>(probe.column)];
    limits.agreed_max = std::max(limits.agreed_max, MagnitudeOf(probe));
  }

  void KeepProbe(const Probe& probe, const Columns& changed, int64_t row, const Reply& reply,
                 const Verdict& verdict) {
    ++report_.probes_differing;
    Keep({.row = GivenRow(probe.row, evidence_.rows.rows(), evidence_.rows_given),
          .probe = ToText(signature_, probe),
          .inputs = RecordToJson(signature_, changed, row),
          .original = AnswerToJson(signature_, reply.answer, 0),
          .native = verdict.answered.ok() ? AnswerToJson(signature_, answers_, 0)
                                          : Refused(verdict.answered.message()),
          .absolute = verdict.distance.absolute,
          .relative = verdict.distance.relative,
          .text = verdict.answered.ok() ? verdict.distance.text
                                        : fmt::format("refused: {}", verdict.answered.message())},
         report_.worst_probes);
  }

  Status FindLimits() {
    report_.signature = signature_;
    evidence_.questions.GiveTime(options_.seconds_of_probes_max);
    std::vector<Search> searches;
    for (size_t i = 0; i < limits_.size(); ++i) {
      PublishFlags(i);
      const ColumnLimits& limits = limits_[i];
      if (!std::isfinite(limits.differed_min)) continue;
      const double agreed = limits.agreed_max < limits.differed_min ? limits.agreed_max : 0;
      searches.push_back({.column = static_cast<int>(i),
                          .type = signature_.inputs[i].type,
                          .low = std::max(agreed, evidence_.ranges[i].abs_max),
                          .high = limits.differed_min});
    }
    const auto agrees = [&](std::span<const Trial> trials) { return Agrees(searches, trials); };
    PENSTOCK_TRY(Narrow(searches, {.relative = kLimitRelative}, agrees));
    for (const Search& search : searches) PublishBound(search);
    return {};
  }

  // The original and the native form agree on both signs of a magnitude, in each of the rows where
  // they once did not.
  Result<std::vector<bool>> Agrees(const std::vector<Search>& searches,
                                   std::span<const Trial> trials) {
    std::vector<Probe> probes;
    std::vector<size_t> owners;
    for (size_t t = 0; t < trials.size(); ++t) {
      const Search& search = searches[trials[t].index];
      for (const int64_t base : limits_[static_cast<size_t>(search.column)].bases) {
        for (const double sign : {1.0, -1.0}) {
          probes.push_back({.kind = ProbeKind::kMagnitude,
                            .column = search.column,
                            .row = base,
                            .cell = NumberCell(search.type, sign * trials[t].magnitude)});
          owners.push_back(t);
        }
      }
    }
    const std::vector<Reply> replies = PENSTOCK_TRY(evidence_.questions.Ask(probes));
    std::vector<bool> agrees(trials.size(), true);
    for (size_t i = 0; i < probes.size(); ++i) {
      const Columns changed = Apply(evidence_.rows, std::span(&probes[i], 1));
      const bool holds = replies[i].is_asked && !replies[i].is_refused && [&] {
        const Verdict verdict = Judge(changed, 0, replies[i]);
        return verdict.distance.agrees && verdict.is_finite;
      }();
      if (!holds) agrees[owners[i]] = false;
    }
    return agrees;
  }

  void PublishFlags(size_t index) {
    package::Input& input = report_.signature.inputs[index];
    if (limits_[index].missing) {
      input.allows_missing = false;
      input.missing_reason =
          "the native form cannot vouch for its answer there, though the original gives one";
      report_.limits.push_back(
          {.column = input.name, .kind = "missing", .reason = input.missing_reason});
    }
    if (limits_[index].infinity) {
      input.allows_infinity = false;
      report_.limits.push_back({.column = input.name,
                                .kind = "infinity",
                                .reason = "the native form differs from the original there"});
    }
  }

  void PublishBound(const Search& search) {
    package::Input& input = report_.signature.inputs[static_cast<size_t>(search.column)];
    const double rounded = search.low > 0 ? RoundDown(search.low) : 0;
    const double bound = rounded >= evidence_.ranges[static_cast<size_t>(search.column)].abs_max
                             ? rounded
                             : search.low;
    const std::string reason = fmt::format(
        "up to {:.6g} the native form was found to agree with the original, beyond it was not, so "
        "it does not answer there",
        bound);
    input.abs_max = package::Bound{.value = bound, .refused_by_original = false, .reason = reason};
    report_.limits.push_back(
        {.column = input.name, .kind = "abs_max", .abs_max = bound, .reason = reason});
  }

  // Whatever the signature came to say, a row that the original answers must get through.
  void CheckRowsAreAnswered() {
    package::Tensors tensors(&report_.signature, &report_.entry.encoding);
    tensors.Resize(1);
    for (int64_t row = 0; row < evidence_.rows.rows(); ++row) {
      const Status filled = evidence_.rows.Fill(row, 0, tensors);
      if (filled.ok()) continue;
      refused_row_ =
          fmt::format("would refuse row {}, which the model answers: {}",
                      GivenRow(row, evidence_.rows.rows(), evidence_.rows_given), filled.message());
      return;
    }
  }

  Status MeasureLatency() {
    std::vector<int64_t> times;
    for (const int64_t row :
         EvenSample(std::min(evidence_.rows.rows(), kLatencyCalls), evidence_.rows.rows())) {
      PENSTOCK_TRY(Poll());
      const int64_t start = options_.clock->MonotonicNs();
      // A row that it refuses is among those that differ.
      static_cast<void>(native_.Predict(evidence_.rows, std::span(&row, 1), answers_));
      times.push_back(options_.clock->MonotonicNs() - start);
    }
    std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
    report_.row_ns = times[times.size() / 2];
    return {};
  }

  const Evidence& evidence_;
  const ParityOptions& options_;
  NativeForm& native_;
  CandidateReport& report_;
  const package::Signature& signature_;
  Comparison comparison_;
  std::vector<bool> differs_;  // by row
  std::vector<ColumnLimits> limits_;
  engine::Predictions answers_;
  std::string refused_row_;
};

}  // namespace

int64_t GivenRow(int64_t row, int64_t rows, int64_t rows_given) { return row * rows_given / rows; }

Result<CandidateReport> TryCandidate(const Candidate& candidate, const Evidence& evidence,
                                     const ParityOptions& options) {
  CandidateReport report{.entry = candidate.entry, .signature = evidence.findings.signature};
  const bool is_float32 =
      candidate.entry.precision == package::Type::kFloat32 || evidence.answers.is_float32;
  report.tolerance = is_float32 ? kFloat32Tolerance : kFloat64Tolerance;
  if (!evidence.findings.inexpressible.empty()) {
    report.reason = evidence.findings.inexpressible;
    return report;
  }
  auto native = NativeForm::Load(evidence.findings.signature, candidate, options);
  if (!native.ok()) {
    report.reason =
        fmt::format("{} cannot run it: {}", EngineText(candidate.entry), native.status().message());
    return report;
  }
  CandidateTrial trial(evidence, options, **native, report);
  PENSTOCK_TRY(trial.Run());
  trial.Conclude();
  return report;
}

}  // namespace penstock::train
