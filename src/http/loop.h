// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "http/connection.h"
#include "http/listener.h"
#include "http/loop_state.h"

namespace penstock::http {

// One epoll loop and its connections. Run on one thread; everything else goes through the mailbox,
// counts apart.
class Loop {
 public:
  struct Parts {
    const Limits& limits;  // outlives the loop
    std::shared_ptr<ReceiveBudget> receive_budget;
    std::unique_ptr<Handler> handler;
  };
  // An error when the kernel has no descriptor or no memory left for one more.
  static Result<std::unique_ptr<Loop>> Make(Parts parts);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Makes this the loop that accepts, and gives each socket to the loop of `loops` with the fewest
  // connections. Both must outlive Run. Before Run.
  Status AcceptFrom(Listener& listener, std::span<const std::unique_ptr<Loop>> loops);

  // Serves until Stop. on_change is called on this thread when a draining loop has lost connections
  // or its listener.
  void Run(const std::function<void()>& on_change);

  // From other threads, through the mailbox.
  Mailbox& mailbox() { return *state_.mailbox; }
  const LoopCounts& counts() const { return state_.counts; }

  // On the loop's own thread: as tasks of the mailbox, or while Run does not run.
  Handler& handler() { return *handler_; }
  void BeginDrain(int64_t idle_linger_ms);
  void Stop() { is_stopping_ = true; }

 private:
  struct Descriptors {
    os::FileDescriptor epoll;
    os::FileDescriptor timer;
    os::FileDescriptor wake;
  };
  Loop(Parts parts, Descriptors descriptors);
  // False, with errno, when the kernel has no room for it.
  bool Watch(int fd, uint32_t events, void* tag);
  void SetTick(int64_t tick_ms);
  void Dispatch(void* tag, uint32_t events);
  bool EndTurn();
  void HandleLetters(Mailbox::Letters letters);
  void Tick();
  void ReadClocks();
  void Accept();
  void AcceptAll();
  void PauseAccepting();
  // Each false, or null, when there is no room for the socket, which is then closed.
  bool TakeIn(os::FileDescriptor socket);
  bool RefuseOne(os::FileDescriptor socket);
  std::shared_ptr<Connection> Add(os::FileDescriptor socket);
  void ProceedAgain();
  void Reap();
  void EndAll();

  std::unique_ptr<Handler> handler_;
  LoopState state_;
  os::FileDescriptor epoll_;
  os::FileDescriptor timer_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::vector<Connection*> turn_;  // kept to reuse its memory
  int refused_open_ = 0;
  bool is_stopping_ = false;
  bool has_changed_ = false;

  Listener* listener_ = nullptr;  // of the loop that accepts
  std::span<const std::unique_ptr<Loop>> loops_;
  bool is_accepting_ = false;
};

}  // namespace penstock::http
