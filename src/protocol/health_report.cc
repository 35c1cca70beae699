// SPDX-License-Identifier: Apache-2.0
#include "protocol/health_report.h"

#include <fmt/format.h>

#include <ctime>

#include "base/version.h"
#include "json/value.h"

namespace penstock::protocol {
namespace {

using json::Object;
using json::Value;

std::string TimeText(int64_t time_us) {
  const auto seconds = static_cast<time_t>(time_us / 1'000'000);
  tm utc = {};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     time_us % 1'000'000);
}

Value ModelReport(const serve::Snapshot& snapshot, bool is_default) {
  Value report = Object{{"name", snapshot.name()},
                        {"version", snapshot.version()},
                        {"default", is_default},
                        {"digest", snapshot.digest()},
                        {"engine", package::EngineKindName(snapshot.engine_entry().kind)},
                        {"precision", package::TypeName(snapshot.engine_entry().precision)},
                        {"loaded_at", TimeText(snapshot.loaded_at_us())}};
  if (!snapshot.engine_reason().empty()) report.Set("engine_reason", snapshot.engine_reason());
  if (!snapshot.parity().is_null()) report.Set("parity", snapshot.parity());
  return report;
}

std::string_view StatusOf(const serve::Health& health) {
  if (health.is_ready()) return "ready";
  if (health.is_draining()) return "draining";
  return health.is_serving() ? "failing" : "starting";
}

}  // namespace

std::string HealthReport(const serve::Health& health, const serve::RouteBoard& board,
                         bool tells_location) {
  json::Array models;
  if (const auto routes = board.current()) {
    for (const auto& snapshot : routes->All())
      models.push_back(ModelReport(*snapshot, routes->IsDefault(*snapshot)));
  }
  const serve::Health::RouteSource source = health.route_source();
  Value source_report = Object{{"kind", source.kind},
                               {"state", source.state.ok() ? "ok" : source.state.message()},
                               {"epoch", static_cast<int64_t>(board.epoch())}};
  if (tells_location) source_report.Set("location", source.location);
  const std::string reason = health.Reason();
  Value report = Object{{"status", StatusOf(health)}};
  if (!reason.empty()) report.Set("detail", reason);
  report.Set("server", fmt::format("penstock-server {}", kVersion));
  report.Set("models", std::move(models));
  report.Set("route_source", std::move(source_report));
  return json::Write(report);
}

}  // namespace penstock::protocol
