// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "base/count.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/python.h"
#include "config/home.h"
#include "engine/onnxruntime_check.h"
#include "os/executable.h"
#include "os/process.h"

namespace penstock::cli {
namespace {

constexpr size_t kPythonBytesMax = 10'000;
// Below this much free space a registration may fail.
constexpr uint64_t kFreeBytesMin = uint64_t{100} << 20;

// One thing that was looked at.
struct Finding {
  std::string name;
  std::string text;  // what was found
  Status status;     // or what is wrong with it
};

Finding Found(std::string_view name, const Status& status, std::string_view text) {
  return {.name = std::string(name),
          .text = status.ok() ? std::string(text) : status.message(),
          .status = status};
}

Finding LookForServer() {
  const Result<std::filesystem::path> program = os::ProgramBeside("penstock-server");
  return Found("server", program.status(), program.ok() ? program->string() : "");
}

Finding LookForOnnxRuntime() { return Found("onnxruntime", engine::CheckOnnxRuntime(), "loads"); }

// Only `register` needs it: none is no fault.
Finding LookForPython() {
  const std::string python = FindPython(".");
  constexpr const char* kAsk =
      "import sys, importlib.metadata as m\n"
      "told = 'Python ' + sys.version.split()[0]\n"
      "for name in 'scikit-learn', 'numpy', 'pandas', 'joblib', 'skl2onnx', 'pyarrow':\n"
      "  try: told += f', {name} {m.version(name)}'\n"
      "  except m.PackageNotFoundError: pass\n"
      "print(told)";
  Result<os::Process> process = os::Process::Start({.program = "/usr/bin/env",
                                                    .arguments = {python, "-c", kAsk},
                                                    .pipe_stdout = true,
                                                    .pipe_stderr = true});
  if (!process.ok()) return Found("python", process.status(), "");
  const Result<std::string> said = os::ReadAll(process->stdout_pipe(), kPythonBytesMax);
  const Result<int> code = process->Wait();
  if (said.ok() && code.ok() && *code == 0) {
    return Found("python", Status(),
                 fmt::format("{} ({})", said->substr(0, said->find('\n')), python));
  }
  return Found(
      "python", Status(),
      fmt::format(
          "'{}' does not run; for 'penstock register' set {} to the Python that has your packages",
          python, kPythonVariable));
}

// An unknown key or variable is most often a misspelt one.
Finding LookAtSettings() {
  const Result<config::Settings> settings =
      config::Settings::Load(ServeSettings(), ".", config::Environment());
  if (!settings.ok()) return Found("settings", settings.status(), "");
  return Found("settings", Status(),
               settings->file().empty() ? "no penstock.toml: defaults" : settings->file().string());
}

Finding LookAtSpace(const std::filesystem::path& home) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(home, error);
  if (error) return Found("disk", FromErrno(error.value(), "cannot measure the free space"), "");
  const std::string text =
      fmt::format("{} MiB free", CountText(static_cast<int64_t>(space.available >> 20)));
  if (space.available >= kFreeBytesMin) return Found("disk", Status(), text);
  return Found(
      "disk",
      ResourceExhausted(text + fmt::format("; at least {} MiB are needed to register safely",
                                           kFreeBytesMin >> 20)),
      "");
}

Finding LookAtRegistry(const std::filesystem::path& home) {
  Result<registry::Registry> registry = registry::Registry::Open(home);
  if (!registry.ok()) return Found("registry", registry.status(), "");
  if (Status status = registry->Check(); !status.ok()) return Found("registry", status, "");
  const Result<std::vector<registry::ModelVersion>> models = registry->Models();
  const size_t count = models.ok() ? models->size() : 0;
  return Found("registry", models.status(),
               fmt::format("{} model{}, every file intact", count, count == 1 ? "" : "s"));
}

std::vector<Finding> LookAround() {
  std::vector<Finding> findings = {Found("penstock", Status(), std::string("version ") + kVersion),
                                   LookForServer(), LookForOnnxRuntime(), LookForPython(),
                                   LookAtSettings()};
  const Result<config::Home> home = config::FindHome("", ".", config::MissingHome::kRefuse);
  // None is no fault: the first registration makes it.
  const bool is_none = home.status().code() == Code::kNotFound;
  findings.push_back(Found("home", is_none ? Status() : home.status(),
                           home.ok() ? home->path.string() : home.status().message()));
  if (home.ok()) {
    findings.push_back(LookAtSpace(home->path));
    findings.push_back(LookAtRegistry(home->path));
  }
  return findings;
}

}  // namespace

Status Doctor(const DoctorCommand& command, Terminal& terminal) {
  const std::vector<Finding> findings = LookAround();
  json::Array list;
  std::vector<std::vector<std::string>> rows;
  int wrong = 0;
  Status first;
  for (const Finding& finding : findings) {
    if (!finding.status.ok() && wrong++ == 0) first = finding.status;
    list.push_back(
        json::Object{{"name", finding.name}, {"ok", finding.status.ok()}, {"text", finding.text}});
    rows.push_back({finding.status.ok() ? "ok" : "WRONG", finding.name, finding.text});
  }
  terminal.Out(command.is_json ? json::WritePretty(list) : AlignedTable(rows));
  if (wrong == 0) return {};
  return Status(first.code(),
                fmt::format("{} of {} things are not as they should be; the table says which",
                            wrong, findings.size()));
}

}  // namespace penstock::cli
