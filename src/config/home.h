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

// The folder that holds the registry and the packages: `given` when it is not empty, else
// PENSTOCK_HOME, else the nearest .penstock in `start` or a folder above it, else a new .penstock
// in `start`. A folder that does not exist yet is made. kPermissionDenied or kFailedPrecondition,
// with the remedy, when it cannot be.
Result<Home> FindHome(const std::filesystem::path& given, const std::filesystem::path& start);

}  // namespace penstock::config
