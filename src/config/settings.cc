// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#define TOML_EXCEPTIONS 0
#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <iterator>

#include "base/names.h"
#include "config/home.h"

namespace penstock::config {
namespace {

constexpr std::string_view kVariablePrefix = "PENSTOCK_";
// [hyperparameters.MODEL]: the user's own names, which the training checks.
constexpr std::string_view kHyperparameters = "hyperparameters.";
// Read elsewhere, or set by tests and tools.
constexpr std::array<std::string_view, 7> kOtherVariables = {
    "PENSTOCK_DUCKDB", "PENSTOCK_HOME",      "PENSTOCK_MODEL_PATH",     "PENSTOCK_ONNXRUNTIME",
    "PENSTOCK_PYTHON", "PENSTOCK_TEST_HOME", "PENSTOCK_UNDER_SANITIZER"};

std::filesystem::path FindUpward(const std::filesystem::path& start) {
  std::error_code error;
  const Result<std::filesystem::path> first = Absolute(start);
  // Above a working directory that was deleted there are no settings.
  if (!first.ok()) return {};
  for (std::filesystem::path folder = first->lexically_normal();; folder = folder.parent_path()) {
    if (std::filesystem::is_regular_file(folder / kSettingsName, error))
      return folder / kSettingsName;
    if (folder == folder.parent_path()) return {};
  }
}

const Setting* FindSetting(std::span<const Setting> known, std::string_view key) {
  const auto found = std::ranges::find(known, key, &Setting::key);
  return found == known.end() ? nullptr : &*found;
}

bool IsInteger(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// "true" or "false"; nothing for another word.
std::optional<std::string> SwitchOf(std::string_view word) {
  if (word == "true" || word == "1" || word == "yes") return "true";
  if (word == "false" || word == "0" || word == "no") return "false";
  return std::nullopt;
}

// Whether Kubernetes set a variable, in every pod, for a Service: of one called penstock it tells
// PENSTOCK_PORT=tcp://10.0.0.1:8000, PENSTOCK_SERVICE_HOST, PENSTOCK_PORT_8000_TCP_ADDR and others
// (kubernetes.io, "Discovering services").
bool IsOfKubernetes(std::string_view name, std::span<const std::string> environment) {
  constexpr std::string_view kPort = "_PORT=";
  return std::ranges::any_of(environment, [&](std::string_view variable) {
    const size_t at = variable.find(kPort);
    if (at == variable.npos || at != variable.find('=') - (kPort.size() - 1)) return false;
    const std::string_view value = variable.substr(at + kPort.size());
    const bool is_address =
        value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://");
    const std::string_view service = variable.substr(0, at);
    if (!is_address || !name.starts_with(service)) return false;
    const std::string_view rest = name.substr(service.size());
    return rest == "_PORT" || rest.starts_with("_PORT_") || rest == "_SERVICE_HOST" ||
           rest == "_SERVICE_PORT" || rest.starts_with("_SERVICE_PORT_");
  });
}

Result<std::string> TextOf(const toml::node& node, const Setting& setting,
                           const std::string& origin) {
  if (setting.is_number) {
    if (const auto number = node.value_exact<int64_t>()) return fmt::format("{}", *number);
    return InvalidArgument(
        fmt::format("{} is not a whole number; write it without quotes", origin));
  }
  if (setting.is_switch) {
    if (const auto is_on = node.value_exact<bool>()) return std::string(*is_on ? "true" : "false");
    return InvalidArgument(
        fmt::format("{} is neither true nor false; write one of them, without quotes", origin));
  }
  if (const auto text = node.value_exact<std::string>()) return *text;
  return InvalidArgument(fmt::format("{} is not a text; write it in quotes", origin));
}

// Keys with their tables, "serve.port", and the values they stand for.
void Flatten(const toml::table& table, const std::string& prefix,
             std::vector<std::pair<std::string, const toml::node*>>& flat) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      Flatten(*inner, name + ".", flat);
    } else {
      flat.emplace_back(name, &node);
    }
  }
}

