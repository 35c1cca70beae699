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

std::string PythonIn(const std::filesystem::path& environment) {
  const std::filesystem::path python = environment / "bin" / "python";
  return access(python.c_str(), X_OK) == 0 ? python.string() : "";
}

std::string OfDotVenv(const std::filesystem::path& folder) { return PythonIn(folder / ".venv"); }

std::string OfEnvironment(const std::filesystem::path& folder) {
  return access((folder / "pyvenv.cfg").c_str(), F_OK) == 0 ? PythonIn(folder) : "";
}

// What `look` finds in `folder` or in the nearest folder above it.
std::string Upward(std::filesystem::path folder,
                   std::string (*look)(const std::filesystem::path&)) {
  while (true) {
    if (std::string found = look(folder); !found.empty()) return found;
    if (folder == folder.parent_path()) return "";
    folder = folder.parent_path();
  }
}

}  // namespace

std::string FindPython(const std::filesystem::path& start) {
  if (const std::string chosen = Variable(kPythonVariable); !chosen.empty()) return chosen;
  const std::filesystem::path here = os::DirectoryOfThisBinary();
  if (const std::string own = Upward(here, OfEnvironment); !own.empty()) return own;
  if (const std::string active = Variable("VIRTUAL_ENV"); !active.empty())
    return active + "/bin/python";
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(start, error);
  if (const std::string near = error ? "" : Upward(folder, OfDotVenv); !near.empty()) return near;
  if (const std::string beside = Upward(here, OfDotVenv); !beside.empty()) return beside;
  return "python3";
}

}  // namespace penstock::cli
