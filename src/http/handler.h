// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "http/request.h"
#include "http/response.h"

namespace penstock::http {

class Connection;
class Mailbox;

// One request taken off its loop, to be answered from any thread. Until Complete the connection
// reads no further request, and request() with its body stays valid. Movable; for one thread at a
// time (cancelled() from any). May outlive the server: completing is then without effect. One that
// is destroyed without Complete answers 500.
class Deferred {
 public:
  Deferred(std::shared_ptr<Connection> connection, std::shared_ptr<Mailbox> mailbox);
  Deferred(Deferred&&) noexcept = default;
  Deferred& operator=(Deferred&& other) noexcept;
  ~Deferred();

  const Request& request() const;
  Response& response();

  // Sends what was written to response() (500 when nothing was), or drops it when the connection is
  // gone. Call it once; afterwards neither request() nor response() may be used.
  void Complete();

  // The same for an answer that is completed on the connection's own loop, in Handler::EndTurn: it
  // is sent at once, without the mutex and the wake-up.
  void CompleteOnLoop();

  // True once the client has closed its side or the connection is gone: nobody is likely to read
  // the answer.
  bool cancelled() const;

 private:
  std::shared_ptr<Connection> connection_;  // null once completed or moved from
  std::shared_ptr<Mailbox> mailbox_;
};

// One request and the place for its answer, for the duration of Handler::Handle.
class Exchange {
 public:
  explicit Exchange(Connection& connection) : connection_(connection) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const Request& request() const;
  Response& response();

  // Takes the exchange away: the answer is what the token completes. Call it at most once;
  // afterwards only the token may be used. Costs one shared_ptr; Complete costs a mutex and a
  // wake-up of the loop.
  Deferred Defer();

 private:
  Connection& connection_;
};

// Answers requests. A server makes one per loop and calls it only on that loop's thread, one
// request at a time, so it may keep engines and buffers without locks.
class Handler {
 public:
  virtual ~Handler() = default;
  // What has been written to response() when Handle returns is sent; 500 when nothing was and the
  // exchange was not deferred, or when Handle throws. It holds up every connection of the loop
  // while it runs: defer what takes longer than about 100 us.
  virtual void Handle(Exchange& exchange) = 0;

  // Called when every event of a turn has been handled: the place to answer together, by
  // Deferred::CompleteOnLoop, what Handle has deferred to it. True when something waits for the
  // next turn, which then begins without waiting for events.
  virtual bool EndTurn() { return false; }
};

}  // namespace penstock::http
