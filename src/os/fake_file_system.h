// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "os/file_system.h"

namespace penstock::os {

// Files in memory that remember what would survive a loss of power: bytes count once the file was
// fsynced, a name once its folder was. For tests. Paths are absolute. Thread-safe.
class FakeFileSystem final : public FileSystem {
 public:
  enum class Fault { kPowerLoss, kDiskFull };
  // What a machine may find of names that were not synced: a file system promises neither.
  enum class UnsyncedNames { kGone, kKept };

  FakeFileSystem();
  ~FakeFileSystem() override;

  // Lets `calls` more changing calls through; the next one fails. kPowerLoss: it is half done, and
  // every call after it fails until Restart. kDiskFull: that call fails with kResourceExhausted,
  // later ones work.
  void FailAfter(int calls, Fault fault);
  // Changing calls so far.
  int calls() const;
  // What the machine finds when it comes back: bytes that were not synced are gone but for a torn
  // half, names that were not synced are gone or kept.
  void Restart(UnsyncedNames names = UnsyncedNames::kGone);

  Result<std::string> Read(const std::filesystem::path& path) const override;
  bool Exists(const std::filesystem::path& path) const override;
  Result<std::vector<std::filesystem::path>> List(
      const std::filesystem::path& directory) const override;
  Status Write(const std::filesystem::path& path, std::string_view bytes) override;
  Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status Link(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status SetReadOnly(const std::filesystem::path& path) override;
  Status Remove(const std::filesystem::path& path) override;
  Status RemoveTree(const std::filesystem::path& path) override;
  Status CreateDirectories(const std::filesystem::path& path) override;
  Status SyncDirectory(const std::filesystem::path& path) override;

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;

  // Counts a changing call: OK when it may run, else what it fails with. `is_cut`: it is to stop
  // half-way, and to return that the power is off.
  Status Enter(bool& is_cut);
  // The same for calls that are atomic: cut, they did nothing.
  Status EnterAtomic();
  // Null where there is no such file or folder.
  NodePtr Find(const std::filesystem::path& path) const;
  Result<NodePtr> FolderOf(const std::filesystem::path& path) const;
  static void LosePower(Node& node, UnsyncedNames names);

  mutable std::mutex mutex_;
  NodePtr root_;
  int calls_ = 0;
  int calls_left_ = -1;  // -1: no fault is planned
  Fault fault_ = Fault::kPowerLoss;
  bool is_off_ = false;
};

}  // namespace penstock::os
