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

json::Value ToJson(const registry::ModelVersion& version) {
  return json::Object{{"name", version.name},     {"version", version.version},
                      {"digest", version.digest}, {"created_at_us", version.created_at_us},
                      {"engine", version.engine}, {"engine_reason", version.engine_reason},
                      {"run", version.run},       {"details", version.details}};
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
