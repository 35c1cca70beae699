// SPDX-License-Identifier: Apache-2.0
#include "protocol/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <new>
#include <utility>

#include "base/version.h"
#include "http/request.h"
#include "json/text.h"
#include "protocol/health_report.h"
#include "protocol/openapi.h"
#include "protocol/pages.h"
#include "protocol/prediction.h"

namespace penstock::protocol {
namespace {

constexpr std::string_view kModelsPrefix = "/models/";
constexpr std::string_view kVersionsInfix = "/versions/";
constexpr std::string_view kPredictSuffix = "/predict";
constexpr std::string_view kGetAllow = "GET, HEAD, OPTIONS";
constexpr std::string_view kPostAllow = "POST, OPTIONS";
constexpr size_t kShownBytesMax = 200;
// The page is whole: it loads nothing, asks this server alone, and is framed by nobody.
constexpr std::string_view kDocsPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src "
    "'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

double SecondsSince(const Clock& clock, int64_t start_ns) {
  return static_cast<double>(clock.MonotonicNs() - start_ns) * 1e-9;
}

Problem UnknownPath(std::string_view path) {
  return {.http_status = 404,
          .detail = fmt::format("nothing is served at '{}'; POST /predict answers, and GET "
                                "/openapi.json lists every path",
                                path.substr(0, kShownBytesMax))};
}

// Positive, without sign and leading zeros: a version has one path.
std::optional<int64_t> ParseVersion(std::string_view text) {
  int64_t version = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  const bool is_number =
      error == std::errc() && stop == text.data() + text.size() && version > 0 && text[0] != '0';
  return is_number ? std::optional(version) : std::nullopt;
}

// Decodes and answers in an idle workspace.
int Compute(const Prediction& prediction, int shard, const FeatureLimits& limits) {
  const serve::Snapshot& snapshot = prediction.snapshot;
  Result<std::unique_ptr<serve::Workspace>> workspace = snapshot.TakeWorkspace();
  if (!workspace.ok()) return prediction.Refuse(ProblemFromStatus(workspace.status()));
  const std::optional<Problem> problem =
      DecodeFeatures(prediction.request.body, snapshot, limits, **workspace);
  const int http_status = problem ? prediction.Refuse(*problem) : prediction.Answer(**workspace);
  if (http_status == 200) snapshot.metrics().CountRows(shard, (*workspace)->input.rows());
  snapshot.ReturnWorkspace(*std::move(workspace));
  return http_status;
}

// The answer to a request that waited for a thread of the executor.
void Finish(http::Deferred& deferred, const serve::Snapshot& snapshot, const RequestId& id,
            int shard, const ServiceOptions& options, const ServiceParts& parts, int64_t start_ns) {
  const Prediction prediction{snapshot, deferred.request(), deferred.response(), id, parts.logger};
  int http_status = 0;
  if (deferred.cancelled()) {
    http_status = prediction.Refuse(
        {.http_status = 499,
         .detail = "the client closed its side of the connection before its turn came"});
  } else {
    try {
      http_status = Compute(prediction, shard, options.limits);
    } catch (const std::bad_alloc&) {
      http_status = prediction.Refuse(
          {.http_status = 503,
           .detail = "the server has no memory left for this request; send it again in a second, "
                     "or fewer rows at a time"});
    }
  }
  deferred.Complete();
  snapshot.metrics().CountRequest(shard, http_status, SecondsSince(parts.clock, start_ns));
}

}  // namespace

Service::Service(int loop, const ServiceOptions& options, const ServiceParts& parts)
    : options_(options),
      parts_(parts),
      slot_{.loop = loop},
      ids_(parts.clock, options.replica, loop) {}

void Service::Handle(http::Exchange& exchange) {
  const std::string_view path = exchange.request().path;
  if (path == kPredictSuffix) {
    return slot_.view ? Predict(exchange, slot_.view->routes().Only()) : RefuseAll(exchange);
  }
  if (path.starts_with(kModelsPrefix)) return HandleModels(exchange, path);
  HandleRest(exchange, path);
}

// /models/{name}/predict and /models/{name}/versions/{n}/predict.
void Service::HandleModels(http::Exchange& exchange, std::string_view path) {
  if (!slot_.view) return RefuseAll(exchange);
  std::string_view rest = path.substr(kModelsPrefix.size());
  const size_t name_end = rest.find('/');
  if (name_end == std::string_view::npos || !rest.ends_with(kPredictSuffix))
    return Refuse(exchange, UnknownPath(path));
  std::string name;
  if (!http::PercentDecode(rest.substr(0, name_end), name)) {
    return Refuse(
        exchange,
        {.http_status = 400,
         .detail = "the model's name in the path is not percent-encoded as RFC 3986 has it"});
  }
  rest.remove_prefix(name_end);
  const serve::Routes& routes = slot_.view->routes();
  if (rest == kPredictSuffix) return Predict(exchange, routes.Find(name));
  if (!rest.starts_with(kVersionsInfix) ||
      rest.size() < kVersionsInfix.size() + kPredictSuffix.size()) {
    return Refuse(exchange, UnknownPath(path));
  }
  const std::string_view text = rest.substr(
      kVersionsInfix.size(), rest.size() - kVersionsInfix.size() - kPredictSuffix.size());
  const std::optional<int64_t> version = ParseVersion(text);
  if (!version) {
    return Predict(
        exchange,
        NotFound(fmt::format("version '{}' of model '{}' is not a version; a whole number from 1 "
                             "on was expected",
                             text.substr(0, kShownBytesMax), name)));
  }
  Predict(exchange, routes.Find(name, *version));
}

void Service::HandleRest(http::Exchange& exchange, std::string_view path) {
  const bool is_known = path == "/" || path == "/health" || path == "/health/live" ||
                        path == "/health/ready" || path == "/openapi.json" || path == "/docs";
  const std::string_view method = exchange.request().method;
  if (path == "*" || (is_known && method == "OPTIONS")) {
    exchange.response().Begin(204, "");
    exchange.response().AddHeader("Allow", kGetAllow);
    exchange.response().body();
    return;
  }
  if (!is_known) return Refuse(exchange, UnknownPath(path));
  if (method != "GET" && method != "HEAD") {
    return Refuse(exchange,
                  {.http_status = 405,
                   .detail = fmt::format("{} is not for '{}'; GET was expected", method, path)},
                  kGetAllow);
  }
  if (path == "/health/live") return AnswerGet(exchange, 200, R"({"status":"live"})");
  if (path == "/health/ready") return AnswerReady(exchange);
  if (path == "/health") {
    return AnswerGet(exchange, parts_.health.is_ready() ? 200 : 503,
                     HealthReport(parts_.health, parts_.board, false));
  }
  if (!slot_.view) return RefuseAll(exchange);
  if (path == "/docs") return AnswerDocs(exchange);
  if (path == "/openapi.json") return AnswerGet(exchange, 200, OpenApi());
  AnswerGet(
      exchange, 200,
      fmt::format(
          R"({{"server":"penstock-server {}","predict":"/predict","openapi":"/openapi.json","docs":"/docs","health":"/health"}})",
          kVersion));
}

void Service::Predict(http::Exchange& exchange, const Result<const serve::Snapshot*>& found) {
  const http::Request& request = exchange.request();
  if (request.method != "POST") [[unlikely]] {
    if (request.method == "OPTIONS") {
      exchange.response().Begin(204, "");
      exchange.response().AddHeader("Allow", kPostAllow);
      exchange.response().body();
      return;
    }
    return Refuse(exchange,
                  {.http_status = 405,
                   .detail = fmt::format("{} is not for '{}'; POST with a JSON body was expected",
                                         request.method.substr(0, kShownBytesMax),
                                         request.path.substr(0, kShownBytesMax))},
                  kPostAllow);
  }
  if (!found.ok()) return Refuse(exchange, ProblemFromStatus(found.status()));

  const int64_t start_ns = parts_.clock.MonotonicNs();
  const serve::Snapshot& snapshot = **found;
  const RequestId id = ids_.Next();
  const Prediction prediction{snapshot, request, exchange.response(), id, parts_.logger};
  const bool is_small = request.body.size() <= options_.inline_body_bytes_max &&
                        snapshot.PredictedNs(1) <= options_.inline_ns_max;
  std::optional<Problem> problem = prediction.CheckHeaders();
  serve::Workspace& workspace = slot_.view->WorkspaceOf(snapshot);
  if (!problem) {
    if (!is_small) return Defer(exchange, snapshot, id, start_ns);
    if (snapshot.gains_from_batches()) return Batch(exchange, snapshot, id, start_ns);
    problem = DecodeFeatures(request.body, snapshot, options_.limits, workspace);
  }
  int http_status = 0;
  if (problem) {
    http_status = prediction.Refuse(*problem);
  } else {
    const int64_t rows = workspace.input.rows();
    // The thread that answers decodes once more: a tenth of what it then computes, and the loop
    // keeps its buffers.
    if (rows > 1 && snapshot.PredictedNs(rows) > options_.inline_ns_max) {
      workspace.Trim();
      return Defer(exchange, snapshot, id, start_ns);
    }
    http_status = prediction.Answer(workspace);
    if (http_status == 200) snapshot.metrics().CountRows(slot_.loop, rows);
  }
  workspace.Trim();
  snapshot.metrics().CountRequest(slot_.loop, http_status, SecondsSince(parts_.clock, start_ns));
}

void Service::Batch(http::Exchange& exchange, const serve::Snapshot& snapshot, const RequestId& id,
                    int64_t start_ns) {
  const Prediction prediction{snapshot, exchange.request(), exchange.response(), id, parts_.logger};
  const Result<DynamicBatch*> found = BatchFor(snapshot);
  std::optional<Problem> problem;
  if (found.ok()) {
    DynamicBatch& batch = **found;
    problem = batch.Decode(exchange.request().body, options_.limits);
    if (!problem) {
      const int64_t rows = batch.decoded_rows();
      if (rows > 1 && snapshot.PredictedNs(rows) > options_.inline_ns_max)
        return Defer(exchange, snapshot, id, start_ns);
      return batch.Add(exchange.Defer(), id, start_ns);
    }
  } else {
    problem = ProblemFromStatus(found.status());
  }
  const int http_status = prediction.Refuse(*problem);
  snapshot.metrics().CountRequest(slot_.loop, http_status, SecondsSince(parts_.clock, start_ns));
}

// One with room for more before a call would hold up the loop.
Result<DynamicBatch*> Service::BatchFor(const serve::Snapshot& snapshot) {
  DropOldBatches();
  for (const std::unique_ptr<DynamicBatch>& batch : batches_) {
    const bool has_room =
        batch->is_empty() || snapshot.PredictedNs(batch->rows() + 1) <= options_.inline_ns_max;
    if (&batch->snapshot() == &snapshot && has_room) return batch.get();
  }
  batches_.push_back(std::make_unique<DynamicBatch>(slot_.view->Share(snapshot),
                                                    PENSTOCK_TRY(snapshot.TakeWorkspace())));
  return batches_.back().get();
}

bool Service::EndTurn() {
  DropOldBatches();
  // Answering brings new requests: they wait for the next turn, so that others have theirs between.
  std::vector<std::unique_ptr<DynamicBatch>> turn = std::move(batches_);
  batches_ = std::move(answered_);
  for (const std::unique_ptr<DynamicBatch>& batch : turn)
    batch->Answer(slot_.loop, parts_.clock, parts_.logger);
  answered_ = std::move(turn);
  return std::ranges::any_of(batches_, [](const auto& batch) { return !batch->is_empty(); });
}

// Lets go of snapshots that are routed no more.
void Service::DropOldBatches() {
  if (batches_epoch_ == slot_.epoch) return;
  batches_epoch_ = slot_.epoch;
  answered_.clear();
  std::erase_if(batches_, [](const auto& batch) { return batch->is_empty(); });
}

void Service::Defer(http::Exchange& exchange, const serve::Snapshot& snapshot, const RequestId& id,
                    int64_t start_ns) {
  const auto deferred = std::make_shared<http::Deferred>(exchange.Defer());
  std::shared_ptr<const serve::Snapshot> held = slot_.view->Share(snapshot);
  const bool is_queued = parts_.executor.Submit(
      [deferred, held, id, start_ns, options = options_, parts = parts_](int thread) {
        Finish(*deferred, *held, id, parts.loops + thread, options, parts, start_ns);
      });
  if (is_queued) return;
  const Prediction prediction{snapshot, deferred->request(), deferred->response(), id,
                              parts_.logger};
  const int http_status =
      prediction.Refuse({.http_status = 503,
                         .detail = fmt::format("{} requests are waiting already, which is all that "
                                               "may; send this one again in a second",
                                               parts_.executor.options().queue_requests_max)});
  deferred->Complete();
  snapshot.metrics().CountRequest(slot_.loop, http_status, SecondsSince(parts_.clock, start_ns));
}

void Service::Refuse(http::Exchange& exchange, const Problem& problem, std::string_view allow) {
  WriteProblem(exchange.response(), problem, allow);
  parts_.unrouted.CountRefusal(slot_.loop, problem.http_status);
}

void Service::RefuseAll(http::Exchange& exchange) {
  Refuse(exchange, {.http_status = 503, .detail = parts_.health.Reason()});
}

void Service::AnswerGet(http::Exchange& exchange, int http_status, std::string_view body) {
  http::Response& response = exchange.response();
  response.Begin(http_status, "application/json");
  response.AddHeader("Cache-Control", "no-store");
  response.body() += body;
}

void Service::AnswerDocs(http::Exchange& exchange) {
  http::Response& response = exchange.response();
  response.Begin(200, "text/html; charset=utf-8");
  response.AddHeader("Cache-Control", "no-store");
  response.AddHeader("Content-Security-Policy", kDocsPolicy);
  response.AddHeader("X-Content-Type-Options", "nosniff");
  response.body() += kPages[0];
}

void Service::AnswerReady(http::Exchange& exchange) {
  if (parts_.health.is_ready()) return AnswerGet(exchange, 200, R"({"status":"ready"})");
  WriteProblem(exchange.response(), {.http_status = 503, .detail = parts_.health.Reason()});
}

const std::string& Service::OpenApi() {
  if (openapi_epoch_ != slot_.epoch) {
    openapi_ = OpenApiDocument(slot_.view->routes(), kVersion);
    openapi_epoch_ = slot_.epoch;
  }
  return openapi_;
}

}  // namespace penstock::protocol
