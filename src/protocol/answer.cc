// SPDX-License-Identifier: Apache-2.0
#include "protocol/answer.h"

#include "engine/predictions_json.h"

namespace penstock::protocol {

Status AppendAnswer(const serve::Snapshot& snapshot, const engine::Predictions& predictions,
                    std::string_view id, std::string& out) {
  out += snapshot.answer_prefix();
  out += id;
  out += "\",";
  PENSTOCK_TRY(
      engine::AppendPredictions(snapshot.signature(), snapshot.class_texts(), predictions, out));
  out += '}';
  return {};
}

}  // namespace penstock::protocol
