// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>

#include "base/exit_code.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "data/rows_writer.h"

namespace penstock::cli {
namespace {

class ProcessTerminal final : public Terminal {
 public:
  void Out(std::string_view text) override {
    const int error = Write(stdout, text);
    if (error != 0 && error != EPIPE) written_ = FromErrno(error, "cannot write the output");
  }
  void Err(std::string_view text) override { Write(stderr, text); }
  Status written() const override { return written_; }

 private:
  // At once: the process may become another program. Returns errno.
  static int Write(std::FILE* file, std::string_view text) {
    const size_t count = std::fwrite(text.data(), 1, text.size(), file);
    return count == text.size() && std::fflush(file) == 0 ? 0 : errno;
  }

  Status written_;
};

// Runs one command; one overload a command.
struct Runner {
  UserCode& user_code;
  Terminal& terminal;

  Status operator()(const PrintText& command) const {
    terminal.Out(command.text);
    return {};
  }
  Status operator()(const RegisterArguments& command) const { return user_code.Register(command); }
  Status operator()(const TrainArguments& command) const { return user_code.Train(command); }
  Status operator()(const CheckArguments& command) const { return user_code.Check(command); }
  Status operator()(const InitCommand& command) const { return Init(command, terminal); }
  Status operator()(const ServeCommand& command) const { return Serve(command); }
  Status operator()(const PredictCommand& command) const { return Predict(command, terminal); }
  Status operator()(const ListCommand& command) const { return List(command, terminal); }
  Status operator()(const ShowCommand& command) const { return Show(command, terminal); }
  Status operator()(const ShowParityCommand& command) const {
    return ShowParity(command, terminal);
  }
  Status operator()(const AcceptParityCommand& command) const {
    return AcceptParity(command, terminal);
  }
  Status operator()(const DiffCommand& command) const { return Diff(command, terminal); }
  Status operator()(const RunsCommand& command) const { return ListRuns(command, terminal); }
  Status operator()(const ShowRunCommand& command) const { return ShowRun(command, terminal); }
  Status operator()(const DoctorCommand& command) const { return Doctor(command, terminal); }
  Status operator()(const DataHeadCommand& command) const { return ShowHead(command, terminal); }
  Status operator()(const DataSchemaCommand& command) const {
    return ShowSchema(command, terminal);
  }
  Status operator()(const ReadRowsCommand&) const {
    return Internal("a reader is its own process");
  }
};

}  // namespace

Terminal& Terminal::Process() {
  static ProcessTerminal terminal;
  return terminal;
}

int Run(const std::vector<std::string>& arguments, UserCode& user_code, Terminal& terminal) {
  const Result<Command> command = ParseCommandLine(arguments);
  // The reader's errors go to the process that started it, in their own form.
  if (command.ok()) {
    if (const auto* read = std::get_if<ReadRowsCommand>(&*command))
      return data::RunReadRows(read->uri);
  }
  Status status = command.ok()
                      ? std::visit(Runner{.user_code = user_code, .terminal = terminal}, *command)
                      : command.status();
  if (status.ok()) status = terminal.written();
  if (!status.ok()) terminal.Err(fmt::format("penstock: {}\n", status.message()));
  return ExitCode(status.code());
}

}  // namespace penstock::cli
