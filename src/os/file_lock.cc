// SPDX-License-Identifier: Apache-2.0
#include "os/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>

namespace penstock::os {

Result<std::optional<FileLock>> FileLock::Try(const std::filesystem::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.is_open())
    return FromErrno(errno, fmt::format("cannot open the lock '{}'", path.string()));
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::optional<FileLock>();
    if (errno != EINTR) return FromErrno(errno, fmt::format("cannot lock '{}'", path.string()));
  }
  return std::optional<FileLock>(FileLock(std::move(file)));
}

}  // namespace penstock::os
