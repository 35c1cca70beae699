// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock::config {

// The command line of a small program: --name value, --name=value, switches, and positional
// arguments in order. Bind variables, which hold the defaults, then Parse. Not thread-safe.
//   Flags flags("penstock-server", "Serves one package.");
//   flags.Positional("PACKAGE", "folder of the package", package);
//   flags.Int("port", "port of the service; 0 takes a free one", port, {.min = 0, .max = 65535});
//   PENSTOCK_TRY(flags.Parse(arguments));
class Flags {
 public:
  struct Range {
    int64_t min = 0;
    int64_t max = std::numeric_limits<int64_t>::max();
  };

  Flags(std::string program, std::string purpose);

  // The variables must outlive Parse. A positional argument is required.
  void Positional(std::string name, std::string help, std::string& value);
  void String(std::string name, std::string help, std::string& value);
  void Int(std::string name, std::string help, int64_t& value, Range range);
  // One of the choices, else an error that lists them.
  void Choice(std::string name, std::string help, std::string& value,
              std::vector<std::string> choices);
  // --name sets it to true.
  void Switch(std::string name, std::string help, bool& value);

  // Fills the variables. kInvalidArgument, with the nearest flag where there is one, for an unknown
  // flag, a missing or repeated value, a number out of range, a positional argument too many or too
  // few.
  Status Parse(std::span<const std::string> arguments);

  // True after Parse of --help or --version; then nothing else was checked.
  bool wants_help() const { return wants_help_; }
  bool wants_version() const { return wants_version_; }
  // The text of --help: usage, then one line a flag with its default.
  std::string Help() const;

 private:
  enum class Kind { kString, kInt, kChoice, kSwitch };
  struct Flag {
    std::string name;
    std::string help;
    Kind kind = Kind::kString;
    std::string* text = nullptr;
    int64_t* number = nullptr;
    bool* is_on = nullptr;
    Range range;
    std::vector<std::string> choices;
    bool is_set = false;
  };
  struct Argument {
    std::string name;
    std::string help;
    std::string* value = nullptr;
  };

  Result<Flag*> Find(std::string_view name);
  Status Set(Flag& flag, std::string_view text);
  Status SetInt(const Flag& flag, std::string_view text);
  std::string HelpLine(const Flag& flag) const;

  std::string program_;
  std::string purpose_;
  std::vector<Flag> flags_;
  std::vector<Argument> positional_;
  bool wants_help_ = false;
  bool wants_version_ = false;
};

}  // namespace penstock::config
