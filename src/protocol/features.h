// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/problem.h"
#include "serve/snapshot.h"

namespace penstock::protocol {

inline constexpr int64_t kBatchRowsMax = 100'000;
inline constexpr int64_t kAnswerCellsMax = 2'000'000;

// What one request may ask for.
struct FeatureLimits {
  int64_t batch_rows_max = kBatchRowsMax;
  // Values in the answer: rows times what the model gives for each. One row is always answered.
  int64_t answer_cells_max = kAnswerCellsMax;
};

// Reads a request body into workspace.input, in one pass and without allocation in a steady state.
// The body is one object with one member, `features`, in one of four shapes:
//   [{"a": 1, "b": "x"}, ...]     records, columns in any order
//   [[1, "x"], ...]               rows, in the signature's order
//   {"a": 1, "b": "x"}            one record
//   {"a": [1, 2], "b": ["x", "y"]}  columns, in any order
// Which values a column takes is what package::Tensors accepts. Returns nothing when the body was
// accepted, else
//   400  the body is not JSON (RFC 8259), is not UTF-8, or nests deeper than kJsonDepthMax;
//   413  more rows than the limits allow;
//   422  it is JSON and does not fit: the problem's pointer names the place.
// The rows stand in workspace.input from first_row on, behind those that stood there before; after
// a problem there is nothing of use from there on. body may hold any bytes. The workspace grows in
// proportion to the body.
std::optional<Problem> DecodeFeatures(std::string_view body, const serve::Snapshot& snapshot,
                                      const FeatureLimits& limits, serve::Workspace& workspace,
                                      int64_t first_row = 0);

inline constexpr int kJsonDepthMax = 64;

}  // namespace penstock::protocol
