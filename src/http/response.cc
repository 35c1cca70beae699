// SPDX-License-Identifier: Apache-2.0
#include "http/response.h"

#include "base/check.h"
#include "http/characters.h"
#include "http/head.h"

namespace penstock::http {
namespace {

void AppendEscaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHexDigits[static_cast<unsigned char>(c) >> 4];
      out += kHexDigits[c & 0xf];
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

void Response::Begin(int status, std::string_view content_type) {
  PENSTOCK_CHECK(status >= 200 && status <= 599 && IsFieldValue(content_type));
  if (begin_ == kNone) begin_ = out_.size();
  status_ = status;
  is_body_open_ = false;
  out_.resize(begin_ + kLateHeadBytesMax);
  if (!content_type.empty()) out_.append("Content-Type: ").append(content_type).append("\r\n");
}

void Response::AddHeader(std::string_view name, std::string_view value) {
  PENSTOCK_CHECK(has_begun() && !is_body_open_ && IsFieldValue(name) && IsFieldValue(value));
  out_.append(name).append(": ").append(value).append("\r\n");
}

std::string& Response::body() {
  PENSTOCK_CHECK(has_begun());
  if (!is_body_open_) {
    out_.append("\r\n");
    body_begin_ = out_.size();
    is_body_open_ = true;
  }
  return out_;
}

void WriteProblem(Response& response, int status, std::string_view detail,
                  const ProblemOptions& options) {
  response.Begin(status, "application/problem+json");
  if (options.retry_after_s > 0)
    response.AddHeader("Retry-After", std::to_string(options.retry_after_s));
  std::string& body = response.body();
  body.append(R"({"type":"about:blank","title":")")
      .append(ReasonPhrase(status))
      .append(R"(","status":)");
  body.append(std::to_string(status)).append(R"(,"detail":")");
  AppendEscaped(body, detail);
  body.append("\"}");
}

}  // namespace penstock::http
