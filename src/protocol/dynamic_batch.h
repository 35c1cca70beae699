// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "engine/predictions_json.h"
#include "http/handler.h"
#include "observe/log.h"
#include "protocol/features.h"
#include "protocol/problem.h"
#include "protocol/request_id.h"
#include "serve/snapshot.h"

namespace penstock::protocol {

// The requests to one snapshot that are ready in the same turn of a loop, answered by one call of
// the engine. It never waits for more: under load several are ready at once, and a call for all of
// them costs little more than a call for one. A row that the engine refuses fails its own request
// alone. For the loop's thread.
class DynamicBatch {
 public:
  DynamicBatch(std::shared_ptr<const serve::Snapshot> snapshot,
               std::unique_ptr<serve::Workspace> workspace)
      : snapshot_(std::move(snapshot)), workspace_(std::move(workspace)) {}
  DynamicBatch(const DynamicBatch&) = delete;
  DynamicBatch& operator=(const DynamicBatch&) = delete;
  // Gives the workspace back; what has no answer yet gets a 500.
  ~DynamicBatch() { snapshot_->ReturnWorkspace(std::move(workspace_)); }

  const serve::Snapshot& snapshot() const { return *snapshot_; }
  bool is_empty() const { return requests_.empty(); }
  int64_t rows() const { return rows_; }

  // Reads the rows of a body behind those that are there; they stay when Add follows.
  std::optional<Problem> Decode(std::string_view body, const FeatureLimits& limits);
  int64_t decoded_rows() const { return workspace_->input.rows() - rows_; }
  // Adds the request whose body was decoded last.
  void Add(http::Deferred exchange, const RequestId& id, int64_t start_ns);

  // Answers and counts every request, which may bring new ones to the loop: they must not be added
  // here before this returns. The batch is then empty.
  void Answer(int loop, const Clock& clock, const observe::Logger& logger);

 private:
  struct Request {
    http::Deferred exchange;
    RequestId id;
    int64_t start_ns;
    engine::RowRange rows;
  };
  int AnswerOne(Request& request, const Status& predicted, const observe::Logger& logger);

  std::shared_ptr<const serve::Snapshot> snapshot_;
  std::unique_ptr<serve::Workspace> workspace_;
  std::vector<Request> requests_;
  int64_t rows_ = 0;
};

}  // namespace penstock::protocol
