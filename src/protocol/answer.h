// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/engine.h"
#include "engine/predictions_json.h"
#include "serve/snapshot.h"

namespace penstock::protocol {

// Appends {"model":...,"version":...,"id":...,"predictions":[...],"probabilities":[[...]]} to out,
// with these rows of the predictions.
// kInvalidArgument, with part of the answer in out, when a number is infinite or not a number: JSON
// has no word for it, and a client must not get something else in its place.
Status AppendAnswer(const serve::Snapshot& snapshot, const engine::Predictions& predictions,
                    engine::RowRange rows, std::string_view id, std::string& out);

}  // namespace penstock::protocol
