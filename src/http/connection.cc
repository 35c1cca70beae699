// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>

#include "base/check.h"

namespace penstock::http {
namespace {

// How much one connection may do before others get their turn.
constexpr int kStepsPerTurnMax = 64;
// Answers to pipelined requests are collected up to this size, then sent.
constexpr size_t kCollectBytesMax = 16 * 1024;
// Larger buffers are given back after use.
constexpr size_t kKeepBytesMax = 64 * 1024;
// A connection that is silent for longer holds no buffers.
constexpr int64_t kKeepMemoryMs = 2'000;
// Less room than this is not worth a recv.
constexpr size_t kRoomBytesMin = 512;
constexpr size_t kDiscardBytesMax = 1024 * 1024;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Connection::Connection(os::FileDescriptor socket, LoopState& loop)
    : socket_(std::move(socket)),
      loop_(loop),
      share_(loop.receive_budget),
      parser_(loop.limits),
      since_ms_(loop.now_ms) {}

template <typename Step>
void Connection::Guard(const Step& step) {
  try {
    step();
  } catch (const std::exception&) {
    End();
  }
}

void Connection::OnEvents(uint32_t events) {
  if (has_ended()) return;
  Guard([&] { HandleEvents(events); });
}

void Connection::HandleEvents(uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    has_hung_up_ = true;
    is_peer_gone_.store(true, std::memory_order_relaxed);
  }
  if ((events & ~uint32_t{EPOLLOUT}) != 0) is_readable_ = true;
  if (phase_ == Phase::kLingering) {
    Discard();
  } else if (phase_ == Phase::kServing) {
    Proceed();
  }
}

void Connection::OnCompleted() {
  if (has_ended()) {
    loop_.counts.responses_cancelled.Add();
    return;
  }
  PENSTOCK_CHECK(phase_ == Phase::kDeferred);
  phase_ = Phase::kServing;
  Guard([&] {
    FinishAnswer();
    AfterAnswer();
    Proceed();
  });
}

void Connection::Proceed() {
  for (int step = 0; step < kStepsPerTurnMax; ++step) {
    if (phase_ != Phase::kServing) return;
    if (!closes_after_ && unsent() == 0) AnswerWhatIsBuffered();
    if (phase_ != Phase::kServing || !Flush()) return;
    if (closes_after_) return Linger();
    if (!needs_more_ && !in_.empty()) continue;
    if (!is_readable_ || !Receive()) return;
  }
  YieldTurn();
}

void Connection::YieldTurn() {
  if (is_in_again) return;
  is_in_again = true;
  loop_.again.push_back(this);
}

// Answers every complete request in the buffer, up to kCollectBytesMax of answers.
void Connection::AnswerWhatIsBuffered() {
  while (!in_.empty() && !closes_after_ && unsent() < kCollectBytesMax) {
    size_t size = in_.size();
    const Parser::Outcome outcome = parser_.Parse(in_.data(), size);
    in_.SetSize(size);
    if (outcome == Parser::Outcome::kFailed) {
      const ParseError error = parser_.error();
      return AnswerFailure(error.status, error.detail);
    }
    needs_more_ = outcome == Parser::Outcome::kNeedMore;
    if (needs_more_) {
      if (parser_.has_head() && !has_head_) {
        has_head_ = true;
        since_ms_ = progress_ms_ = loop_.now_ms;
        if (parser_.expects_continue() && parser_.body_bytes() == 0) out_.append(kContinue);
      }
      return;
    }
    AnswerRequest();
    if (phase_ != Phase::kServing) return;
    FinishAnswer();
    AfterAnswer();
  }
}

void Connection::AnswerRequest() {
  response_.emplace(out_);
  loop_.counts.requests.Add();
  Exchange exchange(*this);
  try {
    loop_.handler.Handle(exchange);
  } catch (const std::bad_alloc&) {
    // The loop serves others too: one request's failure must not end them.
    if (phase_ == Phase::kServing) {
      WriteProblem(*response_, 503,
                   "The server has no memory left for this request; try again later.",
                   {.retry_after_s = 1});
    }
  } catch (const std::exception&) {
    if (phase_ == Phase::kServing)
      WriteProblem(*response_, 500, "The server failed to answer this request.");
  }
}

// For what never reached the handler, or will not: the framing is lost, so the connection ends with
// it.
void Connection::AnswerFailure(int status, std::string_view detail) {
  if (!is_refused) loop_.counts.requests_refused.Add();
  response_.emplace(out_);
  WriteProblem(*response_, status, detail, {.retry_after_s = status == 503 ? 1 : 0});
  closes_after_ = true;
  FinishAnswer();
}

// Puts the lines that are known last before the answer, and moves what is still unsent of earlier
// answers up to them.
void Connection::FinishAnswer() {
  if (!response_->has_begun())
    WriteProblem(*response_, 500, "The server gave no answer to this request.");
  response_->body();
  const int status = response_->status();
  const bool has_no_body = status == 204 || status == 304;
  const size_t body_bytes = response_->body_bytes();
  const bool is_last = loop_.is_draining && in_.size() == parser_.consumed() && !is_readable_;
  closes_after_ = closes_after_ || !parser_.keep_alive() || is_last;
  const bool is_head = parser_.is_done() && parser_.request().method == "HEAD";
  if (has_no_body || is_head) out_.resize(out_.size() - body_bytes);

  char* const begin = out_.data() + response_->begin_;
  char* const head =
      WriteLateHead(begin + kLateHeadBytesMax,
                    {.status = status,
                     .content_length = body_bytes,
                     .has_content_length = !has_no_body,
                     .keep_alive = !closes_after_,
                     .minor_version = parser_.is_done() ? parser_.request().minor_version : 1},
                    loop_.date_line.At(loop_.unix_s));
  const auto gap = static_cast<size_t>(head - begin);
  std::memmove(out_.data() + sent_ + gap, out_.data() + sent_, response_->begin_ - sent_);
  sent_ += gap;
  since_ms_ = progress_ms_ = loop_.now_ms;
  loop_.counts.responses_by_class[static_cast<size_t>(status / 100)].Add();
}

// Makes ready for the next request.
void Connection::AfterAnswer() {
  in_.Drop(parser_.consumed());
  if (in_.capacity() > kKeepBytesMax) GiveBackInput();
  parser_.Reset();
  has_head_ = false;
}

// Of a large buffer, all but what is left in it.
void Connection::GiveBackInput() {
  if (in_.size() > kKeepBytesMax) return;
  if (in_.empty()) {
    in_.Release();
  } else {
    in_.Reserve(std::max(in_.size(), Buffer::kFirstBytes));
  }
  share_.Return();
}

// Sends what is unsent. False when the socket takes no more now (EPOLLOUT will come) or the
// connection has ended.
bool Connection::Flush() {
  while (unsent() > 0) {
    const ssize_t sent = ::send(fd(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) End();
      return false;
    }
    sent_ += static_cast<size_t>(sent);
    progress_ms_ = loop_.now_ms;
    if (unsent() == 0) since_ms_ = loop_.now_ms;
    loop_.counts.bytes_sent.Add(sent);
  }
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > kKeepBytesMax) std::string().swap(out_);
  return true;
}

