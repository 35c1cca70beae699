// SPDX-License-Identifier: Apache-2.0
#include "train/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace penstock::train {
namespace {

size_t ValueWidth(const package::Signature& signature) {
  if (signature.task == package::Task::kClassification) return 0;
  return static_cast<size_t>(std::max<int64_t>(1, signature.prediction_width));
}

size_t ProbabilityWidth(const package::Signature& signature) {
  return signature.has_probabilities ? package::ClassCount(signature.classes) : 0;
}

std::span<const double> RowOf(const std::vector<double>& values, size_t width, int64_t row) {
  return std::span(values).subspan(static_cast<size_t>(row) * width, width);
}

json::Value LabelToJson(const package::Classes& classes, int64_t index) {
  return std::visit(
      [&](const auto& labels) -> json::Value {
        if constexpr (std::is_same_v<std::decay_t<decltype(labels)>, std::monostate>) {
          return index;
        } else {
          return labels[static_cast<size_t>(index)];
        }
      },
      classes);
}

bool IsInteger(const package::Signature& signature) {
  return signature.prediction_type == package::Type::kInt64 ||
         signature.prediction_type == package::Type::kBool;
}

json::Value NumberToJson(const package::Signature& signature, double value) {
  const bool is_exact =
      IsInteger(signature) && std::fabs(value) < 9007199254740992.0 && std::trunc(value) == value;
  return is_exact ? json::Value(static_cast<int64_t>(value)) : json::Value(value);
}

struct Gap {
  double absolute = 0;
  double relative = 0;
  bool agrees = true;
};

Gap GapOf(double a, double b, double floor, double relative) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return {};
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!std::isfinite(a) || !std::isfinite(b))
    return {.absolute = kInfinity, .relative = kInfinity, .agrees = false};
  const double larger = std::max(std::fabs(a), std::fabs(b));
  // Halves first: the difference of two large numbers of opposite sign would overflow.
  const double half = std::fabs(a / 2 - b / 2);
  // Below the floor a relative difference says nothing: 1e-17 against 0 is 100 %.
  return {.absolute = 2 * half,
          .relative = half <= floor / 2 ? 0 : 2 * (half / larger),
          .agrees = half <= floor / 2 + relative * (larger / 2)};
}

void Widen(Distance& distance, const Gap& gap, double original, double native) {
  if (!gap.agrees && (distance.agrees || gap.absolute > distance.absolute)) {
    distance.text = fmt::format("{:.17g} against {:.17g}", original, native);
    if (fmt::format("{:.6g}", original) != fmt::format("{:.6g}", native)) {
      distance.text = fmt::format("{:.6g} against {:.6g}", original, native);
    }
  }
  distance.agrees = distance.agrees && gap.agrees;
  distance.absolute = std::max(distance.absolute, gap.absolute);
  distance.relative = std::max(distance.relative, gap.relative);
}

}  // namespace

Status CheckAnswers(const package::Signature& signature, const engine::Predictions& answers,
                    int64_t rows) {
  const auto count = static_cast<size_t>(rows);
  const bool is_classifier = signature.task == package::Task::kClassification;
  const size_t labels = is_classifier ? count : 0;
  if (answers.class_index.size() != labels ||
      answers.values.size() != count * ValueWidth(signature)) {
    return InvalidArgument(
        fmt::format("the original answered {} rows with {} predictions; {} were expected", rows,
                    is_classifier ? answers.class_index.size() : answers.values.size(),
                    is_classifier ? labels : count * ValueWidth(signature)));
  }
  if (answers.probabilities.size() != count * ProbabilityWidth(signature)) {
    return InvalidArgument(
        fmt::format("the original answered {} rows with {} probabilities; {} a row were expected",
                    rows, answers.probabilities.size(), ProbabilityWidth(signature)));
  }
  const auto classes = static_cast<int64_t>(package::ClassCount(signature.classes));
  for (const int64_t index : answers.class_index) {
    if (index < 0 || index >= classes) {
      return InvalidArgument(
          fmt::format("the original answered class {}; there are {} classes", index, classes));
    }
  }
  return {};
}

