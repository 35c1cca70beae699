// SPDX-License-Identifier: Apache-2.0
#include "protocol/dynamic_batch.h"

#include <limits>
#include <utility>

#include "protocol/prediction.h"

namespace penstock::protocol {

std::optional<Problem> DynamicBatch::Decode(std::string_view body, const FeatureLimits& limits) {
  return DecodeFeatures(body, *snapshot_, limits, *workspace_, rows_);
}

void DynamicBatch::Add(http::Deferred exchange, const RequestId& id, int64_t start_ns) {
  const engine::RowRange rows = {.first = rows_, .count = decoded_rows()};
  requests_.push_back({std::move(exchange), id, start_ns, rows});
  rows_ += rows.count;
}

void DynamicBatch::Answer(int loop, const Clock& clock, const observe::Logger& logger) {
  if (is_empty()) return workspace_->Trim();
  // The last body to be decoded may have been refused.
  workspace_->input.Resize(rows_);
  const Status predicted = workspace_->instance->Predict(workspace_->input, workspace_->output);
  const int64_t now_ns = clock.MonotonicNs();
  const serve::ModelMetrics& metrics = snapshot_->metrics();
  for (Request& request : requests_) {
    const int http_status = AnswerOne(request, predicted, logger);
    if (http_status == 200) metrics.CountRows(loop, request.rows.count);
    metrics.CountRequest(loop, http_status, static_cast<double>(now_ns - request.start_ns) * 1e-9);
    request.exchange.CompleteOnLoop();
  }
  requests_.clear();
  rows_ = 0;
  workspace_->Trim();
}

int DynamicBatch::AnswerOne(Request& request, const Status& predicted,
                            const observe::Logger& logger) {
  const http::Request& asked = request.exchange.request();
  const Prediction prediction{*snapshot_, asked, request.exchange.response(), request.id, logger};
  if (predicted.ok() || requests_.size() == 1)
    return prediction.Finish(predicted, workspace_->output, request.rows);
  // Some row of some request is the reason: each alone tells whose.
  const FeatureLimits as_before = {.batch_rows_max = request.rows.count,
                                   .answer_cells_max = std::numeric_limits<int64_t>::max()};
  const std::optional<Problem> problem =
      DecodeFeatures(asked.body, *snapshot_, as_before, *workspace_);
  return problem ? prediction.Refuse(*problem) : prediction.Answer(*workspace_);
}

}  // namespace penstock::protocol
