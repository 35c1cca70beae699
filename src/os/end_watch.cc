// SPDX-License-Identifier: Apache-2.0
#include "os/end_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "base/check.h"

namespace penstock::os {
namespace {

bool HasEnded(int pipe) {
  std::array<char, 256> ignored;
  const ssize_t got = ::read(pipe, ignored.data(), ignored.size());
  return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
}

}  // namespace

Result<std::unique_ptr<EndWatch>> EndWatch::Start(int pipe) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  FileDescriptor signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals.is_open()) return FromErrno(errno, "cannot make a descriptor for signals");
  FileDescriptor stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop.is_open()) return FromErrno(errno, "cannot make a descriptor to wake a thread");
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return std::unique_ptr<EndWatch>(
      new EndWatch(std::move(signals), std::move(stop), pipe));  // NOLINT: private constructor
}

EndWatch::EndWatch(FileDescriptor signals, FileDescriptor stop, int pipe)
    : signals_(std::move(signals)), stop_(std::move(stop)), thread_([this, pipe] { Run(pipe); }) {}

EndWatch::~EndWatch() {
  const uint64_t one = 1;
  PENSTOCK_CHECK(::write(stop_.get(), &one, sizeof one) == sizeof one);
}

void EndWatch::Run(int pipe) {
  std::array<pollfd, 3> waits = {
      {{stop_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {pipe, POLLIN, 0}}};
  for (;;) {
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) return;
    signalfd_siginfo info = {};
    if (waits[1].revents != 0 && ::read(signals_.get(), &info, sizeof info) == sizeof info)
      Ask(static_cast<int>(info.ssi_signo));
    if (waits[2].revents != 0 && HasEnded(waits[2].fd)) {
      waits[2].fd = -1;  // it stays readable
      Ask(0);
    }
  }
}

void EndWatch::Ask(int signal) {
  const std::lock_guard lock(mutex_);
  if (!is_ready_) std::_Exit(signal == 0 ? 0 : kSignalExit + signal);
  if (!signal_) {
    signal_ = signal;
    return asked_.notify_one();
  }
  // An owner that goes while the server drains wants what the server is doing already.
  if (signal != 0) std::_Exit(kSignalExit + signal);
}

void EndWatch::Ready() {
  const std::lock_guard lock(mutex_);
  is_ready_ = true;
}

int EndWatch::Wait() {
  std::unique_lock lock(mutex_);
  asked_.wait(lock, [this] { return signal_.has_value(); });
  return *signal_;
}

}  // namespace penstock::os
