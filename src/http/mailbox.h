// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "os/file_descriptor.h"

namespace penstock::http {

class Connection;

// What other threads want of a loop. It outlives the loop, so that an answer may come at any time.
// Thread-safe.
class Mailbox {
 public:
  struct Letters {
    std::vector<std::shared_ptr<Connection>> completed;
    std::vector<os::FileDescriptor> sockets;
    std::vector<std::function<void()>> tasks;
  };

  // `wake` is an eventfd.
  explicit Mailbox(os::FileDescriptor wake) : wake_(std::move(wake)) {}

  // The deferred answer of a connection is complete.
  void Complete(std::shared_ptr<Connection> connection);
  // A new connection. False, and it is closed, when the loop has ended or memory has run out.
  bool Give(os::FileDescriptor socket);
  // Something to run on the loop's thread. False, without a run, when the loop has ended.
  bool Run(std::function<void()> task);

  // Readable when there is something to Take.
  int wake_fd() const { return wake_.get(); }
  // Empties the box; called by the loop.
  Letters Take();
  // Takes the last letters; what comes later is dropped. Called by the loop.
  Letters Close();

 private:
  template <typename Put>
  bool Post(const Put& put);

  os::FileDescriptor wake_;
  std::mutex mutex_;
  Letters letters_;
  bool is_woken_ = false;
  bool is_closed_ = false;
};

}  // namespace penstock::http
