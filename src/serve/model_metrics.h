// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "observe/metrics.h"

namespace penstock::serve {

// The HTTP statuses that are counted each by itself; the rest count as the first of their class
// that is listed.
inline constexpr std::array<int, 14> kCountedStatuses = {200, 400, 404, 405, 409, 413, 415,
                                                         422, 429, 499, 500, 501, 503, 504};

// The series of one model version, or (with an empty name) of requests that reached none: a name
// that a client made up never becomes a label. Cheap to copy; the cells belong to Metrics. A shard
// is a loop's number.
class ModelMetrics {
 public:
  // version 0 with an empty name: requests without a model.
  ModelMetrics(observe::Metrics& metrics, std::string_view model, int64_t version);

  void CountRequest(int shard, int http_status, double seconds) const;
  // One that was refused before it was worth timing.
  void CountRefusal(int shard, int http_status) const;
  void CountRows(int shard, int64_t rows) const { rows_->Add(shard, static_cast<uint64_t>(rows)); }

 private:
  std::array<observe::Counter*, kCountedStatuses.size()> requests_;
  observe::Counter* rows_;
  observe::Histogram* duration_;
};

}  // namespace penstock::serve
