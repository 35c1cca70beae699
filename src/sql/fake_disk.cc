// SPDX-License-Identifier: Apache-2.0
#include "sql/fake_disk.h"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace penstock::sql {
namespace {

namespace fs = std::filesystem;

struct Write {
  size_t offset = 0;
  std::string bytes;
};

// What of a file does not depend on the power, and what does.
struct Stored {
  bool has_durable_name = false;
  std::string synced;
  std::vector<Write> unsynced;
};

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

// A layer over SQLite's own VFS (https://www.sqlite.org/vfs.html).
struct FakeDisk::Impl {
  // What SQLite holds of an open file; the real one's follows it in memory.
  struct File {
    sqlite3_file base;
    Impl* disk;
    Stored* stored;  // null for a temporary file, which nobody finds again
  };

  static File& FileOf(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static sqlite3_file* RealOf(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(&FileOf(file) + 1);
  }

  template <auto kMethod, typename Return, typename... Arguments>
  static Return Pass(sqlite3_file* file, Arguments... arguments) {
    sqlite3_file* real = RealOf(file);
    return (real->pMethods->*kMethod)(real, arguments...);
  }

  static int Open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags,
                  int* flags_out);
  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder);
  static int WriteBytes(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset);
  static int Truncate(sqlite3_file* file, sqlite3_int64 size);
  static int Sync(sqlite3_file* file, int flags);

  // Counts a changing call; false when the power is off.
  bool Enter() {
    if (calls_left == 0) is_off = true;
    if (calls_left > 0) --calls_left;
    return !is_off;
  }

  sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
  sqlite3_vfs vfs = *real;
  std::map<std::string, Stored, std::less<>> files;  // by path
  int calls_left = -1;                               // -1: no loss is planned
  bool is_off = false;
};

int FakeDisk::Impl::Open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags,
                         int* flags_out) {
  constexpr static sqlite3_io_methods kMethods = {
      .iVersion = 2,
      .xClose = Pass<&sqlite3_io_methods::xClose>,
      .xRead = Pass<&sqlite3_io_methods::xRead>,
      .xWrite = WriteBytes,
      .xTruncate = Truncate,
      .xSync = Sync,
      .xFileSize = Pass<&sqlite3_io_methods::xFileSize>,
      .xLock = Pass<&sqlite3_io_methods::xLock>,
      .xUnlock = Pass<&sqlite3_io_methods::xUnlock>,
      .xCheckReservedLock = Pass<&sqlite3_io_methods::xCheckReservedLock>,
      .xFileControl = Pass<&sqlite3_io_methods::xFileControl>,
      .xSectorSize = Pass<&sqlite3_io_methods::xSectorSize>,
      .xDeviceCharacteristics = Pass<&sqlite3_io_methods::xDeviceCharacteristics>,
      .xShmMap = Pass<&sqlite3_io_methods::xShmMap>,
      .xShmLock = Pass<&sqlite3_io_methods::xShmLock>,
      .xShmBarrier = Pass<&sqlite3_io_methods::xShmBarrier>,
      .xShmUnmap = Pass<&sqlite3_io_methods::xShmUnmap>,
      .xFetch = nullptr,
      .xUnfetch = nullptr};
  Impl& disk = *static_cast<Impl*>(vfs->pAppData);
  File& ours = FileOf(file);
  ours = {.base = {.pMethods = nullptr}, .disk = &disk, .stored = nullptr};
  if (name != nullptr) {
    const auto [entry, is_new] = disk.files.try_emplace(name);
    ours.stored = &entry->second;
    if (is_new && fs::exists(name))
      entry->second = {.has_durable_name = true, .synced = ReadAll(name)};
  }
  const int code = disk.real->xOpen(disk.real, name, RealOf(file), flags, flags_out);
  if (code == SQLITE_OK) ours.base.pMethods = &kMethods;
  return code;
}

int FakeDisk::Impl::Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  Impl& disk = *static_cast<Impl*>(vfs->pAppData);
  if (!disk.Enter()) return SQLITE_IOERR_DELETE;
  if (sync_folder != 0) disk.files[name] = {};
  return disk.real->xDelete(disk.real, name, 0);
}

int FakeDisk::Impl::WriteBytes(sqlite3_file* file, const void* bytes, int size,
                               sqlite3_int64 offset) {
  const File& ours = FileOf(file);
  if (!ours.disk->Enter()) return SQLITE_IOERR_WRITE;
  if (ours.stored != nullptr) {
    ours.stored->unsynced.push_back(
        {static_cast<size_t>(offset),
         std::string(static_cast<const char*>(bytes), static_cast<size_t>(size))});
  }
  return Pass<&sqlite3_io_methods::xWrite, int>(file, bytes, size, offset);
}

int FakeDisk::Impl::Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (!FileOf(file).disk->Enter()) return SQLITE_IOERR_TRUNCATE;
  return Pass<&sqlite3_io_methods::xTruncate, int>(file, size);
}

int FakeDisk::Impl::Sync(sqlite3_file* file, int) {
  File& ours = FileOf(file);
  if (!ours.disk->Enter()) return SQLITE_IOERR_FSYNC;
  if (ours.stored == nullptr) return SQLITE_OK;
  sqlite3_int64 size = 0;
  const int code = Pass<&sqlite3_io_methods::xFileSize, int>(file, &size);
  if (code != SQLITE_OK) return code;
  *ours.stored = {.has_durable_name = true, .synced = std::string(static_cast<size_t>(size), '\0')};
  return Pass<&sqlite3_io_methods::xRead, int>(file, static_cast<void*>(ours.stored->synced.data()),
                                               static_cast<int>(size), sqlite3_int64{0});
}

FakeDisk::FakeDisk() : impl_(std::make_unique<Impl>()) {
  sqlite3_vfs& vfs = impl_->vfs;
  vfs.szOsFile += static_cast<int>(sizeof(Impl::File));
  vfs.zName = "penstock-fake-disk";
  vfs.pAppData = impl_.get();
  vfs.xOpen = Impl::Open;
  vfs.xDelete = Impl::Delete;
  PENSTOCK_CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

FakeDisk::~FakeDisk() {
  sqlite3_vfs_unregister(&impl_->vfs);
  sqlite3_vfs_register(impl_->real, 1);
}

void FakeDisk::FailAfter(int calls) { impl_->calls_left = calls; }

bool FakeDisk::is_off() const { return impl_->is_off; }

void FakeDisk::Restart(UnsyncedWrites writes) {
  for (auto& [path, file] : impl_->files) {
    fs::remove(path);
    fs::remove(path + "-shm");
    const bool is_scattered = writes == UnsyncedWrites::kScattered && !file.unsynced.empty();
    if (!file.has_durable_name && !is_scattered) continue;
    for (size_t i = 0; is_scattered && i < file.unsynced.size(); i += 2) {
      const Write& write = file.unsynced[i];
      const size_t end = write.offset + write.bytes.size();
      if (file.synced.size() < end) file.synced.resize(end);
      file.synced.replace(write.offset, write.bytes.size(), write.bytes);
    }
    std::ofstream(path, std::ios::binary) << file.synced;
  }
  impl_->files.clear();
  impl_->calls_left = -1;
  impl_->is_off = false;
}

}  // namespace penstock::sql
