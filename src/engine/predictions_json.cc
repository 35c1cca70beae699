// SPDX-License-Identifier: Apache-2.0
#include "engine/predictions_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "json/text.h"
#include "json/value.h"

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

// Writes what a predictor makes of labels and probabilities.
class OutputWriter {
 public:
  OutputWriter(const package::Output& output, int64_t class_count, const Predictions& predictions,
               std::span<const std::string> texts)
      : output_(output),
        class_count_(class_count),
        predictions_(predictions),
        texts_(texts),
        form_(FormOf(Type::kFloat64, predictions.is_float32)) {}

  Status Append(RowRange rows, std::string& out) {
    if (output_.kind == package::Output::Kind::kLabels)
      return AppendClasses(out, predictions_, rows, texts_);
    for (int64_t row = 0; row < rows.count; ++row) {
      if (row > 0) out += ',';
      const auto at = static_cast<size_t>((rows.first + row) * class_count_);
      PENSTOCK_TRY(AppendRow({&predictions_.probabilities[at], static_cast<size_t>(class_count_)},
                             row, out));
    }
    return {};
  }

 private:
  Status AppendRow(std::span<const double> probabilities, int64_t row, std::string& out) {
    for (const double probability : probabilities) {
      if (!std::isfinite(probability)) return Unwritable("probability", probability, form_, row);
    }
    const double chosen = probabilities[static_cast<size_t>(output_.class_index)];
    switch (output_.kind) {
      case package::Output::Kind::kLabels:
        break;
      case package::Output::Kind::kProbability:
        AppendNumber(out, chosen, form_);
        break;
      case package::Output::Kind::kThreshold:
        out += texts_[chosen >= output_.threshold ? 1 : 0];
        break;
      case package::Output::Kind::kProbabilities:
        AppendAll(probabilities, out);
        break;
      case package::Output::Kind::kTopK:
        AppendTop(probabilities, out);
        break;
    }
    return {};
  }

  void AppendAll(std::span<const double> probabilities, std::string& out) const {
    const bool is_named = !texts_.empty();
    out += is_named ? '{' : '[';
    for (size_t i = 0; i < probabilities.size(); ++i) {
      if (i > 0) out += ',';
      if (is_named) out.append(texts_[i]).append(":");
      AppendNumber(out, probabilities[i], form_);
    }
    out += is_named ? '}' : ']';
  }

  void AppendTop(std::span<const double> probabilities, std::string& out) {
    order_.resize(probabilities.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::ranges::partial_sort(order_, order_.begin() + output_.count, [&](size_t a, size_t b) {
      if (probabilities[a] != probabilities[b]) return probabilities[a] > probabilities[b];
      return output_.last_of_ties ? a > b : a < b;
    });
    out += '[';
    for (int64_t i = 0; i < output_.count; ++i)
      out.append(i > 0 ? "," : "").append(texts_[order_[static_cast<size_t>(i)]]);
    out += ']';
  }

  const package::Output& output_;
  int64_t class_count_;
  const Predictions& predictions_;
  std::span<const std::string> texts_;
  Form form_;
  std::vector<size_t> order_;
};

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

std::vector<std::string> AnswerTexts(const package::Signature& signature) {
  std::vector<std::string> texts;
  if (signature.output) {
    for (const json::Value& value : signature.output->values) texts.push_back(json::Write(value));
    return texts;
  }
  std::visit(
      [&](const auto& labels) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(labels)>, std::monostate>) {
          for (const auto& label : labels) texts.push_back(TextOf(label));
        }
      },
      signature.classes);
  return texts;
}

Status AppendPredictions(const package::Signature& signature, std::span<const std::string> texts,
                         const Predictions& predictions, RowRange rows, std::string& out) {
  const auto class_count = static_cast<int64_t>(package::ClassCount(signature.classes));
  out += "\"predictions\":[";
  if (signature.output) {
    PENSTOCK_TRY(
        OutputWriter(*signature.output, class_count, predictions, texts).Append(rows, out));
  } else if (class_count > 0) {
    PENSTOCK_TRY(AppendClasses(out, predictions, rows, texts));
  } else {
    PENSTOCK_TRY(AppendNumbers(out, predictions.values, rows, signature.prediction_width,
                               FormOf(signature.prediction_type, predictions.is_float32),
                               "answer"));
  }
  out += ']';
  if (signature.has_probabilities) {
    out += ",\"probabilities\":[";
    PENSTOCK_TRY(AppendNumbers(out, predictions.probabilities, rows, class_count,
                               FormOf(Type::kFloat64, predictions.is_float32), "probability"));
    out += ']';
  }
  return {};
}

}  // namespace penstock::engine
