// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/boosting.h"
#include "engine/forest.h"
#include "engine/linear.h"
#include "engine/links.h"
#include "engine/own_format.h"
#include "engine/preparation.h"
#include "engine/transform.h"

namespace penstock::engine {

struct LinearStep {
  Linear linear;
  Ending ending;
};

struct ForestStep {
  Forest forest;
  bool is_classifier = false;
};

struct BoostingStep {
  Boosting boosting;
  Ending ending;
};

// An evaluator file made ready to run: a preparation or else transforms, then one model. Immutable
// and thread-safe.
struct OwnProgram {
  int64_t features = 0;  // that the model reads
  std::vector<Transform> transforms;
  std::optional<Preparation> preparation;
  std::variant<LinearStep, ForestStep, BoostingStep> model;

  // kInvalidArgument, with the step at fault, where the file does not describe a model that reads
  // such rows. Any bytes may be given.
  static Result<OwnProgram> FromBytes(std::string_view bytes, InputWidths inputs);

  int64_t outputs() const;
  // Of a classifier; 0 otherwise.
  int64_t class_count() const;
  bool has_probabilities() const;
  // Whether the model reads float32.
  bool rounds_x() const;
};

}  // namespace penstock::engine
