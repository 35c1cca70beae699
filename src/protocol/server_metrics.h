// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "engine/worker_options.h"
#include "http/server.h"
#include "observe/metrics.h"
#include "serve/executor.h"
#include "serve/health.h"
#include "serve/route_board.h"

namespace penstock::protocol {

// What a scrape reads from the parts of a running server; all outlive metrics' last Text.
struct ObservedParts {
  const http::Server& server;
  const serve::Executor& executor;
  const serve::Health& health;
  const serve::RouteBoard& board;
};

// Connections, bytes, timeouts, the queue, readiness and the version of this build.
void AddServerMetrics(observe::Metrics& metrics, const ObservedParts& parts);

// How many Python workers can answer, how they end and how long they take.
void AddWorkerMetrics(observe::Metrics& metrics, std::shared_ptr<const engine::WorkerStats> stats);

}  // namespace penstock::protocol
