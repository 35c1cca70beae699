// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace penstock::engine {

// How decision values become an answer.
enum class Link {
  kIdentity,
  kExp,
  kIdentityDecision,
  kLogistic,
  kSoftmax,
  kOneVsRest,
  kOneVsOne,
};

// kInvalidArgument, with the names that there are.
Result<Link> LinkFromName(std::string_view name);

// What follows the decision values of a row: a label, probabilities, or numbers.
struct Ending {
  Link link = Link::kIdentity;
  double slope = 1;               // of the logistic function
  bool zero_is_positive = false;  // of two classes, a decision of 0 means the second
  bool is_float32 = false;        // every operation is rounded to float32

  bool is_classifier() const { return link != Link::kIdentity && link != Link::kExp; }
  bool has_probabilities() const {
    return is_classifier() && link != Link::kIdentityDecision && link != Link::kOneVsOne;
  }
  // Of so many decision values a row; 0 where it is no classifier.
  int64_t class_count(int64_t outputs) const;
  // kInvalidArgument where the link has no meaning for so many.
  Status Check(int64_t outputs) const;

  int64_t ClassOf(const double* decision, int64_t outputs) const;
  // Writes class_count(outputs) numbers.
  void Probabilities(const double* decision, int64_t outputs, double* out) const;
  // In place, of a model that is no classifier.
  void Values(double* values, int64_t count) const;
};

// numpy.argmax: the first of the greatest, or the first NaN.
int64_t ArgMax(const double* values, int64_t count);

}  // namespace penstock::engine
