// SPDX-License-Identifier: Apache-2.0
#include "protocol/answer.h"

namespace penstock::protocol {

Status AppendAnswer(const serve::Snapshot& snapshot, const engine::Predictions& predictions,
                    engine::RowRange rows, std::string_view id, std::string& out) {
  out += snapshot.answer_prefix();
  out += id;
  out += "\",";
  PENSTOCK_TRY(engine::AppendPredictions(snapshot.signature(), snapshot.answer_texts(), predictions,
                                         rows, out));
  out += '}';
  return {};
}

}  // namespace penstock::protocol
