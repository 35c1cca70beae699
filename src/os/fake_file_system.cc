// SPDX-License-Identifier: Apache-2.0
#include "os/fake_file_system.h"

#include <cerrno>
#include <utility>

namespace penstock::os {
namespace {

namespace fs = std::filesystem;

Status PowerIsOff() { return FromErrno(EIO, "the power is off"); }

}  // namespace

// A file or a folder; several names may lead to one file.
struct FakeFileSystem::Node {
  bool is_folder = false;
  std::string bytes;
  bool is_synced = true;  // of bytes
  std::map<std::string, NodePtr> names;
  std::map<std::string, NodePtr> durable_names;
};

FakeFileSystem::FakeFileSystem() : root_(std::make_shared<Node>(Node{.is_folder = true})) {}
FakeFileSystem::~FakeFileSystem() = default;

void FakeFileSystem::FailAfter(int calls, Fault fault) {
  const std::lock_guard lock(mutex_);
  calls_left_ = calls;
  fault_ = fault;
}

int FakeFileSystem::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void FakeFileSystem::Restart(UnsyncedNames names) {
  const std::lock_guard lock(mutex_);
  LosePower(*root_, names);
  is_off_ = false;
  calls_left_ = -1;
}

void FakeFileSystem::LosePower(Node& node, UnsyncedNames names) {
  if (!node.is_synced) node.bytes.resize(node.bytes.size() / 2);
  node.is_synced = true;
  if (names == UnsyncedNames::kGone) node.names = node.durable_names;
  node.durable_names = node.names;
  for (const auto& [name, child] : node.names) LosePower(*child, names);
}

Status FakeFileSystem::Enter(bool& is_cut) {
  if (is_off_) return PowerIsOff();
  ++calls_;
  if (calls_left_ < 0) return {};
  const bool is_let_through = calls_left_ > 0;
  --calls_left_;
  if (is_let_through) return {};
  if (fault_ == Fault::kDiskFull) return FromErrno(ENOSPC, "write");
  is_off_ = true;
  is_cut = true;
  return {};
}

Status FakeFileSystem::EnterAtomic() {
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  return is_cut ? PowerIsOff() : Status();
}

FakeFileSystem::NodePtr FakeFileSystem::Find(const fs::path& path) const {
  NodePtr node = root_;
  for (const fs::path& name : path.relative_path()) {
    if (name.empty()) continue;  // after a trailing slash
    const auto found = node->names.find(name.string());
    if (found == node->names.end()) return nullptr;
    node = found->second;
  }
  return node;
}

Result<FakeFileSystem::NodePtr> FakeFileSystem::FolderOf(const fs::path& path) const {
  NodePtr folder = Find(path.parent_path());
  if (folder == nullptr || !folder->is_folder) return FromErrno(ENOENT, path.string());
  return folder;
}

Result<std::string> FakeFileSystem::Read(const fs::path& path) const {
  const std::lock_guard lock(mutex_);
  if (is_off_) return PowerIsOff();
  const NodePtr node = Find(path);
  if (node == nullptr) return FromErrno(ENOENT, path.string());
  if (node->is_folder) return FromErrno(EISDIR, path.string());
  return node->bytes;
}

bool FakeFileSystem::Exists(const fs::path& path) const {
  const std::lock_guard lock(mutex_);
  return Find(path) != nullptr;
}

Result<std::vector<fs::path>> FakeFileSystem::List(const fs::path& directory) const {
  const std::lock_guard lock(mutex_);
  const NodePtr node = Find(directory);
  if (node == nullptr) return FromErrno(ENOENT, directory.string());
  std::vector<fs::path> paths;
  for (const auto& [name, child] : node->names) paths.push_back(directory / name);
  return paths;
}

Status FakeFileSystem::Write(const fs::path& path, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  const NodePtr folder = PENSTOCK_TRY(FolderOf(path));
  NodePtr& file = folder->names[path.filename().string()];
  if (file == nullptr) file = std::make_shared<Node>();
  file->bytes = is_cut ? bytes.substr(0, bytes.size() / 2) : bytes;
  file->is_synced = !is_cut;
  return is_cut ? PowerIsOff() : Status();
}

Status FakeFileSystem::Rename(const fs::path& from, const fs::path& to) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_TRY(EnterAtomic());
  const NodePtr node = Find(from);
  if (node == nullptr) return FromErrno(ENOENT, from.string());
  const NodePtr folder = PENSTOCK_TRY(FolderOf(to));
  const NodePtr before = Find(to);
  if (before != nullptr && !before->names.empty()) return FromErrno(ENOTEMPTY, to.string());
  folder->names[to.filename().string()] = node;
  const NodePtr left = PENSTOCK_TRY(FolderOf(from));
  left->names.erase(from.filename().string());
  return {};
}

Status FakeFileSystem::Link(const fs::path& from, const fs::path& to) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_TRY(EnterAtomic());
  const NodePtr node = Find(from);
  if (node == nullptr) return FromErrno(ENOENT, from.string());
  const NodePtr folder = PENSTOCK_TRY(FolderOf(to));
  if (!folder->names.emplace(to.filename().string(), node).second)
    return FromErrno(EEXIST, to.string());
  return {};
}

Status FakeFileSystem::SetReadOnly(const fs::path& path) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_TRY(EnterAtomic());
  return Find(path) != nullptr ? Status() : FromErrno(ENOENT, path.string());
}

Status FakeFileSystem::Remove(const fs::path& path) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_TRY(EnterAtomic());
  const NodePtr folder = PENSTOCK_TRY(FolderOf(path));
  return folder->names.erase(path.filename().string()) > 0 ? Status()
                                                           : FromErrno(ENOENT, path.string());
}

Status FakeFileSystem::RemoveTree(const fs::path& path) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  const NodePtr node = Find(path);
  if (node == nullptr) return is_cut ? PowerIsOff() : Status();
  if (is_cut) {
    if (!node->names.empty()) node->names.erase(node->names.begin());
    return PowerIsOff();
  }
  const NodePtr folder = PENSTOCK_TRY(FolderOf(path));
  folder->names.erase(path.filename().string());
  return {};
}

Status FakeFileSystem::CreateDirectories(const fs::path& path) {
  const std::lock_guard lock(mutex_);
  // A folder that is there already is left as it is: durable only if its maker, or a later
  // SyncDirectory, made it so.
  if (!is_off_ && Find(path) != nullptr) return {};
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  NodePtr folder = root_;
  for (const fs::path& name : path.relative_path()) {
    NodePtr& child = folder->names[name.string()];
    if (child == nullptr) {
      child = std::make_shared<Node>(Node{.is_folder = true});
      if (is_cut) return PowerIsOff();
      folder->durable_names[name.string()] = child;
    }
    folder = child;
  }
  return {};
}

Status FakeFileSystem::SyncDirectory(const fs::path& path) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_TRY(EnterAtomic());
  const NodePtr folder = Find(path);
  if (folder == nullptr) return FromErrno(ENOENT, path.string());
  folder->durable_names = folder->names;
  return {};
}

}  // namespace penstock::os
