// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace penstock::engine {

// The classes of a classifier as JSON text, ready to be written: {"\"no\"", "\"yes\""}; empty for
// other models.
std::vector<std::string> ClassTexts(const package::Classes& classes);

// Appends "predictions":[...] and, where the model has them, ,"probabilities":[[...]]. class_texts
// are ClassTexts of the signature's classes. kInvalidArgument, with part of the text in out, when a
// number is infinite or not a number: JSON has no word for it, and a client must not get something
// else in its place.
Status AppendPredictions(const package::Signature& signature,
                         std::span<const std::string> class_texts, const Predictions& predictions,
                         std::string& out);

}  // namespace penstock::engine
