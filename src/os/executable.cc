// SPDX-License-Identifier: Apache-2.0
#include "os/executable.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

namespace penstock::os {

std::filesystem::path DirectoryOfThisBinary() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&DirectoryOfThisBinary), &info) == 0 ||
      info.dli_fname == nullptr) {
    return program.parent_path();
  }
  // For the main program dli_fname is what argv[0] said, which may be relative to a folder long
  // left.
  const std::filesystem::path object = std::filesystem::canonical(info.dli_fname, error);
  if (error || object == program) return program.parent_path();
  const bool is_shared_object = object.filename().string().find(".so") != std::string::npos;
  return is_shared_object ? object.parent_path() : program.parent_path();
}

Result<std::filesystem::path> ProgramBeside(std::string_view name) {
  const std::filesystem::path path = DirectoryOfThisBinary() / name;
  if (access(path.c_str(), X_OK) == 0) return path;
  return NotFound(fmt::format(
      "the program '{}' is not in '{}', where it is installed with this one; install Penstock "
      "again (in a checkout: ./dev build)",
      name, path.parent_path().string()));
}

}  // namespace penstock::os
