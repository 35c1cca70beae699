// SPDX-License-Identifier: Apache-2.0
#include "os/file_descriptor.h"

#include <unistd.h>

namespace penstock::os {

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

void FileDescriptor::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace penstock::os
