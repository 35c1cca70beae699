// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/count.h"
#include "base/names.h"
#include "cli/commands.h"
#include "package/package.h"
#include "train/accept.h"

namespace penstock::cli {
namespace {

constexpr size_t kColumnsShownMax = 4;

int64_t IntOr(const json::Value& value, std::string_view name, int64_t otherwise) {
  const json::Value* found = value.Find(name);
  return found != nullptr && found->if_int() ? *found->if_int() : otherwise;
}

json::Array ListOrNone(const json::Value& value, std::string_view name) {
  const json::Value* found = value.Find(name);
  return found != nullptr && found->if_array() ? *found->if_array() : json::Array();
}

std::string TextOr(const json::Value& value, std::string_view name, std::string_view otherwise) {
  const json::Value* found = value.Find(name);
  return found != nullptr && found->if_string() ? *found->if_string() : std::string(otherwise);
}

// The candidate that became the engine or may be accepted as it, else the last that was tried; null
// when there was none.
const json::Value* Deciding(const json::Array& candidates) {
  for (const std::string_view mark : {"passed", "offered"}) {
    for (const json::Value& candidate : candidates) {
      const json::Value* is_marked = candidate.Find(mark);
      if (is_marked != nullptr && *is_marked == json::Value(true)) return &candidate;
    }
  }
  return candidates.empty() ? nullptr : &candidates.back();
}

std::string JsonOf(const json::Value& value, std::string_view name) {
  const json::Value* found = value.Find(name);
  return found != nullptr ? json::Write(*found) : "?";
}

// Refusals or limits, those with one kind and reason together: a model refuses most things in every
// column.
std::string BordersText(const json::Array& borders, std::string_view heading) {
  std::vector<std::pair<std::string, std::vector<std::string>>> columns_by_rule;
  for (const json::Value& border : borders) {
    const std::string rule =
        fmt::format("({}): {}", TextOr(border, "kind", ""), TextOr(border, "reason", ""));
    auto found =
        std::ranges::find(columns_by_rule, rule, [](const auto& entry) { return entry.first; });
    if (found == columns_by_rule.end()) found = columns_by_rule.insert(found, {rule, {}});
    found->second.push_back(TextOr(border, "column", ""));
  }
  std::string text;
  for (const auto& [rule, columns] : columns_by_rule) {
    text += fmt::format("  {:<10}{} {}\n", text.empty() ? heading : "",
                        QuotedList(columns, kColumnsShownMax), rule);
  }
  return text;
}

// The rows that differ most, what was asked and the two answers.
std::string WorstText(const json::Array& worst, std::string_view heading) {
  std::string text;
  for (const json::Value& difference : worst) {
    const std::string probe = TextOr(difference, "probe", "");
    text += fmt::format("  {:<10}row {}{}: {}\n", text.empty() ? heading : "",
                        IntOr(difference, "row", 0), probe.empty() ? "" : ", " + probe,
                        JsonOf(difference, "inputs"));
    text += fmt::format("  {:<10}  the model {}\n", "", JsonOf(difference, "original"));
    text += fmt::format("  {:<10}  native    {}\n", "", JsonOf(difference, "native"));
  }
  return text;
}

Result<json::Value> ReadJson(const package::Package& package, std::string_view file) {
  return json::Parse(PENSTOCK_TRY(package.Read(file)));
}

}  // namespace

std::string ParityText(const json::Value& report) {
  const json::Array candidates = ListOrNone(report, "candidates");
  std::string text =
      fmt::format("  {:<10}{} rows and {} probes", "parity", CountText(IntOr(report, "rows", 0)),
                  CountText(IntOr(report, "probes", 0)));
  if (const int64_t assumed = IntOr(report, "probes_assumed", 0); assumed > 0) {
    text += fmt::format(", {} more taken as refused as others like them were", CountText(assumed));
  }
  if (const int64_t unasked = IntOr(report, "probes_unasked", 0); unasked > 0) {
    text += fmt::format(", {} not asked (what they ask is refused)", CountText(unasked));
  }
  const json::Value* deciding = Deciding(candidates);
  if (deciding == nullptr) return text + ": there was no native form to check\n";
  const json::Value* upper = deciding->Find("differing_share_upper_95");
  text +=
      fmt::format(": {} differ (95 %: < {} %)\n", CountText(IntOr(*deciding, "differing_rows", 0)),
                  PercentText(upper == nullptr ? 1 : upper->number()));
  for (const json::Value& candidate : candidates) {
    text += fmt::format("  {:<10}{}: {}\n", "", TextOr(candidate, "engine", ""),
                        TextOr(candidate, "reason", ""));
  }
  text += BordersText(ListOrNone(report, "refusals"), "refuses");
  text += BordersText(ListOrNone(*deciding, "limits"), "limits");
  return text + fmt::format("  {:<10}{} us -> {} us a row\n", "time",
                            MicrosecondsText(IntOr(report, "original_row_ns", 0)),
                            MicrosecondsText(IntOr(*deciding, "row_ns", 0)));
}

Result<json::Value> ParityReport(const package::Package& package) {
  return ReadJson(package, "parity.json");
}

Status ShowParity(const ShowParityCommand& command, Terminal& terminal) {
  registry::Registry registry = PENSTOCK_TRY(OpenRegistry());
  const registry::ModelVersion version = PENSTOCK_TRY(registry.Resolve(command.version));
  const package::Package package = PENSTOCK_TRY(package::Package::Open(
      os::FileSystem::System(), PENSTOCK_TRY(registry.Materialize(version))));
  const json::Value report = PENSTOCK_TRY(ParityReport(package));
  if (command.is_json) {
    terminal.Out(json::WritePretty(report));
    return {};
  }
  std::string text = version.ToString() + "\n" + ParityText(report);
  for (const json::Value& candidate : ListOrNone(report, "candidates")) {
    const std::string engine =
        fmt::format("{} {} ", TextOr(candidate, "engine", ""), TextOr(candidate, "precision", ""));
    text += WorstText(ListOrNone(candidate, "worst"), engine);
    text += WorstText(ListOrNone(candidate, "worst_probes"), engine);
  }
  terminal.Out(text);
  return {};
}

Status AcceptParity(const AcceptParityCommand& command, Terminal& terminal) {
  registry::Registry registry = PENSTOCK_TRY(OpenRegistry());
  const registry::ModelVersion before = PENSTOCK_TRY(registry.Resolve(command.version));
  const package::Package package = PENSTOCK_TRY(
      package::Package::Open(os::FileSystem::System(), PENSTOCK_TRY(registry.Materialize(before))));
  json::Value accepted;
  package::Draft draft = PENSTOCK_TRY(train::Accept(package,
                                                    {.share_max = command.share,
                                                     .because = command.because,
                                                     .actor = registry::Actor(),
                                                     .at_us = Clock::System().NowUs(),
                                                     .origin = before.ToString()},
                                                    accepted));
  json::Value details = before.details;
  details.Set("accepted", accepted);
  const registry::ModelVersion after =
      PENSTOCK_TRY(registry.Register(before.name, std::move(draft), details, before.run,
                                     {.action = "accept", .details = accepted}));
  if (command.is_json) {
    terminal.Out(json::WritePretty(json::Object{{"name", after.name},
                                                {"version", after.version},
                                                {"digest", after.digest},
                                                {"engine", after.engine},
                                                {"accepted", accepted}}));
    return {};
  }
  terminal.Out(fmt::format("{}: {}\n  {} stays as it was\n", after.ToString(), after.engine_reason,
                           before.ToString()));
  return {};
}

}  // namespace penstock::cli
