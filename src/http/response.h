// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace penstock::http {

// "Unprocessable Content" and so on (RFC 9110, section 15; RFC 6585); "Status" for what is not
// listed.
std::string_view ReasonPhrase(int status);

// Writes one answer straight into a connection's output buffer. The status line, Date,
// Content-Length and, where needed, Connection are added when the answer is complete; for HEAD the
// body is counted but not sent.
//   response.Begin(200, "application/json");
//   response.AddHeader("X-Model", name);
//   response.body() += "{}";
// For one thread at a time.
class Response {
 public:
  explicit Response(std::string& out) : out_(out) {}
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;

  // Begins the answer; a second call throws away what was written since the first. No Content-Type
  // line when content_type is empty. status is 200 to 599.
  void Begin(int status, std::string_view content_type);

  // Between Begin and body(). Neither part may hold a control character (checked); not for the four
  // lines named above.
  void AddHeader(std::string_view name, std::string_view value);

  // Ends the headers on the first call. Append only: what the string held before is not the body.
  std::string& body();

  bool has_begun() const { return begin_ != kNone; }
  int status() const { return status_; }
  // Bytes of body so far.
  size_t body_bytes() const { return is_body_open_ ? out_.size() - body_begin_ : 0; }

 private:
  friend class Connection;
  static constexpr size_t kNone = static_cast<size_t>(-1);

  std::string& out_;
  size_t begin_ = kNone;   // of the space kept for the lines that are known last
  size_t body_begin_ = 0;  // valid when is_body_open_
  int status_ = 0;
  bool is_body_open_ = false;
};

struct ProblemOptions {
  int retry_after_s = 0;  // a Retry-After line, when above 0
};

// An answer as RFC 9457 has it: {"type":"about:blank","title":...,"status":...,"detail":...}.
// detail is JSON-escaped; it must be UTF-8.
void WriteProblem(Response& response, int status, std::string_view detail,
                  const ProblemOptions& options = {});

}  // namespace penstock::http
