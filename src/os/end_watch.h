// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.h"
#include "os/file_descriptor.h"

namespace penstock::os {

// A shell's exit code for a program that a signal ended is this plus the signal.
inline constexpr int kSignalExit = 128;

// What asks a server to end: SIGTERM, SIGINT, or the end of a pipe that its owner holds. A thread
// of its own looks at them from Start to the destruction, so that no phase of the program is deaf:
// the first request to end goes to Wait, if the program is ready for it, and every other ends the
// process at once. Ready and Wait are for one thread.
class EndWatch {
 public:
  // Blocks the signals for this thread and every one that it makes later: call it before there is
  // another. SIGPIPE is ignored from here on. pipe: a file descriptor, or -1 for none.
  static Result<std::unique_ptr<EndWatch>> Start(int pipe);
  ~EndWatch();
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

  // Before this, while there is nothing to finish, the first request ends the process too.
  void Ready();
  // The signal that asked first, or 0 for the end of the pipe.
  int Wait();

 private:
  EndWatch(FileDescriptor signals, FileDescriptor stop, int pipe);

  void Run(int pipe);
  void Ask(int signal);

  const FileDescriptor signals_;
  const FileDescriptor stop_;
  std::mutex mutex_;
  std::condition_variable asked_;
  bool is_ready_ = false;
  std::optional<int> signal_;
  std::jthread thread_;
};

}  // namespace penstock::os
