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

// The first of `folder` and those above it in which `python` can be run, if `mark` is there too.
std::string Upward(std::filesystem::path folder, std::string_view python, std::string_view mark) {
  while (true) {
    const std::filesystem::path found = folder / python;
    if (access(found.c_str(), X_OK) == 0 && access((folder / mark).c_str(), F_OK) == 0)
      return found.string();
    if (folder == folder.parent_path()) return "";
    folder = folder.parent_path();
  }
}

std::string DotVenvUpward(const std::filesystem::path& folder) {
  return Upward(folder, ".venv/bin/python", ".venv");
}

}  // namespace

std::string FindPython(const std::filesystem::path& start) {
  if (const std::string chosen = Variable(kPythonVariable); !chosen.empty()) return chosen;
  const std::filesystem::path here = os::DirectoryOfThisBinary();
  if (const std::string own = Upward(here, "bin/python", "pyvenv.cfg"); !own.empty()) return own;
  if (const std::string active = Variable("VIRTUAL_ENV"); !active.empty())
    return active + "/bin/python";
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(start, error);
  if (const std::string near = error ? "" : DotVenvUpward(folder); !near.empty()) return near;
  if (const std::string beside = DotVenvUpward(here); !beside.empty()) return beside;
  return "python3";
}

}  // namespace penstock::cli
