// SPDX-License-Identifier: Apache-2.0
#include "config/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/names.h"

namespace penstock::config {

Flags::Flags(std::string program, std::string purpose)
    : program_(std::move(program)), purpose_(std::move(purpose)) {}

void Flags::Positional(std::string name, std::string help, std::string& value) {
  positional_.push_back({.name = std::move(name), .help = std::move(help), .value = &value});
}

void Flags::String(std::string name, std::string help, std::string& value) {
  flags_.push_back({.name = std::move(name), .help = std::move(help), .text = &value});
}

void Flags::Int(std::string name, std::string help, int64_t& value, Range range) {
  flags_.push_back({.name = std::move(name),
                    .help = std::move(help),
                    .kind = Kind::kInt,
                    .number = &value,
                    .range = range});
}

void Flags::Choice(std::string name, std::string help, std::string& value,
                   std::vector<std::string> choices) {
  flags_.push_back({.name = std::move(name),
                    .help = std::move(help),
                    .kind = Kind::kChoice,
                    .text = &value,
                    .choices = std::move(choices)});
}

void Flags::Switch(std::string name, std::string help, bool& value) {
  flags_.push_back(
      {.name = std::move(name), .help = std::move(help), .kind = Kind::kSwitch, .is_on = &value});
}

Result<Flags::Flag*> Flags::Find(std::string_view name) {
  const auto found = std::ranges::find(flags_, name, &Flag::name);
  if (found != flags_.end()) return &*found;
  std::vector<std::string> names;
  for (const Flag& flag : flags_) names.push_back("--" + flag.name);
  const std::string written = fmt::format("--{}", name);
  return InvalidArgument(fmt::format("unknown flag '{}'.{} {} --help lists all flags.", written,
                                     DidYouMean(written, names), program_));
}

Status Flags::SetInt(const Flag& flag, std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size();
  if (!is_whole || number < flag.range.min || number > flag.range.max) {
    const std::string upper = flag.range.max == std::numeric_limits<int64_t>::max()
                                  ? "or more"
                                  : fmt::format("to {}", flag.range.max);
    return InvalidArgument(fmt::format("--{} is '{}'; an integer of {} {} was expected", flag.name,
                                       text, flag.range.min, upper));
  }
  *flag.number = number;
  return {};
}

Status Flags::Set(Flag& flag, std::string_view text) {
  if (flag.is_set)
    return InvalidArgument(fmt::format("--{} is given twice; give it once", flag.name));
  flag.is_set = true;
  if (flag.kind == Kind::kInt) return SetInt(flag, text);
  if (flag.kind == Kind::kChoice && std::ranges::find(flag.choices, text) == flag.choices.end()) {
    return InvalidArgument(fmt::format("--{} is '{}'; one of {} was expected", flag.name, text,
                                       QuotedList(flag.choices)));
  }
  *flag.text = text;
  return {};
}

Status Flags::Parse(std::span<const std::string> arguments) {
  size_t position = 0;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") wants_help_ = true;
    if (argument == "--version") wants_version_ = true;
    if (wants_help_ || wants_version_) return {};
    if (!argument.starts_with("--")) {
      if (position == positional_.size()) {
        return InvalidArgument(fmt::format("argument '{}' is one too many; {} takes {}", argument,
                                           program_, positional_.size()));
      }
      *positional_[position++].value = argument;
      continue;
    }
    const size_t equals = argument.find('=');
    Flag& flag =
        *PENSTOCK_TRY(Find(argument.substr(2, equals == argument.npos ? equals : equals - 2)));
    if (flag.kind == Kind::kSwitch) {
      if (equals != argument.npos)
        return InvalidArgument(fmt::format("--{} takes no value", flag.name));
      *flag.is_on = true;
    } else if (equals != argument.npos) {
      PENSTOCK_TRY(Set(flag, argument.substr(equals + 1)));
    } else if (i + 1 < arguments.size()) {
      PENSTOCK_TRY(Set(flag, arguments[++i]));
    } else {
      return InvalidArgument(
          fmt::format("--{} has no value; {} was expected", flag.name, flag.help));
    }
  }
  if (position < positional_.size()) {
    const Argument& missing = positional_[position];
    return InvalidArgument(fmt::format("{} is missing ({}); {} --help tells the usage",
                                       missing.name, missing.help, program_));
  }
  return {};
}

std::string Flags::HelpLine(const Flag& flag) const {
  const std::string value = flag.kind == Kind::kSwitch ? ""
                            : flag.kind == Kind::kInt  ? " N"
                                                       : " TEXT";
  std::string line = fmt::format("  {:<28}{}", "--" + flag.name + value, flag.help);
  if (flag.kind == Kind::kChoice) line += fmt::format(" ({})", fmt::join(flag.choices, ", "));
  if (flag.kind == Kind::kInt) line += fmt::format(" [{}]", *flag.number);
  if (flag.text != nullptr && !flag.text->empty()) line += fmt::format(" [{}]", *flag.text);
  return line + "\n";
}

std::string Flags::Help() const {
  std::string usage = program_;
  for (const Argument& argument : positional_) usage += " " + argument.name;
  std::string text = fmt::format("{}\n\nUsage: {} [flags]\n\n", purpose_, usage);
  for (const Argument& argument : positional_)
    text += fmt::format("  {:<28}{}\n", argument.name, argument.help);
  for (const Flag& flag : flags_) text += HelpLine(flag);
  text +=
      fmt::format("  {:<28}{}\n  {:<28}{}\n", "--help", "this text", "--version", "the version");
  return text;
}

}  // namespace penstock::config