void Append(const engine::Predictions& more, engine::Predictions& answers) {
  answers.rows += more.rows;
  answers.class_index.insert(answers.class_index.end(), more.class_index.begin(),
                             more.class_index.end());
  answers.values.insert(answers.values.end(), more.values.begin(), more.values.end());
  answers.probabilities.insert(answers.probabilities.end(), more.probabilities.begin(),
                               more.probabilities.end());
  answers.is_float32 = answers.is_float32 || more.is_float32;
}

engine::Predictions TakeRow(const package::Signature& signature, const engine::Predictions& answers,
                            int64_t row) {
  engine::Predictions taken{.rows = 1, .is_float32 = answers.is_float32};
  if (!answers.class_index.empty())
    taken.class_index = {answers.class_index[static_cast<size_t>(row)]};
  const auto values = RowOf(answers.values, ValueWidth(signature), row);
  taken.values.assign(values.begin(), values.end());
  const auto probabilities = RowOf(answers.probabilities, ProbabilityWidth(signature), row);
  taken.probabilities.assign(probabilities.begin(), probabilities.end());
  return taken;
}

bool IsFinite(const package::Signature& signature, const engine::Predictions& answers,
              int64_t row) {
  const auto is_finite = [](double value) { return std::isfinite(value); };
  return std::ranges::all_of(RowOf(answers.values, ValueWidth(signature), row), is_finite) &&
         std::ranges::all_of(RowOf(answers.probabilities, ProbabilityWidth(signature), row),
                             is_finite);
}

json::Value PredictionToJson(const package::Signature& signature,
                             const engine::Predictions& answers, int64_t row) {
  if (!answers.class_index.empty()) {
    return LabelToJson(signature.classes, answers.class_index[static_cast<size_t>(row)]);
  }
  const auto values = RowOf(answers.values, ValueWidth(signature), row);
  if (signature.prediction_width == 0) return NumberToJson(signature, values[0]);
  json::Array list;
  for (const double value : values) list.push_back(NumberToJson(signature, value));
  return list;
}

json::Value AnswerToJson(const package::Signature& signature, const engine::Predictions& answers,
                         int64_t row) {
  json::Value answer(json::Object{{"prediction", PredictionToJson(signature, answers, row)}});
  if (signature.has_probabilities) {
    const auto probabilities = RowOf(answers.probabilities, ProbabilityWidth(signature), row);
    answer.Set("probabilities", json::Array(probabilities.begin(), probabilities.end()));
  }
  return answer;
}

Comparison::Comparison(const package::Signature& signature, const engine::Predictions& answers,
                       Tolerance tolerance)
    : signature_(signature), tolerance_(tolerance), floors_(ValueWidth(signature)) {
  for (size_t i = 0; i < answers.values.size(); ++i) {
    const double size = std::fabs(answers.values[i]);
    double& scale = floors_[i % floors_.size()];
    if (std::isfinite(size)) scale = std::max(scale, size);
  }
  for (double& scale : floors_)
    scale = tolerance.absolute * (tolerance.grows ? scale : std::min(scale, 1.0));
}

Distance Comparison::Rows(const engine::Predictions& original, int64_t original_row,
                          const engine::Predictions& native, int64_t native_row) const {
  Distance distance;
  const auto values = RowOf(original.values, floors_.size(), original_row);
  const auto native_values = RowOf(native.values, floors_.size(), native_row);
  for (size_t i = 0; i < values.size(); ++i) {
    Widen(distance, GapOf(values[i], native_values[i], floors_[i], tolerance_.relative), values[i],
          native_values[i]);
  }
  const size_t classes = ProbabilityWidth(signature_);
  const auto shares = RowOf(original.probabilities, classes, original_row);
  const auto native_shares = RowOf(native.probabilities, classes, native_row);
  for (size_t i = 0; i < classes; ++i) {
    Widen(distance, GapOf(shares[i], native_shares[i], tolerance_.absolute, tolerance_.relative),
          shares[i], native_shares[i]);
  }
  if (original.class_index.empty()) return distance;
  const int64_t label = original.class_index[static_cast<size_t>(original_row)];
  const int64_t native_label = native.class_index[static_cast<size_t>(native_row)];
  if (label == native_label) return distance;
  return {.agrees = false,
          .absolute = std::max(distance.absolute, 1.0),
          .relative = std::max(distance.relative, 1.0),
          .text = fmt::format("{} against {}", json::Write(LabelToJson(signature_.classes, label)),
                              json::Write(LabelToJson(signature_.classes, native_label)))};
}

}  // namespace penstock::train
