// SPDX-License-Identifier: Apache-2.0
#include "package/package.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/digest.h"

namespace penstock::package {
namespace {

namespace fs = std::filesystem;

// Refuses what is on the machine's disk but is not a plain file of `size` bytes, before a byte of
// it is read: a symbolic link, a pipe, a file that would fill memory. What only a fake of the file
// system knows is left to the digest.
Status CheckPlainFile(const fs::path& directory, std::string_view path, int64_t size) {
  fs::path place = directory;
  for (const fs::path& component : fs::path(path)) {
    place /= component;
    std::error_code error;
    if (fs::is_symlink(fs::symlink_status(place, error))) {
      return DataLoss(fmt::format(
          "'{}' of package '{}' is a symbolic link; a package holds its files itself: copy the "
          "package again, links followed",
          path, directory.string()));
    }
  }
  std::error_code error;
  const fs::file_status status = fs::status(place, error);
  if (!fs::exists(status)) return {};
  if (!fs::is_regular_file(status)) {
    return DataLoss(fmt::format("'{}' of package '{}' is not a file", path, directory.string()));
  }
  const uintmax_t actual = fs::file_size(place, error);
  if (!error && size >= 0 && actual != static_cast<uintmax_t>(size)) {
    return DataLoss(fmt::format(
        "file '{}' of package '{}' was changed: it has {} bytes, the manifest says {}; register "
        "or copy it again",
        path, directory.string(), actual, size));
  }
  if (!error && size < 0 && actual > kManifestBytesMax) {
    return DataLoss(fmt::format("'{}' of package '{}' has {} bytes; at most {} were expected", path,
                                directory.string(), actual, kManifestBytesMax));
  }
  return {};
}

Result<std::string> ReadChecked(const os::FileSystem& files, const fs::path& directory,
                                const FileEntry& entry) {
  PENSTOCK_TRY(CheckPlainFile(directory, entry.path, entry.size));
  auto bytes = files.Read(directory / entry.path);
  if (!bytes.ok()) {
    if (bytes.status().code() != Code::kNotFound) return bytes.status();
    return DataLoss(fmt::format("file '{}' of package '{}' is missing; register or copy it again",
                                entry.path, directory.string()));
  }
  const std::string digest = Sha256Hex(*bytes);
  if (static_cast<int64_t>(bytes->size()) != entry.size || digest != entry.sha256) {
    return DataLoss(fmt::format(
        "file '{}' of package '{}' was changed: its SHA-256 is {}, the manifest says {}; "
        "register or copy it again",
        entry.path, directory.string(), digest, entry.sha256));
  }
  return bytes;
}

Result<std::string> ReadManifest(const os::FileSystem& files, const fs::path& directory) {
  if (!files.Exists(directory))
    return NotFound(fmt::format("there is no package at '{}'", directory.string()));
  const fs::path path = directory / kManifestName;
  if (!files.Exists(path)) {
    return NotFound(
        fmt::format("'{}' is no package: it has no '{}'", directory.string(), kManifestName));
  }
  PENSTOCK_TRY(CheckPlainFile(directory, kManifestName, -1));
  return files.Read(path);
}

}  // namespace

Result<Package> Package::Open(const os::FileSystem& files, const fs::path& directory) {
  const std::string bytes = PENSTOCK_TRY(ReadManifest(files, directory));
  auto manifest = ParseManifest(bytes);
  if (!manifest.ok())
    return manifest.status().Prefixed(fmt::format("package '{}'", directory.string()));
  Package package;
  package.manifest_ = *std::move(manifest);
  package.digest_ = Sha256Hex(bytes);
  package.directory_ = directory;
  package.files_ = &files;
  // In a store, the directory's name is the identity that the registry asked for.
  const std::string name =
      (directory.has_filename() ? directory : directory.parent_path()).filename().string();
  if (IsSha256Hex(name) && name != package.digest_) {
    return DataLoss(fmt::format(
        "'{}' of package '{}' was changed: its SHA-256 is {}, the directory is named {}; "
        "register or copy it again",
        kManifestName, directory.string(), package.digest_, name));
  }
  for (const FileEntry& entry : package.manifest_.files) {
    PENSTOCK_TRY(ReadChecked(files, directory, entry));
  }
  return package;
}

Result<std::string> Package::Read(std::string_view path) const {
  for (const FileEntry& entry : manifest_.files) {
    if (entry.path == path) return ReadChecked(*files_, directory_, entry);
  }
  return NotFound(fmt::format("package '{}' has no file '{}'", directory_.string(), path));
}

}  // namespace penstock::package
