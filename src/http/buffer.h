// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

namespace penstock::http {

// The bytes received on a connection and not used yet, with room for more behind them. Holds no
// memory until it is needed.
class Buffer {
 public:
  static constexpr size_t kFirstBytes = 4096;

  char* data() { return bytes_.get() + begin_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }

  // Where to receive to, and how many bytes.
  char* room() { return data() + size_; }
  size_t room_bytes() const { return capacity_ - begin_ - size_; }

  void Append(size_t bytes) { size_ += bytes; }
  void SetSize(size_t size) { size_ = size; }
  void Drop(size_t bytes) {
    size_ -= bytes;
    begin_ = size_ == 0 ? 0 : begin_ + bytes;
  }
  void Clear() { begin_ = size_ = 0; }

  // Moves what is here to the front of the memory.
  void Compact() {
    if (begin_ > 0) std::memmove(bytes_.get(), data(), size_);
    begin_ = 0;
  }

  // What to grow to when there is no room: twice the memory, or just enough for `missing` more
  // bytes if that is known (not 0) and less. So memory grows with what has arrived, not with what
  // was announced.
  size_t NextCapacity(size_t missing) const {
    const size_t capacity = std::max(kFirstBytes, 2 * capacity_);
    return missing > 0 && capacity_ > 0 ? std::min(capacity, size_ + missing) : capacity;
  }

  // Moves to other memory, of at least size() bytes.
  void Reserve(size_t capacity) {
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) std::memcpy(bytes.get(), data(), size_);
    bytes_ = std::move(bytes);
    begin_ = 0;
    capacity_ = capacity;
  }

  // Gives the memory back; the buffer must be empty.
  void Release() {
    bytes_.reset();
    begin_ = capacity_ = 0;
  }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t size_ = 0;
};

}  // namespace penstock::http
