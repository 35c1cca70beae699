// SPDX-License-Identifier: Apache-2.0
#include "config/home.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

namespace penstock::config {
namespace {

Result<Home> Named(const std::filesystem::path& path) {
  std::error_code error;
  const bool is_there = std::filesystem::exists(path, error);
  if (is_there && !std::filesystem::is_directory(path, error)) {
    return FailedPrecondition(fmt::format("'{}' is not a folder; set {} to one that can be written",
                                          path.string(), kHomeVariable));
  }
  return Home{.path = PENSTOCK_TRY(Absolute(path)), .is_new = !is_there};
}

// A home that was named.
Result<Home> Take(const std::filesystem::path& path, MissingHome missing) {
  std::error_code error;
  if (missing == MissingHome::kMake || std::filesystem::exists(path, error)) return Named(path);
  return NotFound(fmt::format(
      "there is no folder '{}' with models; name the one that models were registered in (by {}, or "
      "as home in Python), or register one there",
      path.string(), kHomeVariable));
}

}  // namespace

Result<std::filesystem::path> Absolute(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (!error) return absolute;
  return FailedPrecondition(fmt::format(
      "the working directory cannot be told ({}); change to one that exists", error.message()));
}

Result<Home> FindHome(const std::filesystem::path& given, const std::filesystem::path& start,
                      MissingHome missing) {
  if (!given.empty()) return Take(given, missing);
  if (const char* variable = std::getenv(kHomeVariable); variable != nullptr && *variable != '\0') {
    return Take(variable, missing);
  }
  const std::filesystem::path first = PENSTOCK_TRY(Absolute(start)).lexically_normal();
  std::error_code error;
  for (std::filesystem::path folder = first;; folder = folder.parent_path()) {
    if (std::filesystem::is_directory(folder / kHomeName, error))
      return Home{.path = folder / kHomeName};
    if (folder == folder.parent_path()) break;
  }
  if (missing == MissingHome::kMake) return Named(first / kHomeName);
  return NotFound(
      fmt::format("there is no {} in '{}' or a folder above it; change to the folder of your "
                  "models, or set {}, or make one by penstock register",
                  kHomeName, first.string(), kHomeVariable));
}

}  // namespace penstock::config
