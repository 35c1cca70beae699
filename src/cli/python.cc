// SPDX-License-Identifier: Apache-2.0
#include "cli/python.h"

#include <unistd.h>

#include <cstdlib>

#include "os/executable.h"

namespace penstock::cli {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string PythonUpward(std::filesystem::path folder) {
  while (true) {
    const std::filesystem::path python = folder / ".venv" / "bin" / "python";
    if (access(python.c_str(), X_OK) == 0) return python.string();
    if (folder == folder.parent_path()) return "";
    folder = folder.parent_path();
  }
}

}  // namespace

std::string FindPython(const std::filesystem::path& start) {
  if (const std::string chosen = Variable(kPythonVariable); !chosen.empty()) return chosen;
  if (const std::string active = Variable("VIRTUAL_ENV"); !active.empty())
    return active + "/bin/python";
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(start, error);
  if (const std::string near = error ? "" : PythonUpward(folder); !near.empty()) return near;
  if (const std::string beside = PythonUpward(os::DirectoryOfThisBinary()); !beside.empty())
    return beside;
  return "python3";
}

}  // namespace penstock::cli
