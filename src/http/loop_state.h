// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "http/handler.h"
#include "http/head.h"
#include "http/limits.h"
#include "http/mailbox.h"
#include "http/receive_budget.h"

namespace penstock::http {

// A count with one writer: adding costs no locked instruction. Readable from any thread.
class Count {
 public:
  void Add(int64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

// What a loop counts; ServerStats says what each means.
struct LoopCounts {
  // Also written by the accepting thread, before it hands a socket over.
  std::atomic<int64_t> connections_open = 0;
  std::atomic<bool> is_listening = false;
  Count connections_accepted;
  Count connections_refused;
  Count accept_pauses;
  Count requests;
  Count requests_refused;
  Count responses_cancelled;
  Count timeouts_receive;
  Count timeouts_idle;
  Count timeouts_send;
  Count bytes_received;
  Count bytes_sent;
  std::array<Count, 6> responses_by_class;
};

// What a loop's connections share. Only the loop's thread uses it, counts apart.
struct LoopState {
  const Limits& limits;
  Handler& handler;
  std::shared_ptr<Mailbox> mailbox;
  std::shared_ptr<ReceiveBudget> receive_budget;
  LoopCounts counts;

  // Read once a tick: no request reads a clock.
  int64_t now_ms = 0;
  int64_t unix_s = 0;
  DateLine date_line;

  bool is_draining = false;
  int64_t drain_begin_ms = 0;
  int64_t idle_linger_ms = 0;

  // Connections that have more to do, and let others go first.
  std::vector<Connection*> again;
  // Connections that ended since the last reaping.
  std::vector<Connection*> ended;
};

}  // namespace penstock::http
