// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "os/file_system.h"

namespace penstock::store {

// A temporary file older than this was left by a process that ended in the middle.
inline constexpr std::chrono::hours kLeftoverAgeMax{24};

// Immutable bytes by their SHA-256. Thread-safe, and safe for several processes at once.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Stores bytes and returns their digest; what is there already is checked, and replaced where it
  // was damaged. Once this has returned OK the object survives a crash; after an error it is either
  // whole or not there.
  virtual Result<std::string> Put(std::string_view bytes) = 0;
  // The bytes, checked. kNotFound: no such object. kDataLoss: its bytes were changed; names the
  // object and the remedy.
  virtual Result<std::string> Get(std::string_view digest) const = 0;
  virtual bool Exists(std::string_view digest) const = 0;
};

// Objects as read-only files `<root>/<first two digits>/<64 digits>`, written in `<root>/tmp`
// first. A digest that is no SHA-256 is a programmer's error. `files` and `clock` must outlive the
// store.
class FileObjectStore final : public ObjectStore {
 public:
  FileObjectStore(os::FileSystem& files, std::filesystem::path root,
                  const Clock& clock = Clock::System())
      : files_(&files), root_(std::move(root)), clock_(&clock) {}

  Result<std::string> Put(std::string_view bytes) override;
  Result<std::string> Get(std::string_view digest) const override;
  bool Exists(std::string_view digest) const override;

  // Where the object lies or would lie.
  std::filesystem::path Path(std::string_view digest) const;
  // Removes temporary files older than age; returns how many.
  Result<int> RemoveLeftovers(std::chrono::microseconds age = kLeftoverAgeMax);

 private:
  Status PutNew(std::string_view bytes, const std::filesystem::path& path);
  bool IsIntact(std::string_view digest) const;

  os::FileSystem* files_;
  std::filesystem::path root_;
  const Clock* clock_;
};

// A name that says when it was given: "1790000000000000-<32 digits>".
std::string TemporaryName(const Clock& clock);
// True when TemporaryName gave the name longer ago than age.
bool IsLeftover(std::string_view name, const Clock& clock, std::chrono::microseconds age);

}  // namespace penstock::store
