// SPDX-License-Identifier: Apache-2.0
#include "protocol/prediction.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/answer.h"
#include "protocol/service.h"

namespace penstock::protocol {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kRetryAfterSeconds = "1";

bool EqualsIgnoringCase(std::string_view a, std::string_view lower) {
  const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, lower, {}, fold);
}

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// application/json, with any parameters but a charset other than UTF-8 (RFC 8259, section 8.1).
bool IsJson(std::string_view content_type) {
  if (content_type == kJson) [[likely]]
    return true;
  size_t semicolon = content_type.find(';');
  if (!EqualsIgnoringCase(Trimmed(content_type.substr(0, semicolon)), kJson)) return false;
  while (semicolon != std::string_view::npos) {
    content_type.remove_prefix(semicolon + 1);
    semicolon = content_type.find(';');
    const std::string_view parameter = Trimmed(content_type.substr(0, semicolon));
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        !EqualsIgnoringCase(parameter.substr(0, equals), "charset"))
      continue;
    const std::string_view charset = parameter.substr(equals + 1);
    if (!EqualsIgnoringCase(charset, "utf-8") && !EqualsIgnoringCase(charset, "\"utf-8\""))
      return false;
  }
  return true;
}

}  // namespace

void WriteProblem(http::Response& response, const Problem& problem, std::string_view allow) {
  response.Begin(problem.http_status, kProblemContentType);
  if (!allow.empty()) response.AddHeader("Allow", allow);
  if (problem.http_status == 503 || problem.http_status == 429)
    response.AddHeader("Retry-After", kRetryAfterSeconds);
  response.body() += ProblemBody(problem);
}

void EchoRequestKey(const http::Request& request, http::Response& response) {
  const std::optional<std::string_view> key = request.Header("X-Request-Id");
  if (key && key->size() <= kRequestKeyBytesMax) response.AddHeader("X-Request-Id", *key);
}

std::optional<Problem> Prediction::CheckHeaders() const {
  const std::optional<std::string_view> type = request.Header("Content-Type");
  if (type && !IsJson(*type)) {
    return Problem{.http_status = 415,
                   .detail = fmt::format(
                       "the body is sent as '{}'; send JSON in UTF-8 with the header Content-Type: "
                       "application/json",
                       type->substr(0, kRequestKeyBytesMax))};
  }
  const std::optional<std::string_view> coding = request.Header("Content-Encoding");
  if (coding && !EqualsIgnoringCase(*coding, "identity")) {
    return Problem{
        .http_status = 415,
        .detail = fmt::format("the body is sent with Content-Encoding '{}'; send it without one",
                              coding->substr(0, kRequestKeyBytesMax))};
  }
  return std::nullopt;
}

void Prediction::Begin(int http_status, std::string_view content_type) const {
  response.Begin(http_status, content_type);
  response.AddHeader("Penstock-Model", snapshot.name_header());
  response.AddHeader("Penstock-Version", snapshot.version_header());
  response.AddHeader("Penstock-Request-Id", id.text());
  EchoRequestKey(request, response);
}

int Prediction::Answer(serve::Workspace& workspace) const {
  workspace.instance->NameRequest(id.text());
  Status predicted = workspace.instance->Predict(workspace.input, workspace.output);
  return Finish(std::move(predicted), workspace.output, {.count = workspace.input.rows()});
}

int Prediction::Finish(Status status, const engine::Predictions& output,
                       engine::RowRange rows) const {
  if (status.ok()) {
    Begin(200, kJson);
    status = AppendAnswer(snapshot, output, rows, id.text(), response.body());
    if (status.ok()) return 200;
  }
  const Problem problem = ProblemFromStatus(status);
  if (problem.http_status >= 500) {
    logger.Error("a prediction failed", {{"model", snapshot.name()},
                                         {"version", snapshot.version()},
                                         {"id", std::string(id.text())},
                                         {"error", status.ToString()}});
  }
  return Refuse(problem);
}

int Prediction::Refuse(const Problem& problem) const {
  Begin(problem.http_status, kProblemContentType);
  if (problem.http_status == 503 || problem.http_status == 429)
    response.AddHeader("Retry-After", kRetryAfterSeconds);
  response.body() += ProblemBody(problem);
  return problem.http_status;
}

}  // namespace penstock::protocol
