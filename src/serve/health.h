// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "base/status.h"

namespace penstock::serve {

// What /health says of the process. Thread-safe.
class Health {
 public:
  // Ready once routes are published, until draining starts.
  void SetServing() { is_serving_.store(true, std::memory_order_release); }
  void SetDraining() { is_draining_.store(true, std::memory_order_release); }
  bool is_ready() const { return is_serving() && is_engine_ok_.load() && !is_draining(); }
  bool is_serving() const { return is_serving_.load(std::memory_order_acquire); }
  bool is_draining() const { return is_draining_.load(std::memory_order_acquire); }
  // An error while an engine that was loaded cannot answer: its processes end as soon as they are
  // started. OK once it can again.
  void SetEngineState(Status state);
  // One sentence: why it is not ready; empty when it is.
  std::string Reason() const;

  // What the route source says of itself: kind ("pinned"), where from, and its last error (OK when
  // there is none): the reason for not being ready as long as nothing was published.
  void SetRouteSource(std::string kind, std::string location, Status state);
  struct RouteSource {
    std::string kind;
    std::string location;
    Status state;
  };
  RouteSource route_source() const;

 private:
  std::atomic<bool> is_serving_ = false;
  std::atomic<bool> is_draining_ = false;
  std::atomic<bool> is_engine_ok_ = true;
  mutable std::mutex mutex_;
  Status engine_;
  RouteSource source_;
};

}  // namespace penstock::serve
