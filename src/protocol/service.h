// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/handler.h"
#include "observe/log.h"
#include "protocol/dynamic_batch.h"
#include "protocol/features.h"
#include "protocol/problem.h"
#include "protocol/request_id.h"
#include "serve/executor.h"
#include "serve/health.h"
#include "serve/model_metrics.h"
#include "serve/route_board.h"

namespace penstock::protocol {

// The caller's X-Request-Id comes back when it is at most this long.
inline constexpr size_t kRequestKeyBytesMax = 200;

struct ServiceOptions {
  FeatureLimits limits;
  double inline_ns_max = serve::kInlineNsMax;
  size_t inline_body_bytes_max = serve::kInlineBodyBytesMax;
  uint32_t replica = 0;  // of the request ids
};

// What the handlers of all loops share; all of it outlives them and whatever they deferred.
struct ServiceParts {
  serve::Executor& executor;  // thread i writes to metric shard loops + i
  int loops = 1;
  const serve::Health& health;
  const serve::RouteBoard& board;
  const serve::ModelMetrics& unrouted;  // counts requests that reached no model
  const Clock& clock;
  const observe::Logger& logger;
};

// The public port, for one loop: predictions, health, the OpenAPI document and
// a page to try it. docs/reference/http.md
// is the contract.
class Service final : public http::Handler {
 public:
  Service(int loop, const ServiceOptions& options, const ServiceParts& parts);

  void Handle(http::Exchange& exchange) override;
  // Answers what the turn has brought for engines that gain from batches.
  bool EndTurn() override;

  // This loop's view of the routes, for the board.
  serve::LoopSlot& slot() { return slot_; }

 private:
  void HandleModels(http::Exchange& exchange, std::string_view path);
  void HandleRest(http::Exchange& exchange, std::string_view path);
  void Predict(http::Exchange& exchange, const Result<const serve::Snapshot*>& found);
  void Batch(http::Exchange& exchange, const serve::Snapshot& snapshot, const RequestId& id,
             int64_t start_ns);
  Result<DynamicBatch*> BatchFor(const serve::Snapshot& snapshot);
  void DropOldBatches();
  void Defer(http::Exchange& exchange, const serve::Snapshot& snapshot, const RequestId& id,
             int64_t start_ns);
  void Refuse(http::Exchange& exchange, const Problem& problem, std::string_view allow = {});
  // While there are no routes yet.
  void RefuseAll(http::Exchange& exchange);
  void AnswerGet(http::Exchange& exchange, int http_status, std::string_view body);
  void AnswerDocs(http::Exchange& exchange);
  void AnswerReady(http::Exchange& exchange);
  const std::string& OpenApi();

  ServiceOptions options_;
  ServiceParts parts_;
  serve::LoopSlot slot_;
  RequestIds ids_;
  std::vector<std::unique_ptr<DynamicBatch>> batches_;   // of this turn
  std::vector<std::unique_ptr<DynamicBatch>> answered_;  // of the turn before: empty ones, to reuse
  uint64_t batches_epoch_ = 0;                           // of the view whose snapshots they are for
  std::string openapi_;
  uint64_t openapi_epoch_ = 0;
};

}  // namespace penstock::protocol
