// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cli/cli.h"

namespace penstock::cli {

// One alternative per command, with what its flags said.
struct InitCommand {
  std::string folder;
};
struct PrintText {
  std::string text;  // of --help and --version
};
struct ServeCommand {
  std::string version;  // name or name@N
  // What the command line leaves open, settings and penstock-server's own defaults decide.
  std::optional<std::string> host;
  std::optional<int64_t> port;
  std::optional<int64_t> admin_port;
  std::vector<std::string> server_flags;  // passed on to penstock-server as they are
};
struct PredictCommand {
  std::string version;
  std::string features;  // path of a JSON file, or "-" for standard input
};
struct ListCommand {
  bool is_json = false;
};
struct ShowCommand {
  std::string version;
  bool is_json = false;
};
struct DiffCommand {
  std::string before;
  std::string after;
  bool is_json = false;
};
struct ShowParityCommand {
  std::string version;
  bool is_json = false;
};
struct AcceptParityCommand {
  std::string version;
  double share = 0;     // of rows that may differ
  std::string because;  // one sentence
  bool is_json = false;
};
struct RunsCommand {
  std::string model;  // empty: of all
  int64_t count_max = 20;
  bool is_json = false;
};
struct ShowRunCommand {
  std::string id;
  bool is_json = false;
};
struct DoctorCommand {
  bool is_json = false;
};
struct DataHeadCommand {
  std::string uri;
  int64_t rows_max = 10;
  bool is_json = false;
};
struct DataSchemaCommand {
  std::string uri;
  bool is_json = false;
};
// Hidden: the child process in which a database file is read.
struct ReadRowsCommand {
  std::string uri;
};

using Command =
    std::variant<PrintText, InitCommand, RegisterArguments, TrainArguments, CheckArguments,
                 ServeCommand, PredictCommand, ListCommand, ShowCommand, ShowParityCommand,
                 AcceptParityCommand, DiffCommand, RunsCommand, ShowRunCommand, DataHeadCommand,
                 DataSchemaCommand, DoctorCommand, ReadRowsCommand>;

// kInvalidArgument with one sentence for a line that no command understands.
Result<Command> ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace penstock::cli
