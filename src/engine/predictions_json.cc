// SPDX-License-Identifier: Apache-2.0
#include "engine/predictions_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "json/text.h"

namespace penstock::engine {
namespace {

using package::Type;

// How a number of the answer is written: as its type in the signature, in the engine's precision.
enum class Form { kBool, kInteger, kFloat, kDouble };

Form FormOf(Type type, bool is_float32) {
  if (type == Type::kBool) return Form::kBool;
  if (type == Type::kInt64) return Form::kInteger;
  return is_float32 ? Form::kFloat : Form::kDouble;
}

// Whether a double is an integer that fits int64.
bool IsInt64(double value) {
  constexpr double kBeyond = 9223372036854775808.0;  // 2^63
  return value >= -kBeyond && value < kBeyond && std::trunc(value) == value;
}

// False when the value has no such form.
bool AppendNumber(std::string& out, double value, Form form) {
  // A double beyond float becomes infinite.
  if (form == Form::kFloat) value = static_cast<double>(static_cast<float>(value));
  if (!std::isfinite(value) || (form == Form::kInteger && !IsInt64(value))) [[unlikely]]
    return false;
  switch (form) {
    case Form::kBool:
      out += value != 0 ? "true" : "false";
      return true;
    case Form::kInteger:
      json::AppendInt(out, static_cast<int64_t>(value));
      return true;
    case Form::kFloat:
      json::AppendFloat(out, static_cast<float>(value));
      return true;
    case Form::kDouble:
      json::AppendDouble(out, value);
      return true;
  }
  return true;
}

Status Unwritable(std::string_view what, double value, Form form, int64_t row) {
  if (form == Form::kInteger && std::isfinite(value)) {
    return Internal(fmt::format(
        "the engine's {} for row {} is {}; an integer of 64 bits was expected, as the signature "
        "says: register the model again",
        what, row, value));
  }
  return InvalidArgument(fmt::format(
      "the model's {} for row {} is infinite or not a number, for which JSON has no word; "
      "send values nearer to those it was trained on",
      what, row));
}

// For each row a list of width numbers, or one number when width is 0.
Status AppendNumbers(std::string& out, const std::vector<double>& values, RowRange rows,
                     int64_t width, Form form, std::string_view what) {
  const double* next = values.data() + rows.first * std::max<int64_t>(width, 1);
  for (int64_t row = 0; row < rows.count; ++row) {
    out += row == 0 ? (width > 0 ? "[" : "") : (width > 0 ? ",[" : ",");
    for (int64_t i = 0; i < std::max<int64_t>(width, 1); ++i) {
      if (i > 0) out += ',';
      if (!AppendNumber(out, *next, form)) return Unwritable(what, *next, form, row);
      ++next;
    }
    if (width > 0) out += ']';
  }
  return {};
}

Status AppendClasses(std::string& out, const Predictions& predictions, RowRange rows,
                     std::span<const std::string> texts) {
  for (int64_t row = 0; row < rows.count; ++row) {
    if (row > 0) out += ',';
    const auto index =
        static_cast<size_t>(predictions.class_index[static_cast<size_t>(rows.first + row)]);
    if (index >= texts.size()) {
      return Internal(fmt::format("the engine answered class {} for row {}; the model has {}",
                                  index, row, texts.size()));
    }
    out += texts[index];
  }
  return {};
}

std::string TextOf(bool label) { return label ? "true" : "false"; }

std::string TextOf(int64_t label) {
  std::string text;
  json::AppendInt(text, label);
  return text;
}

std::string TextOf(double label) {
  std::string text;
  json::AppendDouble(text, label);
  return text;
}

std::string TextOf(const std::string& label) {
  std::string text;
  json::AppendString(text, label);
  return text;
}

}  // namespace

std::vector<std::string> ClassTexts(const package::Classes& classes) {
  std::vector<std::string> texts;
  std::visit(
      [&](const auto& labels) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(labels)>, std::monostate>) {
          for (const auto& label : labels) texts.push_back(TextOf(label));
        }
      },
      classes);
  return texts;
}

Status AppendPredictions(const package::Signature& signature,
                         std::span<const std::string> class_texts, const Predictions& predictions,
                         RowRange rows, std::string& out) {
  out += "\"predictions\":[";
  if (!class_texts.empty()) {
    PENSTOCK_TRY(AppendClasses(out, predictions, rows, class_texts));
  } else {
    PENSTOCK_TRY(AppendNumbers(out, predictions.values, rows, signature.prediction_width,
                               FormOf(signature.prediction_type, predictions.is_float32),
                               "answer"));
  }
  out += ']';
  if (signature.has_probabilities) {
    out += ",\"probabilities\":[";
    PENSTOCK_TRY(AppendNumbers(out, predictions.probabilities, rows,
                               static_cast<int64_t>(class_texts.size()),
                               FormOf(Type::kFloat64, predictions.is_float32), "probability"));
    out += ']';
  }
  return {};
}

}  // namespace penstock::engine
