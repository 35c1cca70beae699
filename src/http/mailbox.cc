// SPDX-License-Identifier: Apache-2.0
#include "http/mailbox.h"

#include <unistd.h>

#include <cstdint>
#include <new>
#include <utility>

#include "base/check.h"

namespace penstock::http {

template <typename Put>
bool Mailbox::Post(const Put& put) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return false;
  put(letters_);
  if (!std::exchange(is_woken_, true)) {
    const uint64_t one = 1;
    PENSTOCK_CHECK(::write(wake_.get(), &one, sizeof one) == sizeof one);
  }
  return true;
}

void Mailbox::Complete(std::shared_ptr<Connection> connection) {
  Post([&](Letters& letters) { letters.completed.push_back(std::move(connection)); });
}

bool Mailbox::Give(os::FileDescriptor socket) {
  try {
    return Post([&](Letters& letters) { letters.sockets.push_back(std::move(socket)); });
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool Mailbox::Run(std::function<void()> task) {
  return Post([&](Letters& letters) { letters.tasks.push_back(std::move(task)); });
}

Mailbox::Letters Mailbox::Take() {
  const std::lock_guard lock(mutex_);
  uint64_t count = 0;
  // Fails only when nobody has written, which does no harm.
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
  is_woken_ = false;
  return std::exchange(letters_, {});
}

Mailbox::Letters Mailbox::Close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  return std::exchange(letters_, {});
}

}  // namespace penstock::http
