// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace penstock::engine {
namespace {

// Of one Drain: a worker that prints without end does not keep its reader.
constexpr int kReadsMax = 16;

}  // namespace

WorkerLog::WorkerLog(os::FileDescriptor pipe, int worker,
                     const std::function<void(const WorkerNote&)>& note)
    : pipe_(std::move(pipe)), worker_(worker), note_(note) {
  fcntl(pipe_.get(), F_SETFL, fcntl(pipe_.get(), F_GETFL) | O_NONBLOCK);
}

bool WorkerLog::Drain() {
  const std::lock_guard lock(mutex_);
  char buffer[16384];
  for (int i = 0; i < kReadsMax; ++i) {
    const ssize_t count = read(pipe_.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (count == 0) {
      if (!partial_.empty()) Note(partial_);
      partial_.clear();
      return false;
    }
    for (const char c : std::string_view(buffer, static_cast<size_t>(count))) {
      if (c != '\n') partial_ += c;
      if (c != '\n' && partial_.size() < kWorkerLineBytesMax) continue;
      Note(partial_);
      partial_.clear();
    }
  }
  return true;
}

void WorkerLog::Note(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
  last_line_ = line;
  if (note_) note_({WorkerNote::Kind::kOutput, worker_, request_, last_line_});
}

void WorkerLog::SetRequest(std::string_view id) {
  const std::lock_guard lock(mutex_);
  request_ = id;
}

std::string WorkerLog::last_line() const {
  const std::lock_guard lock(mutex_);
  return last_line_;
}

}  // namespace penstock::engine
