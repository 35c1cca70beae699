// SPDX-License-Identifier: Apache-2.0
#include "serve/model_metrics.h"

#include <fmt/format.h>

namespace penstock::serve {
namespace {

size_t StatusIndex(int http_status) {
  for (size_t i = 0; i < kCountedStatuses.size(); ++i) {
    if (kCountedStatuses[i] == http_status) return i;
  }
  for (size_t i = 0; i < kCountedStatuses.size(); ++i) {
    if (kCountedStatuses[i] / 100 == http_status / 100) return i;
  }
  return 0;
}

}  // namespace

ModelMetrics::ModelMetrics(observe::Metrics& metrics, std::string_view model, int64_t version) {
  const observe::Labels labels = {{"model", std::string(model)},
                                  {"version", model.empty() ? "" : fmt::format("{}", version)}};
  for (size_t i = 0; i < kCountedStatuses.size(); ++i) {
    observe::Labels with_code = labels;
    with_code.push_back({"code", fmt::format("{}", kCountedStatuses[i])});
    requests_[i] = &metrics.AddCounter("penstock_requests_total",
                                       "Requests answered, by model, version and HTTP status.",
                                       std::move(with_code));
  }
  rows_ =
      &metrics.AddCounter("penstock_rows_total", "Rows answered, by model and version.", labels);
  duration_ =
      &metrics.AddHistogram("penstock_request_duration_seconds",
                            "Time from a request's last byte to its answer, by model and version.",
                            labels, observe::LatencyBoundsSeconds());
}

void ModelMetrics::CountRequest(int shard, int http_status, double seconds) const {
  requests_[StatusIndex(http_status)]->Add(shard);
  duration_->Observe(shard, seconds);
}

void ModelMetrics::CountRefusal(int shard, int http_status) const {
  requests_[StatusIndex(http_status)]->Add(shard);
}

}  // namespace penstock::serve
