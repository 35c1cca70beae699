// SPDX-License-Identifier: Apache-2.0
#include "protocol/admin.h"

#include <fmt/format.h>

#include "protocol/health_report.h"
#include "protocol/prediction.h"
#include "protocol/problem.h"

namespace penstock::protocol {

void Admin::Handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  http::Response& response = exchange.response();
  const std::string_view path = request.path;
  const bool is_known =
      path == "/metrics" || path == "/health" || path == "/health/live" || path == "/health/ready";
  if (!is_known) {
    return WriteProblem(
        response,
        {.http_status = 404,
         .detail = fmt::format("nothing is served at '{}' on the admin port; there are /metrics "
                               "and /health, and predictions are on the public port",
                               path.substr(0, 200))});
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return WriteProblem(response,
                        {.http_status = 405,
                         .detail = fmt::format("{} is not for '{}'; GET was expected",
                                               request.method.substr(0, 200), path)},
                        "GET, HEAD");
  }
  if (path == "/health/ready" && !health_.is_ready()) {
    return WriteProblem(response, {.http_status = 503, .detail = health_.Reason()});
  }
  const bool is_metrics = path == "/metrics";
  const bool is_ok = path != "/health" || health_.is_ready();
  response.Begin(is_ok ? 200 : 503, is_metrics ? observe::kMetricsContentType : "application/json");
  response.AddHeader("Cache-Control", "no-store");
  if (is_metrics) {
    response.body() += metrics_.Text();
  } else if (path == "/health") {
    response.body() += HealthReport(health_, board_, true);
  } else {
    response.body() += path == "/health/live" ? R"({"status":"live"})" : R"({"status":"ready"})";
  }
}

}  // namespace penstock::protocol
