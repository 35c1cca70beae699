// SPDX-License-Identifier: Apache-2.0
#include "registry/runs.h"

#include <fmt/format.h>

#include "base/count.h"
#include "base/names.h"
#include "cli/commands.h"

namespace penstock::cli {
namespace {

constexpr size_t kIdShown = 8;
constexpr size_t kReportsShownMax = 10;

std::string Duration(const registry::Run& run) {
  if (!run.ended_at_us) return "";
  return fmt::format("{:.1f} s", static_cast<double>(*run.ended_at_us - run.started_at_us) / 1e6);
}

// "test accuracy 0.95, train accuracy 1".
std::string Listed(const json::Value& object) {
  std::string text;
  for (const auto& [name, value] : Flattened(object))
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, ValueText(value));
  return text;
}

std::string TextOr(const json::Value& object, std::string_view name, std::string_view otherwise) {
  const json::Value* found = object.Find(name);
  return found != nullptr && found->if_string() ? *found->if_string() : std::string(otherwise);
}

std::string DataText(const json::Value& origin) {
  const json::Value* data = origin.Find("data");
  if (data == nullptr) return "";
  const json::Value* rows = data->Find("rows");
  std::string text =
      rows != nullptr && rows->if_int() ? CountText(*rows->if_int()) + " rows, " : "";
  text += TextOr(*data, "kind", "");
  const std::string digest = TextOr(*data, "digest", "");
  return digest.empty() ? text : fmt::format("{}, digest {}", text, digest.substr(0, 12));
}

std::string CodeText(const json::Value& origin) {
  std::string text;
  if (const json::Value* code = origin.Find("code")) {
    const std::string digest = TextOr(*code, "digest", "");
    if (!digest.empty()) text = fmt::format("digest {}", digest.substr(0, 12));
  }
  const json::Value* git = origin.Find("git");
  if (git == nullptr || git->is_null()) return text;
  const json::Value* clean = git->Find("is_clean");
  const bool is_clean = clean != nullptr && *clean == json::Value(true);
  return fmt::format("{}{}commit {}{}", text, text.empty() ? "" : ", ",
                     TextOr(*git, "commit", "").substr(0, 12), is_clean ? "" : ", with changes");
}

void AddLine(std::string& text, std::string_view heading, std::string_view value) {
  if (!value.empty()) text += fmt::format("  {:<16}{}\n", heading, value);
}

std::string ReportsText(const std::vector<registry::RunReport>& reports) {
  const size_t first = reports.size() > kReportsShownMax ? reports.size() - kReportsShownMax : 0;
  std::vector<std::vector<std::string>> rows;
  for (size_t i = first; i < reports.size(); ++i)
    rows.push_back({fmt::format("    step {}", reports[i].step), Listed(reports[i].metrics)});
  if (rows.empty()) return "";
  const std::string which =
      first == 0 ? "" : fmt::format(" (the last {} of {})", rows.size(), reports.size());
  return fmt::format("  reported{}\n{}", which, AlignedTable(rows));
}

}  // namespace

Status ListRuns(const RunsCommand& command, Terminal& terminal) {
  registry::RunLog log = PENSTOCK_TRY(registry::RunLog::Open(PENSTOCK_TRY(HomeFolder())));
  const std::vector<registry::Run> runs = PENSTOCK_TRY(log.List(command.model, command.count_max));
  if (command.is_json) {
    json::Array list;
    for (const registry::Run& run : runs) list.push_back(run.ToJson());
    terminal.Out(json::WritePretty(list));
    return {};
  }
  if (runs.empty()) {
    terminal.Err(command.model.empty()
                     ? "penstock: nothing was trained yet; penstock train --help shows how\n"
                     : fmt::format("penstock: no training of '{}' is recorded; penstock runs list "
                                   "shows those of all models\n",
                                   command.model));
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"RUN", "MODEL", "STATUS", "STARTED", "TOOK", "METRICS", "VERSIONS"}};
  for (const registry::Run& run : runs) {
    rows.push_back({run.id.substr(0, kIdShown), run.model,
                    std::string(registry::RunStatusName(run.status)), TimeText(run.started_at_us),
                    Duration(run), Listed(run.metrics),
                    fmt::format("{}", fmt::join(run.versions, ", "))});
  }
  terminal.Out(AlignedTable(rows));
  return {};
}

Status ShowRun(const ShowRunCommand& command, Terminal& terminal) {
  registry::RunLog log = PENSTOCK_TRY(registry::RunLog::Open(PENSTOCK_TRY(HomeFolder())));
  const registry::Run run = PENSTOCK_TRY(log.Find(command.id));
  const std::vector<registry::RunReport> reports = PENSTOCK_TRY(log.Reports(run.id));
  if (command.is_json) {
    json::Value shown = run.ToJson();
    json::Array list;
    for (const registry::RunReport& report : reports) list.push_back(report.ToJson());
    shown.Set("reports", std::move(list));
    terminal.Out(json::WritePretty(shown));
    return {};
  }
  std::string text = fmt::format("run {} of {}\n", run.id, run.model);
  const std::string status(registry::RunStatusName(run.status));
  AddLine(text, "status", run.reason.empty() ? status : fmt::format("{}: {}", status, run.reason));
  const std::string took = Duration(run);
  AddLine(text, "started",
          fmt::format("{} by {}{}", TimeText(run.started_at_us), run.actor,
                      took.empty() ? "" : ", took " + took));
  AddLine(text, "hyperparameters", Listed(run.hyperparameters));
  AddLine(text, "data", DataText(run.origin));
  AddLine(text, "code", CodeText(run.origin));
  AddLine(text, "metrics", Listed(run.metrics));
  AddLine(text, "registered as", QuotedList(run.versions));
  text += ReportsText(reports);
  if (!run.traceback.empty()) text += "\n" + run.traceback;
  terminal.Out(text);
  return {};
}

}  // namespace penstock::cli
