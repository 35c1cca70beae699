// SPDX-License-Identifier: Apache-2.0
#include "package/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace penstock::package {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"labels", "probability", "threshold",
                                                    "probabilities", "top_k"};

Result<Output::Kind> KindFromName(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) {
    return InvalidArgument(fmt::format("'{}' is no kind of output; one of {} was expected", name,
                                       fmt::join(kNames, ", ")));
  }
  return static_cast<Output::Kind>(found - kNames.begin());
}

// How many values a kind has; for kProbabilities they may also be none.
size_t ValueCount(Output::Kind kind, size_t class_count) {
  switch (kind) {
    case Output::Kind::kProbability:
      return 0;
    case Output::Kind::kThreshold:
      return 2;
    case Output::Kind::kLabels:
    case Output::Kind::kProbabilities:
    case Output::Kind::kTopK:
      break;
  }
  return class_count;
}

Status CheckValues(const Output& output, size_t class_count) {
  const bool are_names = output.kind == Output::Kind::kProbabilities;
  if (are_names && output.values.empty()) return {};
  const size_t wanted = ValueCount(output.kind, class_count);
  if (output.values.size() != wanted) {
    return InvalidArgument(fmt::format("an output of kind '{}' has {} values; {} were expected",
                                       OutputKindName(output.kind), output.values.size(), wanted));
  }
  std::set<std::string> names;
  for (const json::Value& value : output.values) {
    if (value.if_array() || value.if_object())
      return InvalidArgument("a value of an output is a list or an object; a scalar was expected");
    if (are_names && !value.if_string())
      return InvalidArgument("a name of a probability is no text; a text was expected");
    if (are_names && !names.insert(*value.if_string()).second) {
      return InvalidArgument(
          fmt::format("the name '{}' of a probability stands twice", *value.if_string()));
    }
  }
  return {};
}

}  // namespace

std::string_view OutputKindName(Output::Kind kind) { return kNames.at(static_cast<size_t>(kind)); }

json::Value Output::ToJson() const {
  json::Value value = json::Object{{"kind", OutputKindName(kind)}};
  if (!values.empty()) value.Set("values", values);
  if (kind == Kind::kProbability || kind == Kind::kThreshold) value.Set("class", class_index);
  if (kind == Kind::kThreshold) value.Set("threshold", threshold);
  if (kind == Kind::kTopK) {
    value.Set("count", count);
    value.Set("last_of_ties", last_of_ties);
  }
  return value;
}

Result<Output> Output::FromJson(const json::Value& value, size_t class_count,
                                bool has_probabilities) {
  Output output{.kind = PENSTOCK_TRY(KindFromName(PENSTOCK_TRY(value.String("kind"))))};
  if (class_count == 0) return InvalidArgument("an output was given for a model without classes");
  if (output.kind != Kind::kLabels && !has_probabilities) {
    return InvalidArgument(fmt::format("an output of kind '{}' needs a model with probabilities",
                                       OutputKindName(output.kind)));
  }
  if (value.Find("values") != nullptr) output.values = PENSTOCK_TRY(value.List("values"));
  PENSTOCK_TRY(CheckValues(output, class_count));
  if (output.kind == Kind::kProbability || output.kind == Kind::kThreshold) {
    output.class_index = PENSTOCK_TRY(value.Int("class"));
    if (output.class_index < 0 || output.class_index >= static_cast<int64_t>(class_count)) {
      return InvalidArgument(fmt::format("an output is of class {}; the model has {}",
                                         output.class_index, class_count));
    }
  }
  if (output.kind == Kind::kThreshold) {
    output.threshold = PENSTOCK_TRY(value.Number("threshold"));
    if (!(output.threshold >= 0 && output.threshold <= 1)) {
      return InvalidArgument(
          fmt::format("the threshold of an output is {}; 0 to 1 was expected", output.threshold));
    }
  }
  if (output.kind == Kind::kTopK) {
    output.count = PENSTOCK_TRY(value.Int("count"));
    output.last_of_ties = PENSTOCK_TRY(value.Bool("last_of_ties"));
    if (output.count < 1 || output.count > static_cast<int64_t>(class_count)) {
      return InvalidArgument(fmt::format("an output is of {} classes; 1 to {} was expected",
                                         output.count, class_count));
    }
  }
  return output;
}

}  // namespace penstock::package
