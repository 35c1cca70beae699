// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "cli/commands.h"
#include "os/executable.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kServeTable = "serve.";

// "serve.body_bytes_max" -> "--body-bytes-max".
std::string FlagOf(std::string_view key) {
  std::string flag = "--" + std::string(key.substr(kServeTable.size()));
  std::ranges::replace(flag, '_', '-');
  return flag;
}

bool IsGiven(const std::vector<std::string>& flags, const std::string& flag) {
  return std::ranges::any_of(
      flags, [&](const std::string& word) { return word == flag || word.starts_with(flag + "="); });
}

}  // namespace

std::vector<config::Setting> ServeSettings() {
  return {{.key = "serve.host"},
          {.key = "serve.port", .is_number = true},
          {.key = "serve.admin_host"},
          {.key = "serve.admin_port", .is_number = true},
          {.key = "serve.loops", .is_number = true},
          {.key = "serve.body_bytes_max", .is_number = true},
          {.key = "serve.batch_rows_max", .is_number = true},
          {.key = "serve.answer_cells_max", .is_number = true},
          {.key = "serve.connections_max", .is_number = true},
          {.key = "serve.idle_ms_max", .is_number = true},
          {.key = "serve.receive_ms_max", .is_number = true},
          {.key = "serve.queue_requests_max", .is_number = true},
          {.key = "serve.inline_us_max", .is_number = true},
          {.key = "serve.beyond_limits"},
          {.key = "serve.workers", .is_number = true},
          {.key = "serve.python"},
          {.key = "serve.worker_ms_max", .is_number = true},
          {.key = "serve.worker_mb_max", .is_number = true},
          {.key = "serve.drain_ms", .is_number = true},
          {.key = "serve.drain_notice_ms", .is_number = true},
          {.key = "serve.log_json", .is_switch = true}};
}

std::vector<std::string> ServerFlags(const ServeCommand& command,
                                     const config::Settings& settings) {
  std::vector<std::string> flags;
  if (command.host) flags.insert(flags.end(), {"--host", *command.host});
  if (command.port) flags.insert(flags.end(), {"--port", fmt::format("{}", *command.port)});
  if (command.admin_port)
    flags.insert(flags.end(), {"--admin-port", fmt::format("{}", *command.admin_port)});
  flags.insert(flags.end(), command.server_flags.begin(), command.server_flags.end());
  std::vector<std::string> open;
  for (const config::Setting& setting : ServeSettings()) {
    const std::string flag = FlagOf(setting.key);
    const std::optional<std::string> value = settings.Find(setting.key);
    if (!value || IsGiven(flags, flag)) continue;
    if (!setting.is_switch) {
      open.insert(open.end(), {flag, *value});
    } else if (*value == "true") {
      open.push_back(flag);  // which has no value
    }
  }
  flags.insert(flags.end(), open.begin(), open.end());
  return flags;
}

Status Serve(const ServeCommand& command) {
  const config::Settings settings =
      PENSTOCK_TRY(config::Settings::Load(ServeSettings(), ".", config::Environment()));
  registry::Registry registry = PENSTOCK_TRY(OpenRegistry());
  const registry::ModelVersion version = PENSTOCK_TRY(registry.Resolve(command.version));
  const std::filesystem::path folder = PENSTOCK_TRY(registry.Materialize(version));
  const std::filesystem::path program = PENSTOCK_TRY(os::ProgramBeside("penstock-server"));

  std::vector<std::string> words = {program.string(), folder.string(), "--as", version.ToString()};
  const std::vector<std::string> flags = ServerFlags(command, settings);
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  return FromErrno(errno, fmt::format("cannot run '{}'", program.string()));
}

}  // namespace penstock::cli
