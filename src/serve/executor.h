// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/snapshot.h"

namespace penstock::serve {

// Below this predicted cost a request is answered on its loop: a hand-over to another thread costs
// more than it saves.
inline constexpr double kInlineNsMax = 100'000;
// Bodies up to this size are decoded on the loop (about 50 us of parsing).
inline constexpr size_t kInlineBodyBytesMax = 64 * 1024;
inline constexpr int64_t kQueueRequestsMax = 1024;

struct ExecutorOptions {
  int threads = 1;
  int64_t queue_requests_max = kQueueRequestsMax;
};

// Threads for requests that would hold up a loop. Thread-safe. Destruction runs what is queued,
// then joins.
class Executor {
 public:
  explicit Executor(const ExecutorOptions& options);
  ~Executor();

  // A job gets the number of the thread that runs it, 0 to threads - 1: its shard of metric cells.
  // One that throws is over; the others run.
  using Job = std::move_only_function<void(int thread)>;

  // Queues a job; false when queue_requests_max are waiting.
  bool Submit(Job job);

  // Jobs that wait, and those and the ones that run.
  int64_t queued() const;
  int64_t in_flight() const;
  const ExecutorOptions& options() const { return options_; }

 private:
  void Run(int thread);

  ExecutorOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;
  int64_t running_ = 0;
  bool is_ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace penstock::serve
