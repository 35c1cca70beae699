// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace penstock::sql {

// What statfs(2) calls the file system of an existing path; 0 where it cannot be told.
int64_t FileSystemMagic(const std::filesystem::path& path);

// "NFS" and the like for a file system that several machines may share, where the shared memory of
// SQLite's write-ahead log does not work (https://www.sqlite.org/wal.html); "" for the others.
std::string_view NetworkFileSystemName(int64_t magic);

}  // namespace penstock::sql
