// SPDX-License-Identifier: Apache-2.0
#include "protocol/server_metrics.h"

#include "base/version.h"

namespace penstock::protocol {
namespace {

using http::ServerStats;

std::function<double()> Reading(const http::Server& server, int64_t ServerStats::* field) {
  return [&server, field] { return static_cast<double>(server.stats().*field); };
}

void AddConnectionMetrics(observe::Metrics& metrics, const http::Server& server) {
  metrics.AddGauge("penstock_http_connections_open", "Open connections.", {},
                   Reading(server, &ServerStats::connections_open));
  metrics.AddCounterReading("penstock_http_connections_accepted_total", "Connections accepted.", {},
                            Reading(server, &ServerStats::connections_accepted));
  metrics.AddCounterReading("penstock_http_connections_refused_total",
                            "Connections told 503: too many were open.", {},
                            Reading(server, &ServerStats::connections_refused));
  metrics.AddCounterReading(
      "penstock_http_accept_pauses_total",
      "Times that no file descriptor or memory was left for a connection, so that clients waited.",
      {}, Reading(server, &ServerStats::accept_pauses));
  metrics.AddCounterReading(
      "penstock_http_requests_refused_total",
      "Requests that were not HTTP or beyond a limit, answered before they were routed.", {},
      Reading(server, &ServerStats::requests_refused));
  metrics.AddCounterReading("penstock_http_responses_cancelled_total",
                            "Answers whose connection was gone before they were.", {},
                            Reading(server, &ServerStats::responses_cancelled));
  constexpr std::string_view kTimeouts = "penstock_http_timeouts_total";
  constexpr std::string_view kTimeoutsHelp =
      "Connections closed because a time ran out, by what was waited for.";
  metrics.AddCounterReading(kTimeouts, kTimeoutsHelp, {{"waiting_for", "request"}},
                            Reading(server, &ServerStats::timeouts_receive));
  metrics.AddCounterReading(kTimeouts, kTimeoutsHelp, {{"waiting_for", "next_request"}},
                            Reading(server, &ServerStats::timeouts_idle));
  metrics.AddCounterReading(kTimeouts, kTimeoutsHelp, {{"waiting_for", "reader"}},
                            Reading(server, &ServerStats::timeouts_send));
  metrics.AddCounterReading("penstock_http_received_bytes_total", "Bytes received.", {},
                            Reading(server, &ServerStats::bytes_received));
  metrics.AddCounterReading("penstock_http_sent_bytes_total", "Bytes sent.", {},
                            Reading(server, &ServerStats::bytes_sent));
}

}  // namespace

void AddServerMetrics(observe::Metrics& metrics, const ObservedParts& parts) {
  metrics.AddGauge("penstock_build_info", "Always 1; the label says which build.",
                   {{"version", kVersion}}, [] { return 1.0; });
  metrics.AddGauge("penstock_ready", "1 when requests should be sent here, else 0.", {},
                   [&health = parts.health] { return health.is_ready() ? 1.0 : 0.0; });
  metrics.AddGauge("penstock_route_epoch", "How many times the routes have changed.", {},
                   [&board = parts.board] { return static_cast<double>(board.epoch()); });
  metrics.AddGauge(
      "penstock_route_source_ok", "1 when the source of the routes works, else 0.", {},
      [&health = parts.health] { return health.route_source().state.ok() ? 1.0 : 0.0; });
  metrics.AddGauge("penstock_queue_requests", "Requests that wait for a thread.", {},
                   [&executor = parts.executor] { return static_cast<double>(executor.queued()); });
  metrics.AddGauge(
      "penstock_requests_in_flight", "Requests that wait for a thread or have one.", {},
      [&executor = parts.executor] { return static_cast<double>(executor.in_flight()); });
  AddConnectionMetrics(metrics, parts.server);
}

void AddWorkerMetrics(observe::Metrics& metrics, std::shared_ptr<const engine::WorkerStats> stats) {
  metrics.AddGauge("penstock_workers_able", "Python workers that answer or wait for a call.", {},
                   [stats] { return static_cast<double>(stats->able); });
  metrics.AddGauge("penstock_worker_calls_waiting", "Calls that wait for a free worker.", {},
                   [stats] { return static_cast<double>(stats->waiting); });
  metrics.AddCounterReading("penstock_worker_calls_total", "Calls that a worker was given.", {},
                            [stats] { return static_cast<double>(stats->calls); });
  metrics.AddCounterReading("penstock_worker_call_seconds_total",
                            "Seconds that calls to workers took together.", {},
                            [stats] { return static_cast<double>(stats->call_ns) / 1e9; });
  for (size_t end = 0; end < engine::kWorkerEndNames.size(); ++end) {
    metrics.AddCounterReading("penstock_worker_ends_total",
                              "Workers that ended, each to be started again, by reason.",
                              {{"reason", std::string(engine::kWorkerEndNames[end])}},
                              [stats, end] { return static_cast<double>(stats->ends[end]); });
  }
}

}  // namespace penstock::protocol
