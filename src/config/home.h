// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/result.h"

namespace penstock::config {

inline constexpr const char* kHomeVariable = "PENSTOCK_HOME";
inline constexpr const char* kHomeName = ".penstock";

struct Home {
  std::filesystem::path path;  // absolute
  bool is_new = false;         // not there yet: who opens a registry in it makes it, and says so
};

// What becomes of a home that is not there.
enum class MissingHome { kMake, kRefuse };

// An absolute path; kFailedPrecondition where that needs a working directory and it was deleted.
Result<std::filesystem::path> Absolute(const std::filesystem::path& path);

// The folder that holds the registry and the packages: `given` when it is not empty, else
// PENSTOCK_HOME, else the nearest .penstock in `start` or a folder above it, else a new .penstock
// in `start`, "." for the working directory. Where the folder does not exist yet, kNotFound tells
// where it was looked for, or it is to be made. kFailedPrecondition, with the remedy, for what is
// no folder.
Result<Home> FindHome(const std::filesystem::path& given, const std::filesystem::path& start,
                      MissingHome missing = MissingHome::kMake);

}  // namespace penstock::config
