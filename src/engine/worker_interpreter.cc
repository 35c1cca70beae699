// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_interpreter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
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

// Names are compared in upper case.
constexpr std::array<std::string_view, 4> kCredentialPrefixes = {"AWS_", "AZURE_", "PENSTOCK_",
                                                                 "PGPASS"};
constexpr std::array<std::string_view, 5> kCredentialParts = {"PASSWORD", "PASSWD", "PASSPHRASE",
                                                              "CONNECTION_STRING", "DATABASE_URL"};
// Between underscores; KEYBOARD and TOKENIZERS_PARALLELISM are none.
constexpr std::array<std::string_view, 15> kCredentialWords = {
    "TOKEN",   "TOKENS",     "KEY",         "KEYS", "APIKEY", "SECRET", "PASS", "PASSKEY",
    "SECRETS", "CREDENTIAL", "CREDENTIALS", "DSN",  "SAS",    "AUTH",   "PAT"};
constexpr std::string_view kCredentialSuffix = "_PWD";  // PWD itself is a folder
// Of a value that is no URL.
constexpr std::array<std::string_view, 4> kCredentialSettings = {
    "PASSWORD=", "ACCOUNTKEY=", "SHAREDACCESSKEY=", "PRIVATE KEY-----"};

std::string Upper(std::string_view text) {
  std::string upper;
  for (const char c : text) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

bool HasCredentialWord(std::string_view name) {
  while (!name.empty()) {
    const std::string_view word = name.substr(0, name.find('_'));
    if (std::ranges::find(kCredentialWords, word) != kCredentialWords.end()) return true;
    name.remove_prefix(std::min(word.size() + 1, name.size()));
  }
  return false;
}

// "://user:password@" somewhere in the text, which may hold several URLs.
bool HasUrlWithPassword(std::string_view text) {
  constexpr std::string_view kBegin = "://";
  for (size_t at = text.find(kBegin); at != std::string_view::npos; at = text.find(kBegin, at)) {
    at += kBegin.size();
    const std::string_view host = text.substr(at, text.find_first_of("/?# \t", at) - at);
    const size_t user_end = host.rfind('@');
    if (user_end != std::string_view::npos && host.substr(0, user_end).contains(':')) return true;
  }
  return false;
}

std::string_view MinorOf(std::string_view version) {
  const size_t first = version.find('.');
  return version.substr(0, first == std::string_view::npos ? first : version.find('.', first + 1));
}

bool IsForWorkers(std::string_view name, std::string_view value) {
  return !IsCredential(name, value);
}

// What the interpreter says of itself: "3.11.2 cpython".
Result<std::string> Ask(const std::filesystem::path& python) {
  os::Process process = PENSTOCK_TRY(os::Process::Start({.program = python,
                                                         .arguments = {"-I", "-S", "-c", kQuestion},
                                                         .inherits_variable = IsForWorkers,
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

bool IsCredential(std::string_view name, std::string_view value) {
  const std::string upper = Upper(name);
  for (const std::string_view prefix : kCredentialPrefixes) {
    if (upper.starts_with(prefix)) return true;
  }
  for (const std::string_view part : kCredentialParts) {
    if (upper.contains(part)) return true;
  }
  if (upper.ends_with(kCredentialSuffix) || HasCredentialWord(upper)) return true;
  if (HasUrlWithPassword(value)) return true;
  const std::string upper_value = Upper(value);
  return std::ranges::any_of(
      kCredentialSettings, [&](std::string_view setting) { return upper_value.contains(setting); });
}

}  // namespace penstock::engine
