// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock::os {

// The calls on files that must survive a crash, as an interface: tests use a fake that drops every
// byte that was not fsynced. Paths are those of the operating system. Thread-safe. Errors carry the
// path and what the system said.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::string> Read(const std::filesystem::path& path) const = 0;
  virtual bool Exists(const std::filesystem::path& path) const = 0;
  virtual Result<std::vector<std::filesystem::path>> List(
      const std::filesystem::path& directory) const = 0;

  // Creates (or truncates) path with these bytes and fsyncs the file. The directory entry is
  // durable only after SyncDirectory of its parent.
  virtual Status Write(const std::filesystem::path& path, std::string_view bytes) = 0;
  // Atomic within one file system. Durable after SyncDirectory of both parents.
  virtual Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  // A second name for the same file; kAlreadyExists when `to` exists.
  virtual Status Link(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual Status SetReadOnly(const std::filesystem::path& path) = 0;
  virtual Status Remove(const std::filesystem::path& path) = 0;
  virtual Status RemoveTree(const std::filesystem::path& path) = 0;
  // Creates the directory and its parents, each made durable.
  virtual Status CreateDirectories(const std::filesystem::path& path) = 0;
  virtual Status SyncDirectory(const std::filesystem::path& path) = 0;

  // The machine's files; lives as long as the program.
  static FileSystem& System();
};

}  // namespace penstock::os
