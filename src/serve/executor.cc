// SPDX-License-Identifier: Apache-2.0
#include "serve/executor.h"

namespace penstock::serve {

Executor::Executor(const ExecutorOptions& options) : options_(options) {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  ready_.notify_all();
  threads_.clear();
}

bool Executor::Submit(std::function<void()> job) {
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

void Executor::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return is_ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds is freed before the next wait, not after
    lock.lock();
  }
}

}  // namespace penstock::serve
