// SPDX-License-Identifier: Apache-2.0
#include "http/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <ctime>
#include <exception>
#include <new>

#include "base/check.h"
#include "http/server.h"

namespace penstock::http {
namespace {

constexpr int kEventsMax = 256;
constexpr int kAcceptsPerTurnMax = 64;
constexpr int64_t kTickMsMin = 10;
constexpr int64_t kTickMsMax = 1000;
// While a loop drains, it looks at its connections this often.
constexpr int64_t kDrainTickMs = 10;
// How long handshakes that are under way have before the listener closes.
constexpr int64_t kHandshakeMsMax = 100;

constexpr uint32_t kConnectionEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

int64_t ReadMs(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return time.tv_sec * int64_t{1000} + time.tv_nsec / 1'000'000;
}

// Deadlines are met to a quarter of the shortest.
int64_t TickMs(const Limits& limits) {
  const int64_t shortest = std::min(
      {limits.idle_ms_max, limits.receive_ms_max, limits.send_ms_max, limits.linger_ms_max});
  return std::clamp(shortest / 4, kTickMsMin, kTickMsMax);
}

Status NoRoom(int error) {
  return FromErrno(error,
                   "the HTTP server cannot make all of its loops: start fewer, or raise the limit "
                   "of open files (ulimit -n)");
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::Make(Parts parts) {
  Descriptors descriptors{
      .epoll = os::FileDescriptor(::epoll_create1(EPOLL_CLOEXEC)),
      .timer = os::FileDescriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      .wake = os::FileDescriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))};
  const bool are_open =
      descriptors.epoll.is_open() && descriptors.timer.is_open() && descriptors.wake.is_open();
  if (!are_open) return NoRoom(errno);
  std::unique_ptr<Loop> loop(
      new Loop(std::move(parts), std::move(descriptors)));  // NOLINT: the constructor is private
  const bool are_watched =
      loop->Watch(loop->mailbox().wake_fd(), EPOLLIN, loop->state_.mailbox.get()) &&
      loop->Watch(loop->timer_.get(), EPOLLIN, &loop->timer_);
  if (!are_watched) return NoRoom(errno);
  return loop;
}

Loop::Loop(Parts parts, Descriptors descriptors)
    : handler_(std::move(parts.handler)),
      state_{.limits = parts.limits,
             .handler = *handler_,
             .mailbox = std::make_shared<Mailbox>(std::move(descriptors.wake)),
             .receive_budget = std::move(parts.receive_budget)},
      epoll_(std::move(descriptors.epoll)),
      timer_(std::move(descriptors.timer)) {
  SetTick(TickMs(state_.limits));
  ReadClocks();
}

Loop::~Loop() { EndAll(); }

bool Loop::Watch(int fd, uint32_t events, void* tag) {
  epoll_event event{.events = events, .data = {.ptr = tag}};
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::SetTick(int64_t tick_ms) {
  const timespec period = {.tv_sec = tick_ms / 1000, .tv_nsec = tick_ms % 1000 * 1'000'000};
  const itimerspec timer = {.it_interval = period, .it_value = period};
  PENSTOCK_CHECK(::timerfd_settime(timer_.get(), 0, &timer, nullptr) == 0);
}

Status Loop::AcceptFrom(Listener& listener, std::span<const std::unique_ptr<Loop>> loops) {
  listener_ = &listener;
  loops_ = loops;
  is_accepting_ = true;
  state_.counts.is_listening.store(true, std::memory_order_relaxed);
  return Watch(listener.fd(), EPOLLIN, listener_) ? Status() : NoRoom(errno);
}

void Loop::Run(const std::function<void()>& on_change) {
  std::array<epoll_event, kEventsMax> events;
  bool has_more = false;
  while (!is_stopping_) {
    const int timeout_ms = has_more || !state_.again.empty() ? 0 : -1;
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, timeout_ms);
    PENSTOCK_CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i)
      Dispatch(events[static_cast<size_t>(i)].data.ptr, events[static_cast<size_t>(i)].events);
    if (!state_.again.empty()) ProceedAgain();
    has_more = EndTurn();
    if (!state_.ended.empty()) Reap();
    if (has_changed_) {
      has_changed_ = false;
      on_change();
    }
  }
  EndAll();
}

void Loop::Dispatch(void* tag, uint32_t events) {
  if (tag == state_.mailbox.get()) {
    HandleLetters(state_.mailbox->Take());
  } else if (tag == &timer_) {
    Tick();
  } else if (tag == listener_) {
    Accept();
  } else {
    static_cast<Connection*>(tag)->OnEvents(events);
  }
}

bool Loop::EndTurn() {
  try {
    return handler_->EndTurn();
  } catch (const std::exception&) {
    // Of memory, for instance. What was deferred gets a 500 when its token goes.
    return false;
  }
}

void Loop::HandleLetters(Mailbox::Letters letters) {
  for (os::FileDescriptor& socket : letters.sockets) {
    if (Add(std::move(socket)) == nullptr)
      state_.counts.connections_open.fetch_sub(1, std::memory_order_relaxed);
  }
  for (const std::shared_ptr<Connection>& connection : letters.completed) connection->OnCompleted();
  for (const std::function<void()>& task : letters.tasks) task();
}

