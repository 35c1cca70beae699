// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_interpreter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <chrono>

#include "os/process.h"

namespace penstock::engine {
namespace {

// Imports nothing of the site: a broken one is the worker's to report.
constexpr const char* kQuestion =
    "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.implementation.name)";
constexpr std::chrono::seconds kQuestionMax{20};
constexpr size_t kAnswerBytesMax = 4096;

constexpr std::array<std::string_view, 2> kCredentialPrefixes = {"AWS_", "PENSTOCK_"};
constexpr std::array<std::string_view, 3> kCredentialSuffixes = {"_TOKEN", "_KEY", "_SECRET"};
constexpr std::string_view kPassword = "PASSWORD";

std::string_view MinorOf(std::string_view version) {
  const size_t first = version.find('.');
  return version.substr(0, first == std::string_view::npos ? first : version.find('.', first + 1));
}

// What the interpreter says of itself: "3.11.2 cpython".
Result<std::string> Ask(const std::filesystem::path& python) {
  os::Process process = PENSTOCK_TRY(os::Process::Start({.program = python,
                                                         .arguments = {"-I", "-S", "-c", kQuestion},
                                                         .pipe_stdout = true,
                                                         .pipe_stderr = true,
                                                         .ignores_interrupt = true}));
  const std::optional<int> code = PENSTOCK_TRY(process.WaitFor(kQuestionMax));
  if (!code || *code != 0) return Internal("it does not answer as a Python does");
  std::string answer = PENSTOCK_TRY(os::ReadAll(process.stdout_pipe(), kAnswerBytesMax));
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

}  // namespace

Result<RecordedInterpreter> RecordedInterpreter::FromJson(const json::Value& options) {
  const json::Value* interpreter = options.Find("interpreter");
  if (interpreter == nullptr) {
    return FailedPrecondition(
        "the package was made before Python workers and does not say what they need; register "
        "the model again");
  }
  RecordedInterpreter recorded;
  recorded.path = PENSTOCK_TRY(interpreter->String("path"));
  recorded.version = PENSTOCK_TRY(interpreter->String("version"));
  recorded.implementation = PENSTOCK_TRY(interpreter->String("implementation"));
  return recorded;
}

Result<std::filesystem::path> FindInterpreter(const RecordedInterpreter& recorded,
                                              const std::string& named) {
  const std::string path = named.empty() ? recorded.path : named;
  const std::string needs =
      fmt::format("the model runs in Python workers and needs {} {} with its packages and penstock",
                  recorded.implementation, MinorOf(recorded.version));
  const std::string remedy = "name the path of another with --python";
  if (access(path.c_str(), X_OK) != 0) {
    return FailedPrecondition(fmt::format(
        "{}; '{}', which {}, is not there or no program; {}", needs, path,
        named.empty() ? "is the one it was registered with" : "--python names", remedy));
  }
  const auto told = Ask(path);
  if (!told.ok()) {
    return FailedPrecondition(
        fmt::format("{}; '{}': {}; {}", needs, path, told.status().message(), remedy));
  }
  const size_t space = told->find(' ');
  const bool fits = space != std::string::npos &&
                    MinorOf(told->substr(0, space)) == MinorOf(recorded.version) &&
                    told->substr(space + 1) == recorded.implementation;
  if (!fits)
    return FailedPrecondition(fmt::format("{}; '{}' is {}; {}", needs, path, *told, remedy));
  return std::filesystem::path(path);
}

bool IsCredential(std::string_view name) {
  std::string upper;
  for (const char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const std::string_view prefix : kCredentialPrefixes) {
    if (upper.starts_with(prefix)) return true;
  }
  for (const std::string_view suffix : kCredentialSuffixes) {
    if (upper.ends_with(suffix)) return true;
  }
  return upper.find(kPassword) != std::string::npos;
}

}  // namespace penstock::engine
