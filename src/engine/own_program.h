// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/forest.h"
#include "engine/linear.h"
#include "engine/own_format.h"

namespace penstock::engine {

// x * scale + offset, or (x - offset) / scale, column by column.
struct Transform {
  enum class Kind { kSubtract, kDivide, kMultiply, kAdd, kClip };
  Kind kind = Kind::kAdd;
  std::vector<double> by;  // one a column; kClip: lowest and highest
  bool is_float32 = false;

  // x: rows x columns, in place.
  void Apply(double* x, int64_t rows, int64_t columns) const;
};

// How decision values become an answer.
enum class Link { kIdentity, kIdentityDecision, kLogistic, kSoftmax, kOneVsRest };

struct LinearStep {
  Linear linear;
  Link link = Link::kIdentity;
  bool is_float32 = false;
};

struct ForestStep {
  Forest forest;
  bool is_classifier = false;
};

// An evaluator file made ready to run: transforms, then one model. Immutable and thread-safe.
struct OwnProgram {
  int64_t features = 0;
  std::vector<Transform> transforms;
  std::variant<LinearStep, ForestStep> model;

  // kInvalidArgument, with the step at fault, where the file does not describe a model of so many
  // features. Any bytes may be given.
  static Result<OwnProgram> FromBytes(std::string_view bytes, int64_t features);

  int64_t outputs() const;
  // Of a classifier; 0 otherwise.
  int64_t class_count() const;
  bool has_probabilities() const;
};

}  // namespace penstock::engine
