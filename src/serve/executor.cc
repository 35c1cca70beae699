// SPDX-License-Identifier: Apache-2.0
#include "serve/executor.h"

#include <exception>

namespace penstock::serve {

Executor::Executor(const ExecutorOptions& options) : options_(options) {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this, i] { Run(i); });
}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  ready_.notify_all();
  threads_.clear();
}

bool Executor::Submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (static_cast<int64_t>(jobs_.size()) >= options_.queue_requests_max) return false;
    jobs_.push_back(std::move(job));
  }
  ready_.notify_one();
  return true;
}

int64_t Executor::queued() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(jobs_.size());
}

int64_t Executor::in_flight() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(jobs_.size()) + running_;
}

void Executor::Run(int thread) {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return is_ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    ++running_;
    lock.unlock();
    try {
      job(thread);
    } catch (const std::exception&) {
      // Of memory, for instance: whoever waits learns it when what the job held goes.
      job = nullptr;
    }
    job = nullptr;  // what it holds is freed before the next wait, not after
    lock.lock();
    --running_;
  }
}

}  // namespace penstock::serve
