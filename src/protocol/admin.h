// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "http/handler.h"
#include "observe/metrics.h"
#include "serve/health.h"
#include "serve/route_board.h"

namespace penstock::protocol {

// The admin port: GET /metrics for Prometheus, and the health pages, with what only operators
// should see.
class Admin final : public http::Handler {
 public:
  // All outlive it.
  Admin(const observe::Metrics& metrics, const serve::Health& health,
        const serve::RouteBoard& board)
      : metrics_(metrics), health_(health), board_(board) {}

  void Handle(http::Exchange& exchange) override;

 private:
  const observe::Metrics& metrics_;
  const serve::Health& health_;
  const serve::RouteBoard& board_;
};

}  // namespace penstock::protocol
