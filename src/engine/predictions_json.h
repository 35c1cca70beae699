// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace penstock::engine {

// What an answer is put together from, as JSON text ready to be written: of a classifier the
// classes, {"\"no\"", "\"yes\""}, or the values of its output; empty for other models.
std::vector<std::string> AnswerTexts(const package::Signature& signature);

// Rows of a batch, from `first` on.
struct RowRange {
  int64_t first = 0;
  int64_t count = 0;
};

// Appends "predictions":[...] and, where the model has them, ,"probabilities":[[...]], for these
// rows, which messages count from 0. texts are AnswerTexts of the signature.
// With part of the text in out: kInvalidArgument when a number is infinite or not a number, in the
// precision in which it would be written (JSON has no word for it, and a client must not get
// something else in its place); kInternal when it is no integer though the signature says so.
Status AppendPredictions(const package::Signature& signature, std::span<const std::string> texts,
                         const Predictions& predictions, RowRange rows, std::string& out);

}  // namespace penstock::engine