Result<std::string> ReadSettings(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open())
    return PermissionDenied(fmt::format("cannot read the settings '{}'", path.string()));
  if (text.size() > kSettingsBytesMax) {
    return InvalidArgument(fmt::format("the settings '{}' have {} bytes, more than {}",
                                       path.string(), text.size(), kSettingsBytesMax));
  }
  return text;
}

}  // namespace

std::string VariableOf(std::string_view key) {
  std::string name(kVariablePrefix);
  for (const char c : key)
    name +=
        c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    variables.emplace_back(*variable);
  return variables;
}

Result<Settings> Settings::Load(std::span<const Setting> known, const std::filesystem::path& start,
                                std::span<const std::string> environment) {
  Settings settings;
  const std::filesystem::path path = FindUpward(start);
  if (!path.empty()) PENSTOCK_TRY(settings.LoadFile(known, path));
  PENSTOCK_TRY(settings.LoadEnvironment(known, environment));
  return settings;
}

Status Settings::LoadFile(std::span<const Setting> known, const std::filesystem::path& path) {
  file_ = path;
  const std::string text = PENSTOCK_TRY(ReadSettings(path));
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::source_position place = parsed.error().source().begin;
    return InvalidArgument(fmt::format("the settings '{}' are not TOML, at line {}, column {}: {}",
                                       path.string(), place.line, place.column,
                                       parsed.error().description()));
  }
  std::vector<std::pair<std::string, const toml::node*>> flat;
  Flatten(parsed.table(), "", flat);
  std::vector<std::string> keys;
  std::ranges::transform(known, std::back_inserter(keys), &Setting::key);
  for (const auto& [key, node] : flat) {
    if (key.starts_with(kHyperparameters)) continue;
    const std::string origin = fmt::format("{} in '{}'", key, path.string());
    const Setting* setting = FindSetting(known, key);
    if (setting == nullptr) {
      return InvalidArgument(fmt::format("{}, line {}, is not a setting; {} are.{}", origin,
                                         node->source().begin.line, QuotedList(keys),
                                         DidYouMean(key, keys)));
    }
    values_[key] = {.text = PENSTOCK_TRY(TextOf(*node, *setting, origin)), .origin = origin};
  }
  return {};
}

Status Settings::LoadEnvironment(std::span<const Setting> known,
                                 std::span<const std::string> environment) {
  std::vector<std::string> names(kOtherVariables.begin(), kOtherVariables.end());
  for (const Setting& setting : known) names.push_back(VariableOf(setting.key));
  for (const std::string& variable : environment) {
    const std::string name = variable.substr(0, variable.find('='));
    if (!name.starts_with(kVariablePrefix) || IsOfKubernetes(name, environment)) continue;
    if (std::ranges::find(names, name) == names.end()) {
      return InvalidArgument(
          fmt::format("the variable {} is not a setting; unset it, or correct its name.{}", name,
                      DidYouMean(name, names)));
    }
  }
  for (const Setting& setting : known) {
    const std::string name = VariableOf(setting.key);
    const auto found = std::ranges::find_if(environment, [&](const std::string& variable) {
      return variable.starts_with(name) && variable.substr(0, variable.find('=')) == name;
    });
    if (found == environment.end() || IsOfKubernetes(name, environment)) continue;
    std::string text = found->substr(std::min(found->size(), name.size() + 1));
    if (setting.is_number && !IsInteger(text)) {
      return InvalidArgument(
          fmt::format("the variable {} is '{}'; a whole number was expected", name, text));
    }
    if (setting.is_switch) {
      const std::optional<std::string> word = SwitchOf(text);
      if (!word) {
        return InvalidArgument(
            fmt::format("the variable {} is '{}'; true or false was expected", name, text));
      }
      text = *word;
    }
    values_[setting.key] = {.text = std::move(text), .origin = name};
  }
  return {};
}

std::optional<std::string> Settings::Find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::nullopt : std::optional(found->second.text);
}

std::string Settings::OriginOf(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? "" : found->second.origin;
}

}  // namespace penstock::config
