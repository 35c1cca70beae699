// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace penstock::http {

// The memory that the large buffers of all connections of a server may take together. Thread-safe.
class ReceiveBudget {
 public:
  explicit ReceiveBudget(size_t bytes_max) : bytes_max_(bytes_max) {}

  size_t bytes_max() const { return bytes_max_; }
  // False, without effect, beyond bytes_max.
  bool Take(size_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max_) return true;
    Give(bytes);
    return false;
  }
  void Give(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const size_t bytes_max_;
  std::atomic<size_t> used_ = 0;
};

// What one connection has of it; given back at the end. For one thread at a time.
class ReceiveShare {
 public:
  explicit ReceiveShare(std::shared_ptr<ReceiveBudget> budget) : budget_(std::move(budget)) {}
  ReceiveShare(const ReceiveShare&) = delete;
  ReceiveShare& operator=(const ReceiveShare&) = delete;
  ~ReceiveShare() { budget_->Give(bytes_); }

  // False, and the share stays as it is, when the budget does not have as much.
  bool Grow(size_t bytes) {
    if (bytes > bytes_ && !budget_->Take(bytes - bytes_)) return false;
    bytes_ = std::max(bytes_, bytes);
    return true;
  }
  void Return() { budget_->Give(std::exchange(bytes_, 0)); }

 private:
  std::shared_ptr<ReceiveBudget> budget_;
  size_t bytes_ = 0;
};

}  // namespace penstock::http
