// SPDX-License-Identifier: Apache-2.0
#include "os/fake_file_system.h"

#include <cerrno>

namespace penstock::os {
namespace {

Status PowerIsOff() { return FromErrno(EIO, "the power is off"); }

std::filesystem::path ParentOf(const std::filesystem::path& path) { return path.parent_path(); }

}  // namespace

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
  if (names == UnsyncedNames::kKept) durable_ = now_;
  now_.clear();
  for (const auto& [path, file] : durable_) {
    // A name whose folder is gone is gone with it; folders come first in the order of paths.
    if (!NeedsParent(path).ok()) continue;
    if (!file->is_directory && !file->is_synced) file->bytes.resize(file->bytes.size() / 2);
    file->is_synced = true;
    now_[path] = file;
  }
  durable_ = now_;
  is_off_ = false;
  calls_left_ = -1;
}

Status FakeFileSystem::Enter(bool& is_cut) {
  if (is_off_) return PowerIsOff();
  ++calls_;
  if (calls_left_ < 0) return {};
  if (calls_left_-- > 0) return {};
  if (fault_ == Fault::kDiskFull) return FromErrno(ENOSPC, "write");
  is_off_ = true;
  is_cut = true;
  return {};
}

Status FakeFileSystem::NeedsParent(const std::filesystem::path& path) const {
  const std::filesystem::path parent = ParentOf(path);
  if (parent.empty() || parent == path.root_path() || now_.contains(parent)) return {};
  return FromErrno(ENOENT, path.string());
}

bool FakeFileSystem::HasEntries(const std::filesystem::path& directory) const {
  const auto next = now_.upper_bound(directory / "");
  return next != now_.end() && ParentOf(next->first) == directory;
}

Result<std::string> FakeFileSystem::Read(const std::filesystem::path& path) const {
  const std::lock_guard lock(mutex_);
  if (is_off_) return PowerIsOff();
  const auto found = now_.find(path);
  if (found == now_.end()) return FromErrno(ENOENT, path.string());
  return found->second->bytes;
}

bool FakeFileSystem::Exists(const std::filesystem::path& path) const {
  const std::lock_guard lock(mutex_);
  return now_.contains(path);
}

Result<std::vector<std::filesystem::path>> FakeFileSystem::List(const std::filesystem::path& directory) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::filesystem::path> paths;
  for (const auto& [path, file] : now_) {
    if (ParentOf(path) == directory) paths.push_back(path);
  }
  return paths;
}

Status FakeFileSystem::Write(const std::filesystem::path& path, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  PENSTOCK_TRY(NeedsParent(path));
  auto& file = now_[path];
  if (file == nullptr) file = std::make_shared<File>();
  file->bytes = is_cut ? bytes.substr(0, bytes.size() / 2) : bytes;
  file->is_synced = !is_cut;
  return is_cut ? PowerIsOff() : Status();
}

Status FakeFileSystem::Rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  if (is_cut) return PowerIsOff();
  if (!now_.contains(from)) return FromErrno(ENOENT, from.string());
  PENSTOCK_TRY(NeedsParent(to));
  if (HasEntries(to)) return FromErrno(ENOTEMPTY, to.string());
  Names moved;
  for (auto entry = now_.lower_bound(from); entry != now_.end();) {
    const std::string text = entry->first.string();
    const bool is_inside = entry->first == from || text.starts_with(from.string() + "/");
    if (!is_inside) {
      ++entry;
      continue;
    }
    moved[to.string() + text.substr(from.string().size())] = entry->second;
    entry = now_.erase(entry);
  }
  for (const auto& [path, file] : moved) now_[path] = file;
  return {};
}

Status FakeFileSystem::Link(const std::filesystem::path& from, const std::filesystem::path& to) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  if (is_cut) return PowerIsOff();
  if (!now_.contains(from)) return FromErrno(ENOENT, from.string());
  if (now_.contains(to)) return FromErrno(EEXIST, to.string());
  PENSTOCK_TRY(NeedsParent(to));
  now_[to] = now_[from];
  return {};
}

Status FakeFileSystem::SetReadOnly(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  if (is_cut) return PowerIsOff();
  return now_.contains(path) ? Status() : FromErrno(ENOENT, path.string());
}

Status FakeFileSystem::Remove(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  if (is_cut) return PowerIsOff();
  return now_.erase(path) > 0 ? Status() : FromErrno(ENOENT, path.string());
}

Status FakeFileSystem::RemoveTree(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  if (is_cut) return PowerIsOff();
  std::erase_if(now_, [&](const auto& entry) {
    return entry.first == path || entry.first.string().starts_with(path.string() + "/");
  });
  return {};
}

Status FakeFileSystem::CreateDirectories(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  // A folder that is there already is left as it is: durable only if its maker, or a later SyncDirectory, made it so.
  if (!is_off_ && now_.contains(path)) return {};
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  std::filesystem::path folder = path.root_path();
  for (const std::filesystem::path& name : path.relative_path()) {
    folder /= name;
    if (now_.contains(folder)) continue;
    auto file = std::make_shared<File>(File{.is_directory = true});
    now_[folder] = file;
    if (is_cut) return PowerIsOff();
    durable_[folder] = file;
  }
  return {};
}

Status FakeFileSystem::SyncDirectory(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  bool is_cut = false;
  PENSTOCK_TRY(Enter(is_cut));
  if (is_cut) return PowerIsOff();
  if (!now_.contains(path)) return FromErrno(ENOENT, path.string());
  std::erase_if(durable_, [&](const auto& entry) { return ParentOf(entry.first) == path && !now_.contains(entry.first); });
  for (const auto& [name, file] : now_) {
    if (ParentOf(name) == path) durable_[name] = file;
  }
  return {};
}

}  // namespace penstock::os
