// SPDX-License-Identifier: Apache-2.0
#include "config/home.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

namespace penstock::config {
namespace {

Result<Home> Make(const std::filesystem::path& path) {
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(path, error);
  if (error) {
    return FromErrno(error.value(),
                     fmt::format("cannot make the folder '{}'; set {} to one that can be written",
                                 path.string(), kHomeVariable));
  }
  if (!std::filesystem::is_directory(path, error)) {
    return FailedPrecondition(fmt::format("'{}' is not a folder; set {} to one that can be written",
                                          path.string(), kHomeVariable));
  }
  return Home{.path = std::filesystem::absolute(path), .is_new = is_new};
}

}  // namespace

Result<Home> FindHome(const std::filesystem::path& given, const std::filesystem::path& start) {
  if (!given.empty()) return Make(given);
  if (const char* variable = std::getenv(kHomeVariable); variable != nullptr && *variable != '\0') {
    return Make(variable);
  }
  std::error_code error;
  for (std::filesystem::path folder = std::filesystem::absolute(start);;
       folder = folder.parent_path()) {
    if (std::filesystem::is_directory(folder / kHomeName, error))
      return Home{.path = folder / kHomeName};
    if (folder == folder.parent_path()) break;
  }
  return Make(start / kHomeName);
}

}  // namespace penstock::config