void Loop::ReadClocks() {
  state_.now_ms = ReadMs(CLOCK_MONOTONIC);
  state_.unix_s = ReadMs(CLOCK_REALTIME) / 1000;
}

void Loop::Tick() {
  uint64_t ticks = 0;
  // Fails only when the tick has been read before, which does no harm.
  [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &ticks, sizeof ticks);
  ReadClocks();
  // Ended connections stay in place until Reap, so the list does not change under the iteration.
  for (const std::shared_ptr<Connection>& connection : connections_) connection->OnTick();
  if (listener_ == nullptr || !listener_->is_open()) return;
  if (state_.is_draining && state_.now_ms - state_.drain_begin_ms > kHandshakeMsMax) {
    AcceptAll();
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_->fd(), nullptr);
    listener_->Close();
    state_.counts.is_listening.store(false, std::memory_order_relaxed);
    has_changed_ = true;
  } else if (!is_accepting_) {
    is_accepting_ = Watch(listener_->fd(), EPOLLIN, listener_);
  }
}

void Loop::BeginDrain(int64_t idle_linger_ms) {
  ReadClocks();
  state_.is_draining = true;
  state_.drain_begin_ms = state_.now_ms;
  state_.idle_linger_ms = idle_linger_ms;
  SetTick(kDrainTickMs);
  if (listener_ != nullptr) listener_->StopNewConnections();
  has_changed_ = true;
}

void Loop::Accept() {
  for (int i = 0; i < kAcceptsPerTurnMax; ++i) {
    os::FileDescriptor socket(
        ::accept4(listener_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.is_open()) {
      if (!TakeIn(std::move(socket))) return PauseAccepting();
      continue;
    }
    if (errno == EAGAIN) return;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      return PauseAccepting();
    // Anything else concerns the one connection that could not be accepted: accept(2), "Error
    // handling".
  }
}

void Loop::AcceptAll() {
  for (int64_t before = -1; before != state_.counts.connections_accepted.value();) {
    before = state_.counts.connections_accepted.value();
    Accept();
  }
}

// With no descriptor or memory left the listener would stay readable and the loop would spin:
// clients wait in the kernel's queue until the next tick instead.
void Loop::PauseAccepting() {
  if (!is_accepting_) return;
  is_accepting_ = false;
  state_.counts.accept_pauses.Add();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_->fd(), nullptr);
}

bool Loop::TakeIn(os::FileDescriptor socket) {
  state_.counts.connections_accepted.Add();
  int64_t open = 0;
  Loop* least = this;
  int64_t least_open = INT64_MAX;
  for (const std::unique_ptr<Loop>& loop : loops_) {
    const int64_t here = loop->state_.counts.connections_open.load(std::memory_order_relaxed);
    open += here;
    if (here < least_open) {
      least = loop.get();
      least_open = here;
    }
  }
  if (open >= state_.limits.connections_max) return RefuseOne(std::move(socket));
  least->state_.counts.connections_open.fetch_add(1, std::memory_order_relaxed);
  const bool is_taken =
      least == this ? Add(std::move(socket)) != nullptr : least->mailbox().Give(std::move(socket));
  if (!is_taken) least->state_.counts.connections_open.fetch_sub(1, std::memory_order_relaxed);
  return is_taken;
}

bool Loop::RefuseOne(os::FileDescriptor socket) {
  state_.counts.connections_refused.Add();
  if (refused_open_ == kRefusedOpenMax) return true;
  const std::shared_ptr<Connection> connection = Add(std::move(socket));
  if (connection == nullptr) return false;
  ++refused_open_;
  connection->Refuse();
  return true;
}

std::shared_ptr<Connection> Loop::Add(os::FileDescriptor socket) {
  try {
    // So that ending it needs no memory.
    state_.ended.reserve(std::bit_ceil(connections_.size() + 1));
    auto connection = std::make_shared<Connection>(std::move(socket), state_);
    connection->slot = connections_.size();
    connections_.push_back(connection);
    if (Watch(connection->fd(), kConnectionEvents, connection.get())) return connection;
    connections_.pop_back();
    return nullptr;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void Loop::ProceedAgain() {
  turn_.swap(state_.again);
  for (Connection* connection : turn_) connection->is_in_again = false;
  for (Connection* connection : turn_) connection->OnEvents(0);
  turn_.clear();
}

// Frees connections only here, after a round of events: an event of the round may still point to
// one that ended in it.
void Loop::Reap() {
  for (const Connection* ended : state_.ended) {
    if (ended->is_refused) {
      --refused_open_;
    } else {
      state_.counts.connections_open.fetch_sub(1, std::memory_order_relaxed);
    }
    const size_t slot = ended->slot;
    std::swap(connections_[slot], connections_.back());
    connections_[slot]->slot = slot;
    connections_.pop_back();
  }
  state_.ended.clear();
  has_changed_ = has_changed_ || state_.is_draining;
}

void Loop::EndAll() {
  const Mailbox::Letters letters = state_.mailbox->Close();
  for (const std::function<void()>& task : letters.tasks) task();
  for (const std::shared_ptr<Connection>& connection : connections_) connection->End();
  state_.counts.connections_open.fetch_sub(static_cast<int64_t>(letters.sockets.size()),
                                           std::memory_order_relaxed);
  state_.again.clear();
  Reap();
}

}  // namespace penstock::http
