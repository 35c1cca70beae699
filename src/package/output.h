// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "json/value.h"

namespace penstock::package {

// What a classifier's answer holds for a row in place of the label that the model predicts: what
// the user's predictor makes of the label or of the probabilities. A value type.
struct Output {
  enum class Kind {
    kLabels,         // of the label: values[its class]
    kProbability,    // the probability of class_index
    kThreshold,      // values[1] where the probability of class_index is threshold or more, else
                     // values[0]
    kProbabilities,  // all of them: a list, or with values as names an object
    kTopK,           // values of the `count` most probable classes, the most probable first
  };

  Kind kind = Kind::kLabels;
  json::Array values;         // texts, numbers, booleans or nulls
  int64_t class_index = 0;    // into Signature::classes
  double threshold = 0;       // 0 to 1
  int64_t count = 0;          // kTopK: 1 to the number of classes
  bool last_of_ties = false;  // kTopK: of equal probabilities the later class comes first

  json::Value ToJson() const;
  // kInvalidArgument unless it fits a model with so many classes, and with probabilities where it
  // needs some.
  static Result<Output> FromJson(const json::Value& value, size_t class_count,
                                 bool has_probabilities);
};

std::string_view OutputKindName(
    Output::Kind kind);  // "labels", "probability", "threshold", "probabilities", "top_k"

}  // namespace penstock::package
