// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/buffer.h"
#include "http/handler.h"
#include "http/loop_state.h"
#include "http/mailbox.h"
#include "http/parser.h"
#include "http/response.h"

namespace penstock::http {

// One accepted socket: receives, parses, has requests answered in order, sends. Belongs to one loop
// and is used only on its thread; while an exchange is deferred, the request and the response
// belong to the token's holder instead. The socket is registered edge-triggered, once, for
// everything: an ordinary request costs one recv and one send.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(os::FileDescriptor socket, LoopState& loop);

  int fd() const { return socket_.get(); }
  bool has_ended() const { return phase_ == Phase::kEnded; }

  // What epoll reported.
  void OnEvents(uint32_t events);
  // The deferred answer is complete.
  void OnCompleted();
  // Called about once a second, sooner with short limits: looks at the deadlines.
  void OnTick();
  // Says 503 and closes.
  void Refuse();
  // Closes at once; what is deferred is dropped when it completes. Needs no memory.
  void End();

  const Request& request() const { return parser_.request(); }
  Response& response() { return *response_; }
  Deferred Defer();
  // From any thread.
  bool is_peer_gone() const { return is_peer_gone_.load(std::memory_order_relaxed); }

  // Where the loop keeps it.
  size_t slot = 0;
  // Whether loop.again holds it.
  bool is_in_again = false;
  // Accepted beyond connections_max, only to be told so.
  bool is_refused = false;

 private:
  enum class Phase {
    kServing,    // idle, receiving or sending
    kDeferred,   // waits for a token
    kLingering,  // the last answer is sent: reads until the client closes
    kEnded,
  };

  // Runs a step; what it throws (memory runs out, for instance) ends this connection alone.
  template <typename Step>
  void Guard(const Step& step);
  void HandleEvents(uint32_t events);
  void Proceed();
  void YieldTurn();
  void AnswerWhatIsBuffered();
  void AnswerRequest();
  void AnswerFailure(int status, std::string_view detail);
  void FinishAnswer();
  void AfterAnswer();
  bool Flush();
  bool Receive();
  bool MakeRoom(size_t room_min);
  void GiveBackInput();
  void OnEndOfStream();
  void Linger();
  void Discard();
  void TickServing();
  void TickIdle();
  bool TakesWhatHasArrived();
  bool IsOver(int64_t since_ms, int64_t ms_max) const { return loop_.now_ms - since_ms > ms_max; }
  size_t unsent() const { return out_.size() - sent_; }

  os::FileDescriptor socket_;
  LoopState& loop_;
  Phase phase_ = Phase::kServing;
  Buffer in_;
  ReceiveShare share_;  // of in_, where that is large
  std::string out_;
  size_t sent_ = 0;  // bytes of out_ that are gone
  Parser parser_;
  std::optional<Response> response_;

  bool is_readable_ = false;  // recv may give something
  bool has_hung_up_ =
      false;  // epoll reported the client's end: recv will say so after the last byte
  bool has_read_end_ = false;  // recv has said so
  bool closes_after_ = false;  // once out_ is sent
  bool needs_more_ = false;    // in_ holds no complete request
  bool has_head_ = false;      // since_ms_ counts from the end of the headers
  std::atomic<bool> is_peer_gone_ = false;
  int64_t since_ms_ = 0;     // when the present wait began: for a request, its bytes, or its reader
  int64_t progress_ms_ = 0;  // when something was sent last, or could have been
  int64_t linger_begin_ms_ = 0;
};

}  // namespace penstock::http
