// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "observe/metrics.h"

namespace penstock::observe {

// What Prometheus calls process metrics (prometheus.io/docs/instrumenting/writing_clientlibs,
// "Process metrics"), read from /proc/self at each scrape: CPU seconds, open and permitted file
// descriptors, virtual and resident bytes, start time, threads.
void AddProcessMetrics(Metrics& metrics);

}  // namespace penstock::observe
