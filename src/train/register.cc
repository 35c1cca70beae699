// SPDX-License-Identifier: Apache-2.0
#include "train/register.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/version.h"
#include "train/accept.h"
#include "train/answers.h"
#include "train/native_form.h"

namespace penstock::train {
namespace {

// Ends a sentence's clause where the next begins.
std::string WithoutPeriod(std::string text) {
  while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string FailedReasons(const ParityReport& report, size_t end) {
  std::string reasons;
  for (size_t i = 0; i < end; ++i) {
    if (i > 0 && report.candidates[i].reason == report.candidates[i - 1].reason) continue;
    reasons += fmt::format("; {}", WithoutPeriod(report.candidates[i].reason));
  }
  return reasons;
}

std::string HintClause(const std::string& hint) {
  return hint.empty() ? "" : fmt::format("; {}", WithoutPeriod(hint));
}

// What would let a form pass whose only fault may be that it computes in float32.
std::string_view Remedy(const ParityReport& report) {
  const bool is_rounded = std::ranges::any_of(report.candidates, [](const auto& candidate) {
    return candidate.entry.precision == package::Type::kFloat32 && candidate.differing_rows > 0;
  });
  return is_rounded
             ? "; fit the model on X.astype('float32') if what float32 rounds is what differs"
             : "";
}

std::string ReasonOf(const ParityReport& report, const std::string& hint) {
  if (report.chosen) {
    const CandidateReport& chosen = report.candidates[*report.chosen];
    const std::string others = FailedReasons(report, *report.chosen);
    const bool is_own = chosen.entry.kind == package::EngineKind::kOwn;
    return fmt::format("{}{}{}.", WithoutPeriod(chosen.reason), others,
                       is_own ? "" : HintClause(hint));
  }
  if (report.candidates.empty())
    return fmt::format("Python worker: the model has no native form{}.", HintClause(hint));
  return fmt::format("Python worker: no native form answers as the model does{}{}{}.",
                     FailedReasons(report, report.candidates.size()), Remedy(report),
                     HintClause(hint));
}

bool IsPlain(const Columns& rows, int64_t row) {
  for (int column = 0; column < rows.width(); ++column) {
    const Cell cell = rows.At(row, column);
    const double* number = std::get_if<double>(&cell);
    if (IsMissing(cell) || (number != nullptr && !std::isfinite(*number))) return false;
  }
  return true;
}

// Rows that JSON can say, spread over the data; with missing values only where there are no others.
std::vector<int64_t> ChooseExamples(const Columns& rows) {
  std::vector<int64_t> chosen;
  const int64_t stride = std::max<int64_t>(1, rows.rows() / kExamplesMax);
  for (int64_t row = 0; row < rows.rows() && static_cast<int64_t>(chosen.size()) < kExamplesMax;
       ++row) {
    const bool is_due = chosen.empty() || row >= chosen.back() + stride;
    if (is_due && IsPlain(rows, row)) chosen.push_back(row);
  }
  if (chosen.empty()) chosen.push_back(0);
  return chosen;
}

// In the form of a request and of its answer.
Result<json::Value> Examples(const package::Signature& signature, const Columns& rows,
                             Original& original) {
  const Columns examples = rows.Gather(ChooseExamples(rows));
  const engine::Predictions answers = PENSTOCK_TRY(original.Predict(examples));
  PENSTOCK_TRY(CheckAnswers(signature, answers, examples.rows()));
  json::Array features;
  json::Array predictions;
  json::Array probabilities;
  for (int64_t row = 0; row < examples.rows(); ++row) {
    if (!IsFinite(signature, answers, row)) continue;
    const json::Value answer = AnswerToJson(signature, answers, row);
    features.push_back(RecordToJson(signature, examples, row));
    predictions.push_back(*answer.Find("prediction"));
    if (signature.has_probabilities) probabilities.push_back(*answer.Find("probabilities"));
  }
  json::Value value(
      json::Object{{"features", std::move(features)}, {"predictions", std::move(predictions)}});
  if (signature.has_probabilities) value.Set("probabilities", std::move(probabilities));
  return value;
}

Status KeepPythonForm(PythonForm form, package::Draft& draft) {
  if (form.files.empty()) return InvalidArgument("its Python object has no file");
  draft.manifest.engines.push_back({.kind = package::EngineKind::kPython,
                                    .file = form.files[0].first,
                                    .options = std::move(form.options)});
  for (auto& [path, bytes] : form.files) {
    PENSTOCK_TRY(package::CheckPath(path));
    draft.contents.emplace_back(std::move(path), std::move(bytes));
  }
  return {};
}

}  // namespace

Result<BuiltPackage> BuildPackage(Submission submission, Original& original,
                                  const ParityOptions& options) {
  ParityReport report = PENSTOCK_TRY(
      CheckParity(submission.signature, submission.candidates, submission.rows, original, options));
  const json::Value examples =
      PENSTOCK_TRY(Examples(submission.signature, submission.rows, original));

  BuiltPackage built;
  package::Manifest& manifest = built.draft.manifest;
  manifest.created_by = fmt::format("penstock {}", kVersion);
  manifest.signature = report.signature;
  manifest.engine_reason = ReasonOf(report, submission.native_hint);
  if (report.chosen) {
    Candidate& chosen = submission.candidates[*report.chosen];
    manifest.engines.push_back(chosen.entry);
    built.draft.contents.emplace_back(chosen.entry.file, std::move(chosen.bytes));
  } else {
    Result<PythonForm> form =
        InvalidArgument("no native form passed and no Python object was given");
    if (submission.python_form) form = submission.python_form();
    Status kept = form.status();
    if (kept.exception() != nullptr) return kept;
    if (form.ok()) kept = KeepPythonForm(*std::move(form), built.draft);
    if (!kept.ok()) {
      std::string_view reason = manifest.engine_reason;
      if (reason.ends_with('.')) reason.remove_suffix(1);
      return InvalidArgument(
          fmt::format("nothing was registered, for {} ({})", kept.message(), reason));
    }
    // Workers run the original, which refuses for itself what it refuses.
    manifest.signature = submission.signature;
    const auto offered = std::ranges::find(report.candidates, true, &CandidateReport::is_offered);
    if (offered != report.candidates.end()) {
      const auto index = static_cast<size_t>(offered - report.candidates.begin());
      KeepOffered(*offered, submission.candidates[index].bytes, built.draft);
      manifest.engine_reason +=
          " The native form may be accepted all the same: penstock parity accept.";
    }
  }
  built.draft.contents.emplace_back("parity.json", json::WritePretty(report.ToJson()));
  built.draft.contents.emplace_back("examples.json", json::WritePretty(examples));
  built.report = std::move(report);
  return built;
}

}  // namespace penstock::train