// Receives once. False when nothing is there now, or the connection is at its end.
bool Connection::Receive() {
  const size_t missing = parser_.bytes_missing();
  const size_t room_min = missing > 0 ? std::min(missing, kRoomBytesMin) : kRoomBytesMin;
  // The refusal is to be sent.
  if (in_.room_bytes() < room_min && !MakeRoom(room_min)) return true;
  const size_t room = in_.room_bytes();
  const ssize_t got = ::recv(fd(), in_.room(), room, 0);
  if (got > 0) {
    if (in_.empty()) since_ms_ = loop_.now_ms;
    in_.Append(static_cast<size_t>(got));
    needs_more_ = false;
    loop_.counts.bytes_received.Add(got);
    // A short count means that the socket is empty, unless its end is still to be read.
    is_readable_ = static_cast<size_t>(got) == room || has_hung_up_;
    return true;
  }
  if (got == 0) {
    OnEndOfStream();
    return false;
  }
  if (errno == EINTR) return true;
  is_readable_ = false;
  if (errno != EAGAIN) End();
  return false;
}

// False when a large buffer is wanted and the server has no more for all: the request is refused.
bool Connection::MakeRoom(size_t room_min) {
  in_.Compact();
  if (in_.room_bytes() >= room_min) return true;
  const size_t capacity = in_.NextCapacity(parser_.bytes_missing());
  if (capacity > kKeepBytesMax && !share_.Grow(capacity)) {
    AnswerFailure(503, fmt::format("The server is receiving as many bytes as it may hold, "
                                   "receive_bytes_max = {}; try again later.",
                                   loop_.receive_budget->bytes_max()));
    return false;
  }
  in_.Reserve(capacity);
  return true;
}

