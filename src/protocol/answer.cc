// SPDX-License-Identifier: Apache-2.0
#include "protocol/answer.h"

#include <fmt/format.h>

#include <cmath>

#include "json/text.h"

namespace penstock::protocol {
namespace {

using package::Type;

// How a number of the answer is written: as its type in the signature, in the engine's precision.
enum class Form { kBool, kInteger, kFloat, kDouble };

Form FormOf(Type type, bool is_float32) {
  if (type == Type::kBool) return Form::kBool;
  if (type == Type::kInt64) return Form::kInteger;
  return is_float32 ? Form::kFloat : Form::kDouble;
}

bool AppendNumber(std::string& out, double value, Form form) {
  if (!std::isfinite(value)) [[unlikely]] return false;
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

Status NotFinite(std::string_view what, int64_t row) {
  return InvalidArgument(fmt::format("the model's {} for row {} is infinite or not a number, for which JSON has no word; "
                                     "send values nearer to those it was trained on",
                                     what, row));
}

// rows lists of width numbers, or rows numbers when width is 0.
Status AppendNumbers(std::string& out, const std::vector<double>& values, int64_t rows, int64_t width, Form form,
                     std::string_view what) {
  const double* next = values.data();
  for (int64_t row = 0; row < rows; ++row) {
    out += row == 0 ? (width > 0 ? "[" : "") : (width > 0 ? ",[" : ",");
    for (int64_t i = 0; i < std::max<int64_t>(width, 1); ++i) {
      if (i > 0) out += ',';
      if (!AppendNumber(out, *next++, form)) return NotFinite(what, row);
    }
    if (width > 0) out += ']';
  }
  return {};
}

Status AppendClasses(std::string& out, const engine::Predictions& predictions, const std::vector<std::string>& texts) {
  for (size_t row = 0; row < predictions.class_index.size(); ++row) {
    if (row > 0) out += ',';
    const auto index = static_cast<size_t>(predictions.class_index[row]);
    if (index >= texts.size()) {
      return Internal(fmt::format("the engine answered class {} for row {}; the model has {}", index, row, texts.size()));
    }
    out += texts[index];
  }
  return {};
}

}  // namespace

Status AppendAnswer(const serve::Snapshot& snapshot, const engine::Predictions& predictions, std::string_view id,
                    std::string& out) {
  const package::Signature& signature = snapshot.signature();
  out += snapshot.answer_prefix();
  out += id;
  out += "\",\"predictions\":[";
  if (!snapshot.class_texts().empty()) {
    PENSTOCK_TRY(AppendClasses(out, predictions, snapshot.class_texts()));
  } else {
    PENSTOCK_TRY(AppendNumbers(out, predictions.values, predictions.rows, signature.prediction_width,
                               FormOf(signature.prediction_type, predictions.is_float32), "answer"));
  }
  out += ']';
  if (signature.has_probabilities) {
    out += ",\"probabilities\":[";
    PENSTOCK_TRY(AppendNumbers(out, predictions.probabilities, predictions.rows,
                               static_cast<int64_t>(snapshot.class_texts().size()),
                               FormOf(Type::kFloat64, predictions.is_float32), "probability"));
    out += ']';
  }
  out += '}';
  return {};
}

}  // namespace penstock::protocol
