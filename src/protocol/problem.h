// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace penstock::protocol {

inline constexpr std::string_view kProblemContentType = "application/problem+json";

// An error as a client gets it (RFC 9457).
struct Problem {
  int http_status = 500;
  std::string detail;   // one sentence
  std::string pointer;  // RFC 6901, to the fault in the request's body; "" is the whole body
  bool has_pointer = false;
};

// The HTTP status of each code; docs/reference/errors.md holds the table. kInvalidArgument is 422:
// the body was read, and does not fit the model.
int HttpStatus(Code code);

// "Unprocessable Content" and so on (RFC 9110, section 15); "Error" for what is not listed.
std::string_view StatusTitle(int http_status);

Problem ProblemFromStatus(const Status& status);

// {"type":"about:blank","title":"Unprocessable
// Content","status":422,"detail":"...","pointer":"/features/0/age"}
std::string ProblemBody(const Problem& problem);

// One reference token of a JSON pointer: '/' and the name with '~' and '/' escaped (RFC 6901,
// section 3).
void AppendPointerToken(std::string& pointer, std::string_view name);

}  // namespace penstock::protocol
