// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/result.h"

namespace penstock::config {

inline constexpr const char* kHomeVariable = "PENSTOCK_HOME";
inline constexpr const char* kHomeName = ".penstock";

struct Home {
  std::filesystem::path path;  // absolute
  bool is_new = false;         // made just now, in the working directory: say so
};

// What becomes of a home that is not there.
enum class MissingHome { kMake, kRefuse };

// An absolute path; kFailedPrecondition where that needs a working directory and it was deleted.
Result<std::filesystem::path> Absolute(const std::filesystem::path& path);

// The folder that holds the registry and the packages: `given` when it is not empty, else
// PENSTOCK_HOME, else the nearest .penstock in `start` or a folder above it, else a new .penstock
// in `start`, "." for the working directory. A folder that does not exist yet is made, or
// kNotFound tells where it was looked for. kPermissionDenied or kFailedPrecondition, with the
// remedy, when it cannot be made.
Result<Home> FindHome(const std::filesystem::path& given, const std::filesystem::path& start,
                      MissingHome missing = MissingHome::kMake);

}  // namespace penstock::config