// The client sends no more. In the middle of a request it is told so, since it may still be
// reading.
void Connection::OnEndOfStream() {
  is_readable_ = false;
  has_read_end_ = true;
  if (!parser_.has_begun()) return End();
  AnswerFailure(400,
                parser_.has_head()
                    ? fmt::format("The connection ended within the body, after {} bytes of it.",
                                  parser_.body_bytes())
                    : "The connection ended within the headers.");
  if (Flush()) End();
}

// Closing while the client still sends would reset the connection, and the client might lose the
// answer: so only the sending side is closed, and what comes is dropped for a while (RFC 9112,
// section 9.6).
void Connection::Linger() {
  if (has_read_end_) return End();
  ::shutdown(fd(), SHUT_WR);
  phase_ = Phase::kLingering;
  linger_begin_ms_ = since_ms_ = loop_.now_ms;
  in_.Clear();
  in_.Release();
  share_.Return();
  Discard();
}

void Connection::Discard() {
  for (int step = 0; step < kStepsPerTurnMax; ++step) {
    // MSG_TRUNC on TCP drops the bytes without a copy.
    const ssize_t got = ::recv(fd(), nullptr, kDiscardBytesMax, MSG_TRUNC);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return End();
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) since_ms_ = loop_.now_ms;
  }
  YieldTurn();
}

void Connection::OnTick() {
  if (phase_ == Phase::kServing) {
    Guard([&] { TickServing(); });
  } else if (phase_ == Phase::kLingering) {
    const bool is_silent = IsOver(since_ms_, loop_.limits.linger_ms_max);
    if (is_silent || IsOver(linger_begin_ms_, loop_.limits.receive_ms_max)) End();
  }
}

void Connection::TickServing() {
  const Limits& limits = loop_.limits;
  if (unsent() > 0) {
    const int64_t earned_ms = static_cast<int64_t>(sent_) * 1000 / limits.send_bytes_per_s_min;
    const bool is_over = IsOver(progress_ms_, limits.send_ms_max) ||
                         IsOver(since_ms_, limits.send_ms_max + earned_ms);
    if (!is_over) return;
    loop_.counts.timeouts_send.Add();
    return End();
  }
  if (!parser_.has_begun()) return TickIdle();
  const int64_t earned_ms =
      static_cast<int64_t>(parser_.body_bytes()) * 1000 / limits.body_bytes_per_s_min;
  if (!IsOver(since_ms_, limits.receive_ms_max + earned_ms)) return;
  loop_.counts.timeouts_receive.Add();
  AnswerFailure(408, fmt::format("The {} did not arrive within receive_ms_max = {} ms.",
                                 has_head_ ? "body" : "headers", limits.receive_ms_max));
  Proceed();
}

void Connection::TickIdle() {
  const bool is_idle = IsOver(since_ms_, loop_.limits.idle_ms_max);
  const bool is_drained =
      loop_.is_draining && IsOver(std::max(since_ms_, loop_.drain_begin_ms), loop_.idle_linger_ms);
  if (is_idle || is_drained) {
    if (TakesWhatHasArrived()) return;
    if (is_idle) loop_.counts.timeouts_idle.Add();
    return Linger();
  }
  if (!IsOver(since_ms_, kKeepMemoryMs)) return;
  if (in_.empty()) in_.Release();
  if (out_.empty()) std::string().swap(out_);
}

// A request may lie in the socket whose event comes behind the tick in this very turn: what has
// arrived is served, not dropped. True when something had.
bool Connection::TakesWhatHasArrived() {
  const int64_t answered = loop_.counts.requests.value();
  is_readable_ = true;
  Proceed();
  return phase_ != Phase::kServing || parser_.has_begun() || unsent() > 0 ||
         loop_.counts.requests.value() != answered;
}

void Connection::Refuse() {
  is_refused = true;
  Guard([&] {
    AnswerFailure(
        503,
        fmt::format("The server's connections_max = {} connections are all open; try again later.",
                    loop_.limits.connections_max));
    Proceed();
  });
}

void Connection::End() {
  if (has_ended()) return;
  phase_ = Phase::kEnded;
  is_peer_gone_.store(true, std::memory_order_relaxed);
  socket_.Close();
  loop_.ended.push_back(this);
}

Deferred Connection::Defer() {
  PENSTOCK_CHECK(phase_ == Phase::kServing);
  // Earlier answers must not wait for this one; from here on out_ is the token's.
  if (!response_->has_begun()) Flush();
  if (!has_ended()) phase_ = Phase::kDeferred;
  return Deferred(shared_from_this(), loop_.mailbox);
}

}  // namespace penstock::http
