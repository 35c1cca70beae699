// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "engine/worker_options.h"
#include "os/file_descriptor.h"

namespace penstock::engine {

inline constexpr size_t kWorkerLineBytesMax = 8192;

// What one worker process prints, as lines with the request in whose call they were printed.
// Thread-safe.
class WorkerLog {
 public:
  // `pipe` is read without blocking; `note` may be empty and outlives this.
  WorkerLog(os::FileDescriptor pipe, int worker,
            const std::function<void(const WorkerNote&)>& note);

  int fd() const { return pipe_.get(); }
  // Reads what is there and notes each line; a line that is longer than kWorkerLineBytesMax is cut
  // into several. False once the other end is closed.
  bool Drain();
  // Whose call the lines are from that are read from now on.
  void SetRequest(std::string_view id);
  // The last line that was read, or "".
  std::string last_line() const;

 private:
  void Note(std::string_view line);

  const os::FileDescriptor pipe_;
  const int worker_;
  const std::function<void(const WorkerNote&)>& note_;
  mutable std::mutex mutex_;
  std::string partial_;
  std::string request_;
  std::string last_line_;
};

}  // namespace penstock::engine
