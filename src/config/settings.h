// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock::config {

inline constexpr const char* kSettingsName = "penstock.toml";
inline constexpr size_t kSettingsBytesMax = size_t{1} << 20;

// A setting that a program knows: `serve.port` stands in the table [serve] of penstock.toml, and
// its variable is PENSTOCK_SERVE_PORT.
struct Setting {
  std::string key;
  bool is_number = false;
  bool is_switch = false;  // true, 1, yes; false, 0, no: Find gives "true" or "false"
};

// What the environment and penstock.toml say, for the settings that flags leave open: a flag comes
// first, then the variable, then the file, then the program's default. A value type.
class Settings {
 public:
  // Reads the nearest penstock.toml in `start` or a folder above it, and the PENSTOCK_* of
  // `environment` ("NAME=value"). kInvalidArgument, with the nearest, for a key or a PENSTOCK_*
  // that nothing knows; for a value of another type than the key's; and with line and column for a
  // file that is not TOML. Variables that are no settings (PENSTOCK_HOME, ...) are left alone, and
  // those that Kubernetes adds for a Service of that name (PENSTOCK_PORT=tcp://10.0.0.1:8000).
  static Result<Settings> Load(std::span<const Setting> known, const std::filesystem::path& start,
                               std::span<const std::string> environment);

  // The value as text; nothing where neither says anything.
  std::optional<std::string> Find(std::string_view key) const;
  // Where Find's value comes from, for messages: "PENSTOCK_SERVE_PORT" or "serve.port in
  // '/app/penstock.toml'".
  std::string OriginOf(std::string_view key) const;
  // Empty when there is none.
  const std::filesystem::path& file() const { return file_; }

 private:
  struct Value {
    std::string text;
    std::string origin;
  };

  Status LoadFile(std::span<const Setting> known, const std::filesystem::path& path);
  Status LoadEnvironment(std::span<const Setting> known, std::span<const std::string> environment);

  std::map<std::string, Value, std::less<>> values_;
  std::filesystem::path file_;
};

// The environment of this process.
std::vector<std::string> Environment();

// "serve.port" -> "PENSTOCK_SERVE_PORT".
std::string VariableOf(std::string_view key);

}  // namespace penstock::config
