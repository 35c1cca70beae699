// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace penstock::sql {

// The disk under SQLite, remembering what would survive a loss of power: bytes and lengths count
// once the file was synced. For tests. While it lives, every session opened is on it; the files
// stand where their paths say. Not thread-safe.
class FakeDisk {
 public:
  // What a machine may find of the writes that were not synced: none of them, or any others in any
  // order; here every second one.
  enum class UnsyncedWrites { kGone, kScattered };

  FakeDisk();
  // Gives SQLite the real disk back. Close the sessions first.
  ~FakeDisk();
  FakeDisk(const FakeDisk&) = delete;
  FakeDisk& operator=(const FakeDisk&) = delete;

  // Lets `calls` more changing calls through (writes, truncations, syncs, removals); before the
  // next one the power fails, and every call after it does until Restart.
  void FailAfter(int calls);
  bool is_off() const;
  // What the machine finds when it comes back. Close the sessions first.
  void Restart(UnsyncedWrites writes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock::sql
