// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/commands.h"
#include "os/executable.h"

namespace penstock::cli {

Status Serve(const ServeCommand& command, Terminal& terminal) {
  registry::Registry registry = PENSTOCK_TRY(OpenRegistry(terminal));
  const registry::ModelVersion version = PENSTOCK_TRY(registry.Resolve(command.version));
  const std::filesystem::path folder = PENSTOCK_TRY(registry.Materialize(version));
  const std::filesystem::path program = PENSTOCK_TRY(os::ProgramBeside("penstock-server"));

  std::vector<std::string> words = {program.string(),
                                    folder.string(),
                                    "--as",
                                    version.ToString(),
                                    "--host",
                                    command.host,
                                    "--port",
                                    fmt::format("{}", command.port),
                                    "--admin-port",
                                    fmt::format("{}", command.admin_port)};
  words.insert(words.end(), command.server_flags.begin(), command.server_flags.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  return FromErrno(errno, fmt::format("cannot run '{}'", program.string()));
}

}  // namespace penstock::cli
