// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/names.h"
#include "cli/commands.h"
#include "config/home.h"
#include "package/package.h"

namespace penstock::cli {
namespace {

constexpr size_t kColumnsShownMax = 4;

json::Value ToJson(const registry::ModelVersion& version) {
  return json::Object{{"name", version.name},     {"version", version.version},
                      {"digest", version.digest}, {"created_at_us", version.created_at_us},
                      {"engine", version.engine}, {"engine_reason", version.engine_reason},
                      {"run", version.run},       {"details", version.details}};
}

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

// The candidate that became the engine, else the last that was tried; null when there was none.
const json::Value* Deciding(const json::Array& candidates) {
  for (const json::Value& candidate : candidates) {
    if (candidate.Find("passed") != nullptr && *candidate.Find("passed") == json::Value(true))
      return &candidate;
  }
  return candidates.empty() ? nullptr : &candidates.back();
}

std::string InputsText(const package::Signature& signature) {
  std::vector<std::vector<std::string>> rows;
  for (const package::Input& input : signature.inputs) {
    std::string rule = input.allows_missing ? "may be missing" : "";
    if (input.abs_max)
      rule += fmt::format("{}up to {} in absolute value", rule.empty() ? "" : ", ",
                          input.abs_max->value);
    rows.push_back({"    " + input.name, std::string(package::TypeName(input.type)), rule});
  }
  return AlignedTable(rows);
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
  return json::Parse(PENSTOCK_TRY(package.Read("parity.json")));
}

}  // namespace

Result<std::filesystem::path> HomeFolder() {
  const config::Home home = PENSTOCK_TRY(config::FindHome("", ".", config::MissingHome::kRefuse));
  return home.path;
}

Result<registry::Registry> OpenRegistry() {
  return registry::Registry::Open(PENSTOCK_TRY(HomeFolder()));
}

Status List(const ListCommand& command, Terminal& terminal) {
  registry::Registry registry = PENSTOCK_TRY(OpenRegistry());
  const std::vector<registry::ModelVersion> models = PENSTOCK_TRY(registry.Models());
  if (command.is_json) {
    json::Array list;
    for (const registry::ModelVersion& model : models) list.push_back(ToJson(model));
    terminal.Out(json::WritePretty(list));
    return {};
  }
  if (models.empty()) {
    terminal.Err("penstock: no model is registered yet; penstock register --help shows how\n");
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"MODEL", "VERSION", "ENGINE", "CREATED", "PACKAGE"}};
  for (const registry::ModelVersion& model : models) {
    rows.push_back({model.name, fmt::format("{}", model.version), model.engine,
                    TimeText(model.created_at_us), model.digest.substr(0, 12)});
  }
  terminal.Out(AlignedTable(rows));
  return {};
}

Status Show(const ShowCommand& command, Terminal& terminal) {
  registry::Registry registry = PENSTOCK_TRY(OpenRegistry());
  const registry::ModelVersion version = PENSTOCK_TRY(registry.Resolve(command.version));
  const std::filesystem::path folder = PENSTOCK_TRY(registry.Materialize(version));
  const package::Package package =
      PENSTOCK_TRY(package::Package::Open(os::FileSystem::System(), folder));
  const json::Value report = PENSTOCK_TRY(ParityReport(package));
  const package::Signature& signature = package.manifest().signature;
  if (command.is_json) {
    json::Value shown = ToJson(version);
    shown.Set("path", folder.string());
    shown.Set("signature", signature.ToJson());
    shown.Set("parity", report);
    terminal.Out(json::WritePretty(shown));
    return {};
  }
  std::string text = version.ToString() + "\n";
  text += fmt::format("  {:<10}{}\n", "created", TimeText(version.created_at_us));
  text += fmt::format("  {:<10}{}\n", "package", version.digest);
  if (!version.run.empty()) text += fmt::format("  {:<10}{}\n", "run", version.run);
  text += fmt::format("  {:<10}{}\n", "engine", version.engine_reason);
  text += ParityText(report);
  text += fmt::format("  {:<10}{}, {} columns\n", "takes", package::TaskName(signature.task),
                      signature.inputs.size());
  terminal.Out(text + InputsText(signature));
  return {};
}

}  // namespace penstock::cli
