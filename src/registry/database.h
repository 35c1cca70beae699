// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "os/file_system.h"
#include "sql/sqlite.h"

namespace penstock::registry {

// Opens registry.db of a home with the newest schema. Makes the home and what is missing in it. One
// that is there and cannot be written is opened to be read; what would write fails then.
Result<sql::Session> OpenDatabase(const std::filesystem::path& home, os::FileSystem& files);

}  // namespace penstock::registry
