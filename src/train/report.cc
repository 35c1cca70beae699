// SPDX-License-Identifier: Apache-2.0
#include "json/value.h"
#include "train/parity.h"

namespace penstock::train {
namespace {

constexpr int kReportFormat = 1;

json::Value PassToJson(const Pass& pass) {
  return json::Object{{"rows_per_call", pass.rows_per_call},
                      {"shuffled", pass.is_shuffled},
                      {"rows", pass.rows},
                      {"differing", pass.differing}};
}

json::Value DifferenceToJson(const Difference& difference) {
  json::Value value(json::Object{{"row", difference.row}});
  if (!difference.probe.empty()) value.Set("probe", difference.probe);
  value.Set("inputs", difference.inputs);
  value.Set("original", difference.original);
  value.Set("native", difference.native);
  value.Set("absolute", difference.absolute);
  value.Set("relative", difference.relative);
  return value;
}

// A Limit or a Refusal: the same members.
template <typename T>
json::Value BorderToJson(const T& border) {
  json::Value value(json::Object{{"column", border.column}, {"kind", border.kind}});
  if (border.kind == "abs_max") value.Set("abs_max", border.abs_max);
  value.Set("reason", border.reason);
  return value;
}

json::Value RefusalToJson(const Refusal& refusal) {
  json::Value value = BorderToJson(refusal);
  value.Set("asked", refusal.is_asked);
  return value;
}

template <typename T, typename F>
json::Array ListOf(const std::vector<T>& items, F to_json) {
  json::Array list;
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

json::Value CandidateToJson(const CandidateReport& candidate) {
  return json::Object{{"engine", package::EngineKindName(candidate.entry.kind)},
                      {"file", candidate.entry.file},
                      {"precision", package::TypeName(candidate.entry.precision)},
                      {"passed", candidate.passed},
                      {"offered", candidate.is_offered},
                      {"reason", candidate.reason},
                      {"tolerance", json::Object{{"relative", candidate.tolerance.relative},
                                                 {"absolute", candidate.tolerance.absolute},
                                                 {"grows", candidate.tolerance.grows}}},
                      {"passes", ListOf(candidate.passes, PassToJson)},
                      {"differing_rows", candidate.differing_rows},
                      {"differing_share_upper_95", candidate.differing_share_upper_95},
                      {"absolute_max", candidate.absolute_max},
                      {"relative_max", candidate.relative_max},
                      {"worst", ListOf(candidate.worst, DifferenceToJson)},
                      {"probes", json::Object{{"agreed", candidate.probes_agreed},
                                              {"limited", candidate.probes_limited},
                                              {"differing", candidate.probes_differing}}},
                      {"worst_probes", ListOf(candidate.worst_probes, DifferenceToJson)},
                      {"limits", ListOf(candidate.limits, BorderToJson<Limit>)},
                      {"row_ns", candidate.row_ns}};
}

}  // namespace

json::Value ParityReport::ToJson() const {
  return json::Object{
      {"format", kReportFormat},
      {"engine", chosen ? json::Value(package::EngineKindName(candidates[*chosen].entry.kind))
                        : json::Value("python")},
      {"rows_given", rows_given},
      {"rows", rows},
      {"probes", probes},
      {"probes_refused", probes_refused},
      {"probes_assumed", probes_assumed},
      {"probes_unasked", probes_unasked},
      {"seed", static_cast<int64_t>(seed)},
      {"original_row_ns", original_row_ns},
      {"refusals", ListOf(refusals, RefusalToJson)},
      {"candidates", ListOf(candidates, CandidateToJson)}};
}

}  // namespace penstock::train
