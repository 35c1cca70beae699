// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "json/value.h"
#include "package/signature.h"
#include "train/parity.h"

namespace penstock::train {

// Refuses (kInvalidArgument) answers that do not have the signature's shape: as many labels or
// values, as many probabilities a row, class indices within the classes.
Status CheckAnswers(const package::Signature& signature, const engine::Predictions& answers,
                    int64_t rows);

// Adds the rows of `more` behind those of `answers`.
void Append(const engine::Predictions& more, engine::Predictions& answers);
// One row alone.
engine::Predictions TakeRow(const package::Signature& signature, const engine::Predictions& answers,
                            int64_t row);

// False when a value or a probability of the row is infinite or not a number: JSON cannot say it.
bool IsFinite(const package::Signature& signature, const engine::Predictions& answers, int64_t row);

// {"prediction": label or value or list of values, "probabilities"?: [...]}: what a response says
// about the row.
json::Value AnswerToJson(const package::Signature& signature, const engine::Predictions& answers,
                         int64_t row);
// The row's label or value(s) alone.
json::Value PredictionToJson(const package::Signature& signature,
                             const engine::Predictions& answers, int64_t row);

// How far two answers to one row are apart.
struct Distance {
  bool agrees = true;
  double absolute = 0;  // the largest over values and probabilities; labels that differ count 1
  double relative = 0;  // of the same kind; 1 for labels
  std::string text;     // where they do not agree: "0.31 against 0.39", the original first
};

// What agreeing means for one model: labels equal, numbers within |a - b| <= absolute x scale +
// relative x max(|a|, |b|). The scale of a probability is 1; that of an output is the largest value
// the original gives for it, so that an output that happens to cancel to nearly 0 is not held to an
// impossible standard. Immutable.
class Comparison {
 public:
  // `answers` are the original's to the rows at hand.
  Comparison(const package::Signature& signature, const engine::Predictions& answers,
             Tolerance tolerance);

  Distance Rows(const engine::Predictions& original, int64_t original_row,
                const engine::Predictions& native, int64_t native_row) const;

 private:
  package::Signature signature_;
  Tolerance tolerance_;
  std::vector<double> floors_;  // by output: tolerance_.absolute x scale
};

}  // namespace penstock::train
