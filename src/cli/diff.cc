// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>

#include "cli/commands.h"
#include "package/package.h"
#include "registry/runs.h"

namespace penstock::cli {
namespace {

using Facts = std::vector<std::pair<std::string, json::Value>>;

// What two versions are held against each other by, in groups.
struct Sides {
  std::string group;
  Facts before;
  Facts after;
};

struct Difference {
  std::string group;
  std::string name;
  std::optional<json::Value> before;  // not there in the version before
  std::optional<json::Value> after;
};

const json::Value* Find(const Facts& facts, const std::string& name) {
  for (const auto& [known, value] : facts) {
    if (known == name) return &value;
  }
  return nullptr;
}

std::vector<Difference> DifferencesOf(const Sides& sides) {
  std::vector<Difference> found;
  for (const auto& [name, value] : sides.before) {
    const json::Value* after = Find(sides.after, name);
    if (after != nullptr && *after == value) continue;
    found.push_back({.group = sides.group,
                     .name = name,
                     .before = value,
                     .after = after ? std::optional(*after) : std::nullopt});
  }
  for (const auto& [name, value] : sides.after) {
    if (Find(sides.before, name) == nullptr)
      found.push_back({.group = sides.group, .name = name, .before = std::nullopt, .after = value});
  }
  return found;
}

// One version with all that is known of it.
struct Known {
  registry::ModelVersion version;
  package::Signature signature;
  json::Value parity;
  // All but the evidence, with their digests: that differs by what was timed.
  std::vector<std::pair<std::string, std::string>> model_files;
  std::optional<registry::Run> run;
};

Result<Known> Look(const std::filesystem::path& home, const std::string& spec) {
  registry::Registry registry = PENSTOCK_TRY(registry::Registry::Open(home));
  Known known{.version = PENSTOCK_TRY(registry.Resolve(spec))};
  const std::filesystem::path folder = PENSTOCK_TRY(registry.Materialize(known.version));
  const package::Package package =
      PENSTOCK_TRY(package::Package::Open(os::FileSystem::System(), folder));
  known.signature = package.manifest().signature;
  for (const package::FileEntry& file : package.manifest().files) {
    const bool is_evidence = file.path == "parity.json" || file.path == "examples.json";
    if (!is_evidence) known.model_files.emplace_back(file.path, file.sha256);
  }
  known.parity = PENSTOCK_TRY(json::Parse(PENSTOCK_TRY(package.Read("parity.json"))));
  if (!known.version.run.empty()) {
    registry::RunLog log = PENSTOCK_TRY(registry::RunLog::Open(home));
    known.run = PENSTOCK_TRY(log.Find(known.version.run));
  }
  return known;
}

Facts PackageFacts(const Known& known) {
  Facts facts = {{"engine", known.version.engine}};
  for (const auto& [path, digest] : known.model_files) facts.emplace_back(path, digest);
  for (const char* name : {"rows", "probes"}) {
    if (const json::Value* value = known.parity.Find(name))
      facts.emplace_back(fmt::format("parity {}", name), *value);
  }
  return facts;
}

Facts ColumnFacts(const Known& known) {
  Facts facts;
  for (const package::Input& input : known.signature.inputs) {
    facts.emplace_back(input.name, fmt::format("{}{}", package::TypeName(input.type),
                                               input.allows_missing ? ", may be missing" : ""));
  }
  return facts;
}

Facts AnswerFacts(const Known& known) {
  const json::Value signature = known.signature.ToJson();
  Facts facts;
  for (const char* name : {"task", "classes", "has_probabilities", "prediction", "output"}) {
    if (const json::Value* value = signature.Find(name)) facts.emplace_back(name, *value);
  }
  return facts;
}

Facts DetailFacts(const Known& known) {
  Facts facts;
  for (auto& [name, value] : Flattened(known.version.details)) {
    if (name == "model_class" || name == "python" || name.starts_with("packages "))
      facts.emplace_back(name, std::move(value));
  }
  return facts;
}

Facts OriginFacts(const Known& known) {
  Facts facts;
  if (!known.run) return facts;
  for (const auto& [name, value] : Flattened(known.run->origin)) {
    const bool tells = name.starts_with("data ") || name.starts_with("code ") ||
                       name == "git commit" || name == "git is_clean" ||
                       name.starts_with("arguments ");
    if (tells) facts.emplace_back(name, value);
  }
  return facts;
}

Facts RunFacts(const Known& known, json::Value registry::Run::* member) {
  return known.run ? Flattened((*known.run).*member) : Facts();
}

std::vector<Difference> Compare(const Known& before, const Known& after) {
  std::vector<Difference> all;
  const auto add = [&](const char* group, const auto& facts_of) {
    const std::vector<Difference> found =
        DifferencesOf({.group = group, .before = facts_of(before), .after = facts_of(after)});
    all.insert(all.end(), found.begin(), found.end());
  };
  add("version", PackageFacts);
  add("columns", ColumnFacts);
  add("answers", AnswerFacts);
  add("hyperparameters",
      [](const Known& known) { return RunFacts(known, &registry::Run::hyperparameters); });
  add("metrics", [](const Known& known) { return RunFacts(known, &registry::Run::metrics); });
  add("origin", OriginFacts);
  add("environment", DetailFacts);
  return all;
}

std::string SideText(const std::optional<json::Value>& value) {
  constexpr size_t kShownMax = 40;
  if (!value) return "-";
  std::string text = ValueText(*value);
  return text.size() > kShownMax ? text.substr(0, kShownMax - 3) + "..." : text;
}

}  // namespace

Status Diff(const DiffCommand& command, Terminal& terminal) {
  const std::filesystem::path home = PENSTOCK_TRY(HomeFolder());
  const Known before = PENSTOCK_TRY(Look(home, command.before));
  const Known after = PENSTOCK_TRY(Look(home, command.after));
  const std::vector<Difference> differences = Compare(before, after);
  if (command.is_json) {
    json::Array list;
    for (const Difference& difference : differences) {
      list.push_back(json::Object{{"group", difference.group},
                                  {"name", difference.name},
                                  {"before", difference.before.value_or(json::Value())},
                                  {"after", difference.after.value_or(json::Value())}});
    }
    terminal.Out(json::WritePretty(json::Object{{"before", before.version.ToString()},
                                                {"after", after.version.ToString()},
                                                {"differences", std::move(list)}}));
    return {};
  }
  if (differences.empty()) {
    terminal.Out(fmt::format("{} and {} are the same model, from equal runs\n",
                             before.version.ToString(), after.version.ToString()));
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"", "", before.version.ToString(), after.version.ToString()}};
  std::string group;
  for (const Difference& difference : differences) {
    rows.push_back({difference.group == group ? "" : difference.group, difference.name,
                    SideText(difference.before), SideText(difference.after)});
    group = difference.group;
  }
  terminal.Out(AlignedTable(rows));
  return {};
}

}  // namespace penstock::cli
