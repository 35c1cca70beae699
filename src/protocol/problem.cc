// SPDX-License-Identifier: Apache-2.0
#include "protocol/problem.h"

#include <array>
#include <utility>

#include "json/text.h"

namespace penstock::protocol {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 22> kTitles = {{
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

}  // namespace

int HttpStatus(Code code) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kInvalidArgument:
      return 422;
    case Code::kOutOfRange:
      return 400;
    case Code::kUnauthenticated:
      return 401;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kAborted:
    case Code::kFailedPrecondition:
      return 409;
    case Code::kResourceExhausted:
      return 429;
    case Code::kUnimplemented:
      return 501;
    case Code::kUnavailable:
      return 503;
    case Code::kDeadlineExceeded:
      return 504;
    case Code::kCancelled:
      return 499;
    case Code::kUnknown:
    case Code::kInternal:
    case Code::kDataLoss:
      break;
  }
  return 500;
}

std::string_view StatusTitle(int http_status) {
  for (const auto& [status, title] : kTitles) {
    if (status == http_status) return title;
  }
  return "Error";
}

Problem ProblemFromStatus(const Status& status) {
  return {.http_status = HttpStatus(status.code()),
          .detail = status.message(),
          .pointer = status.pointer(),
          .has_pointer = !status.pointer().empty()};
}

std::string ProblemBody(const Problem& problem) {
  std::string body = "{\"type\":\"about:blank\",\"title\":";
  json::AppendString(body, StatusTitle(problem.http_status));
  body += ",\"status\":";
  json::AppendInt(body, problem.http_status);
  body += ",\"detail\":";
  json::AppendString(body, problem.detail);
  if (problem.has_pointer) {
    body += ",\"pointer\":";
    json::AppendString(body, problem.pointer);
  }
  body += "}";
  return body;
}

void AppendPointerToken(std::string& pointer, std::string_view name) {
  pointer += '/';
  for (char c : name) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
}

}  // namespace penstock::protocol
