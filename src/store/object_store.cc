// SPDX-License-Identifier: Apache-2.0
#include "store/object_store.h"

#include <fmt/format.h>

#include <charconv>

#include "base/check.h"
#include "base/digest.h"
#include "base/ids.h"

namespace penstock::store {
namespace {

constexpr std::string_view kTemporary = "tmp";

// How to go on after an error of the file system, where there is something to say.
std::string_view Remedy(Code code) {
  switch (code) {
    case Code::kResourceExhausted:
      return "; free disk space and try again: nothing was registered";
    case Code::kPermissionDenied:
      return "; make the folder writable, or set PENSTOCK_HOME to one that is";
    default:
      return "";
  }
}

Status WithRemedy(const Status& status) {
  return status.ok()
             ? status
             : Status(status.code(), fmt::format("{}{}", status.message(), Remedy(status.code())));
}

}  // namespace

std::string TemporaryName(const Clock& clock) {
  return fmt::format("{}-{}", clock.NowUs(), NewId());
}

bool IsLeftover(std::string_view name, const Clock& clock, std::chrono::microseconds age) {
  int64_t given_us = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), given_us);
  const bool is_ours = error == std::errc() && end != name.data() + name.size() && *end == '-';
  return is_ours && given_us < clock.NowUs() - age.count();
}

std::filesystem::path FileObjectStore::Path(std::string_view digest) const {
  PENSTOCK_CHECK(IsSha256Hex(digest));
  return root_ / digest.substr(0, 2) / digest;
}

bool FileObjectStore::Exists(std::string_view digest) const { return files_->Exists(Path(digest)); }

bool FileObjectStore::IsIntact(std::string_view digest) const {
  const Result<std::string> bytes = files_->Read(Path(digest));
  return bytes.ok() && Sha256Hex(*bytes) == digest;
}

Result<std::string> FileObjectStore::Put(std::string_view bytes) {
  std::string digest = Sha256Hex(bytes);
  const std::filesystem::path path = Path(digest);
  if (!IsIntact(digest)) PENSTOCK_TRY(WithRemedy(PutNew(bytes, path)));
  // Also where the object was there already: who wrote it may not have come to these lines yet.
  PENSTOCK_TRY(WithRemedy(files_->SyncDirectory(path.parent_path())));
  PENSTOCK_TRY(WithRemedy(files_->SyncDirectory(root_)));
  return digest;
}

Status FileObjectStore::PutNew(std::string_view bytes, const std::filesystem::path& path) {
  PENSTOCK_TRY(files_->CreateDirectories(root_ / kTemporary));
  PENSTOCK_TRY(files_->CreateDirectories(path.parent_path()));
  const std::filesystem::path temporary = root_ / kTemporary / TemporaryName(*clock_);
  PENSTOCK_TRY(files_->Write(temporary, bytes));
  Status status = files_->SetReadOnly(temporary);
  // Replaces a damaged object; another process that was faster put the same bytes there.
  if (status.ok()) status = files_->Rename(temporary, path);
  if (!status.ok())
    static_cast<void>(files_->Remove(temporary));  // the first error is the one to tell
  return status;
}

Result<std::string> FileObjectStore::Get(std::string_view digest) const {
  const std::filesystem::path path = Path(digest);
  auto bytes = files_->Read(path);
  if (!bytes.ok() && bytes.status().code() == Code::kNotFound) {
    return NotFound(fmt::format(
        "object {} is not in '{}'; restore it from a backup, or register the model again", digest,
        root_.string()));
  }
  if (!bytes.ok()) return bytes.status();
  const std::string found = Sha256Hex(*bytes);
  if (found == digest) return bytes;
  return DataLoss(
      fmt::format("object '{}' was changed: the SHA-256 of its bytes is {}; restore it from a "
                  "backup, or register the model again",
                  path.string(), found));
}

Result<int> FileObjectStore::RemoveLeftovers(std::chrono::microseconds age) {
  const std::filesystem::path folder = root_ / kTemporary;
  if (!files_->Exists(folder)) return 0;
  int removed = 0;
  for (const std::filesystem::path& path : PENSTOCK_TRY(files_->List(folder))) {
    if (!IsLeftover(path.filename().string(), *clock_, age)) continue;
    const Status status = files_->Remove(path);
    if (!status.ok() && status.code() != Code::kNotFound)
      return status;  // another process may have been faster
    if (status.ok()) ++removed;
  }
  return removed;
}

}  // namespace penstock::store
