// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "engine/predictions_json.h"
#include "http/request.h"
#include "http/response.h"
#include "observe/log.h"
#include "protocol/problem.h"
#include "protocol/request_id.h"
#include "serve/snapshot.h"

namespace penstock::protocol {

// One request to one snapshot, from its body to its answer, on whatever thread. Borrows all it is
// given.
struct Prediction {
  const serve::Snapshot& snapshot;
  const http::Request& request;
  http::Response& response;
  const RequestId& id;
  const observe::Logger& logger;

  // A problem with the request's headers: 415 for a body that is not application/json.
  std::optional<Problem> CheckHeaders() const;
  // Runs the engine on workspace.input, writes the answer or the problem, and returns the HTTP
  // status.
  int Answer(serve::Workspace& workspace) const;
  // The same once the engine has run: `status` is what it gave, `rows` are this request's.
  int Finish(Status status, const engine::Predictions& output, engine::RowRange rows) const;
  // Writes a problem with the headers that name model, version and request; returns its status.
  int Refuse(const Problem& problem) const;

 private:
  void Begin(int http_status, std::string_view content_type) const;
};

// Writes a problem without a model. Adds Retry-After to 429 and 503.
void WriteProblem(http::Response& response, const Problem& problem, std::string_view allow = {});

// Sends the caller's X-Request-Id back.
void EchoRequestKey(const http::Request& request, http::Response& response);

}  // namespace penstock::protocol
