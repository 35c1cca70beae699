// SPDX-License-Identifier: Apache-2.0
#include "os/file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/process.h"

namespace penstock::os {
namespace {

Status Failed(int error, std::string_view doing, const std::filesystem::path& path) {
  return FromErrno(error, fmt::format("cannot {} '{}'", doing, path.string()));
}

// 0, or the errno of what failed.
int WriteAndSync(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return fsync(fd) == 0 ? 0 : errno;
}

class SystemFiles final : public FileSystem {
 public:
  Result<std::string> Read(const std::filesystem::path& path) const override {
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return Failed(errno, "read", path);
    struct stat status{};
    if (fstat(file.get(), &status) != 0) return Failed(errno, "read", path);
    if (S_ISDIR(status.st_mode)) return Failed(EISDIR, "read", path);
    std::string bytes(static_cast<size_t>(status.st_size), '\0');
    size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t count = read(file.get(), bytes.data() + filled, bytes.size() - filled);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Failed(errno, "read", path);
      if (count == 0) break;
      filled += static_cast<size_t>(count);
    }
    bytes.resize(filled);
    return bytes;
  }

  bool Exists(const std::filesystem::path& path) const override {
    return access(path.c_str(), F_OK) == 0;
  }

  Result<std::vector<std::filesystem::path>> List(
      const std::filesystem::path& directory) const override {
    std::error_code error;
    std::vector<std::filesystem::path> paths;
    std::filesystem::directory_iterator entries(directory, error);
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
      paths.push_back(entries->path());
    }
    if (error) return Failed(error.value(), "list", directory);
    return paths;
  }

  Status Write(const std::filesystem::path& path, std::string_view bytes) override {
    FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file.is_open()) return Failed(errno, "write", path);
    const int error = WriteAndSync(file.get(), bytes);
    if (error == 0) return {};
    unlink(path.c_str());
    return Failed(error, "write", path);
  }

  Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return rename(from.c_str(), to.c_str()) == 0 ? Status() : Failed(errno, "rename to", to);
  }

  Status Link(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return link(from.c_str(), to.c_str()) == 0 ? Status() : Failed(errno, "link to", to);
  }

  Status SetReadOnly(const std::filesystem::path& path) override {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) return Failed(errno, "protect", path);
    const mode_t mode = S_ISDIR(status.st_mode) ? 0555 : 0444;
    return chmod(path.c_str(), mode) == 0 ? Status() : Failed(errno, "protect", path);
  }

  Status Remove(const std::filesystem::path& path) override {
    return unlink(path.c_str()) == 0 ? Status() : Failed(errno, "remove", path);
  }

  Status RemoveTree(const std::filesystem::path& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    return error ? Failed(error.value(), "remove", path) : Status();
  }

  Status CreateDirectories(const std::filesystem::path& path) override {
    if (path.empty() || Exists(path)) return {};
    PENSTOCK_TRY(CreateDirectories(path.parent_path()));
    if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
      return Failed(errno, "make the folder", path);
    return path.has_parent_path() ? SyncDirectory(path.parent_path()) : SyncDirectory(".");
  }

  Status SyncDirectory(const std::filesystem::path& path) override {
    const FileDescriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.is_open() || fsync(directory.get()) != 0)
      return Failed(errno, "sync the folder", path);
    return {};
  }
};

}  // namespace

FileSystem& FileSystem::System() {
  static SystemFiles files;
  return files;
}

}  // namespace penstock::os
