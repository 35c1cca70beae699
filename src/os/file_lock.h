// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "base/result.h"
#include "os/file_descriptor.h"

namespace penstock::os {

// An exclusive lock on a file. The system gives it back when this process and all that it forked
// have ended, however they ended: who finds it free knows that its holder is gone.
class FileLock {
 public:
  // Makes the file where it is missing. Nothing where another holds the lock.
  static Result<std::optional<FileLock>> Try(const std::filesystem::path& path);

 private:
  explicit FileLock(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace penstock::os
