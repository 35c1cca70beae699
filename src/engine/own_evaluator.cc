// SPDX-License-Identifier: Apache-2.0
#include "engine/own_evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/cost.h"
#include "engine/links.h"
#include "engine/own_program.h"

namespace penstock::engine {
namespace {

using package::Type;

constexpr int64_t kScratchValuesMax = int64_t{1} << 19;  // 4 MiB of doubles

class OwnInstance final : public Instance {
 public:
  OwnInstance(const package::Signature& signature, const OwnProgram& program, bool is_float32,
              int64_t rows)
      : signature_(signature), program_(program), is_float32_(is_float32), rows_max_(rows) {
    const auto cells = static_cast<size_t>(rows * program.features);
    x_.resize(cells);
    if (program.rounds_x()) rounded_.resize(cells);
    if (program.preparation) cells_.resize(static_cast<size_t>(program.preparation->cells()));
    outputs_.resize(static_cast<size_t>(rows * program.outputs()));
  }

  Status Predict(const package::Tensors& input, Predictions& output) override {
    Prepare(input.rows(), output);
    for (int64_t begin = 0; begin < input.rows(); begin += rows_max_) {
      const int64_t rows = std::min(rows_max_, input.rows() - begin);
      const double* x = program_.preparation ? Prepared(input, begin, rows)
                                             : Transformed(input.tensors()[0], begin, rows);
      if (const auto* linear = std::get_if<LinearStep>(&program_.model)) {
        PredictLinear(*linear, x, begin, rows, output);
      } else if (const auto* forest = std::get_if<ForestStep>(&program_.model)) {
        PredictForest(*forest, x, begin, rows, output);
      } else {
        PredictBoosting(std::get<BoostingStep>(program_.model), x, begin, rows, output);
      }
    }
    return {};
  }

 private:
  void Prepare(int64_t rows, Predictions& output) const {
    const int64_t classes = program_.class_count();
    output.rows = rows;
    output.is_float32 = is_float32_;
    output.class_index.resize(static_cast<size_t>(classes > 0 ? rows : 0));
    output.values.resize(static_cast<size_t>(classes > 0 ? 0 : rows * program_.outputs()));
    output.probabilities.resize(
        static_cast<size_t>(signature_.has_probabilities ? rows * classes : 0));
  }

  // The rows' values after all transforms: the tensor's own memory where there is nothing to do.
  const double* Transformed(const package::Tensor& tensor, int64_t begin, int64_t rows) {
    const int64_t offset = begin * program_.features;
    const int64_t count = rows * program_.features;
    if (tensor.type == Type::kFloat32) {
      std::copy_n(tensor.float32.data() + offset, count, x_.data());
    } else if (program_.transforms.empty()) {
      return tensor.float64.data() + offset;
    } else {
      std::copy_n(tensor.float64.data() + offset, count, x_.data());
    }
    for (const Transform& transform : program_.transforms)
      transform.Apply(x_.data(), rows, program_.features);
    return x_.data();
  }

  const double* Prepared(const package::Tensors& input, int64_t begin, int64_t rows) {
    const package::Tensor* numbers = nullptr;
    const package::Tensor* texts = nullptr;
    for (const package::Tensor& tensor : input.tensors())
      (tensor.type == Type::kString ? texts : numbers) = &tensor;
    double* x = x_.data();
    for (int64_t row = begin; row < begin + rows; ++row, x += program_.features) {
      const Preparation& preparation = *program_.preparation;
      if (numbers != nullptr && numbers->type == Type::kFloat32) {
        const float* given = numbers->float32.data() + row * numbers->width;
        preparation.Apply(given, texts, row, cells_.data(), x);
      } else {
        const double* given =
            numbers == nullptr ? nullptr : numbers->float64.data() + row * numbers->width;
        preparation.Apply(given, texts, row, cells_.data(), x);
      }
    }
    return x_.data();
  }

  const float* Rounded(const double* x, int64_t rows) {
    std::transform(x, x + rows * program_.features, rounded_.data(),
                   [](double v) { return static_cast<float>(v); });
    return rounded_.data();
  }

  void PredictForest(const ForestStep& step, const double* x, int64_t begin, int64_t rows,
                     Predictions& output) {
    const int64_t width = step.forest.outputs();
    double* values = outputs_.data();
    if (!step.is_classifier) values = output.values.data() + begin * width;
    if (signature_.has_probabilities) values = output.probabilities.data() + begin * width;
    step.forest.Evaluate(Rounded(x, rows), rows, values);
    if (!step.is_classifier) return;
    for (int64_t r = 0; r < rows; ++r) {
      output.class_index[static_cast<size_t>(begin + r)] = ArgMax(values + r * width, width);
    }
  }

  void PredictLinear(const LinearStep& step, const double* x, int64_t begin, int64_t rows,
                     Predictions& output) {
    double* decisions = DecisionsFor(step.ending, begin, output);
    step.linear.Evaluate(x, rows, decisions);
    Finish(step.ending, decisions, begin, rows, output);
  }

  void PredictBoosting(const BoostingStep& step, const double* x, int64_t begin, int64_t rows,
                       Predictions& output) {
    double* decisions = DecisionsFor(step.ending, begin, output);
    const float* rounded = step.boosting.rounds_x() ? Rounded(x, rows) : nullptr;
    step.boosting.Evaluate(x, rounded, rows, decisions);
    Finish(step.ending, decisions, begin, rows, output);
  }

  // Decision values go where the answer is, if they are the answer.
  double* DecisionsFor(const Ending& ending, int64_t begin, Predictions& output) {
    return ending.is_classifier() ? outputs_.data()
                                  : output.values.data() + begin * program_.outputs();
  }

  void Finish(const Ending& ending, double* decisions, int64_t begin, int64_t rows,
              Predictions& output) const {
    const int64_t width = program_.outputs();
    if (!ending.is_classifier()) return ending.Values(decisions, rows * width);
    const int64_t classes = program_.class_count();
    for (int64_t r = 0; r < rows; ++r) {
      const double* decision = decisions + r * width;
      output.class_index[static_cast<size_t>(begin + r)] = ending.ClassOf(decision, width);
      if (signature_.has_probabilities) {
        ending.Probabilities(decision, width, output.probabilities.data() + (begin + r) * classes);
      }
    }
  }

  const package::Signature& signature_;
  const OwnProgram& program_;
  bool is_float32_;
  int64_t rows_max_;
  std::vector<double> x_;
  std::vector<float> rounded_;
  std::vector<double> cells_;  // of the row that is prepared
  std::vector<double> outputs_;
};

class OwnModel final : public Model {
 public:
  OwnModel(const package::Signature& signature, const package::EngineEntry& entry,
           OwnProgram program, int64_t rows)
      : signature_(signature), entry_(entry), program_(std::move(program)), scratch_rows_(rows) {
    // Encoders tell a missing text from an empty one.
    for (package::TensorSpec& tensor : entry_.encoding.tensors)
      tensor.marks_missing = tensor.type == package::Type::kString;
    cost_ = MeasureCost(*this);
  }

  Result<std::unique_ptr<Instance>> NewInstance() const override {
    std::unique_ptr<Instance> instance = std::make_unique<OwnInstance>(
        signature_, program_, entry_.precision == Type::kFloat32, scratch_rows_);
    return instance;
  }
  const package::Signature& signature() const override { return signature_; }
  const package::EngineEntry& entry() const override { return entry_; }
  Cost cost() const override { return cost_; }

 private:
  package::Signature signature_;
  package::EngineEntry entry_;
  OwnProgram program_;
  int64_t scratch_rows_;
  Cost cost_;
};

Status CheckFit(const package::Signature& signature, const OwnProgram& program) {
  const auto classes = static_cast<int64_t>(package::ClassCount(signature.classes));
  if (classes != program.class_count()) {
    return InvalidArgument(fmt::format("the evaluator tells {} classes apart; the signature has {}",
                                       program.class_count(), classes));
  }
  if (signature.has_probabilities && !program.has_probabilities()) {
    return InvalidArgument("the signature has probabilities; the evaluator gives none");
  }
  const int64_t width = std::max<int64_t>(1, signature.prediction_width);
  if (classes == 0 && width != program.outputs()) {
    return InvalidArgument(fmt::format("the evaluator gives {} values a row; the signature has {}",
                                       program.outputs(), width));
  }
  return {};
}

// At most one tensor of numbers, and one of text.
Result<InputWidths> InputsOf(const package::Encoding& encoding) {
  InputWidths inputs;
  for (const package::TensorSpec& tensor : encoding.tensors) {
    const bool is_number = tensor.type == Type::kFloat64 || tensor.type == Type::kFloat32;
    int64_t& width = tensor.type == Type::kString ? inputs.texts : inputs.numbers;
    if ((!is_number && tensor.type != Type::kString) || width != 0 || tensor.columns.empty()) {
      return InvalidArgument(
          "the own evaluator reads one tensor of type float64 or float32, and one of type string; "
          "the encoding has another");
    }
    width = static_cast<int64_t>(tensor.columns.size());
  }
  return inputs;
}

}  // namespace

Result<std::unique_ptr<Model>> LoadOwn(const package::Signature& signature,
                                       const package::EngineEntry& entry, std::string_view bytes,
                                       const LoadOptions& options) {
  PENSTOCK_TRY(package::CheckEncoding(signature, entry.encoding));
  const InputWidths inputs = PENSTOCK_TRY(InputsOf(entry.encoding));
  OwnProgram program = PENSTOCK_TRY(OwnProgram::FromBytes(bytes, inputs));
  PENSTOCK_TRY(CheckFit(signature, program));
  const int64_t widest = std::max<int64_t>({1, program.features, program.outputs()});
  const int64_t rows = std::clamp<int64_t>(options.scratch_rows, 1,
                                           std::max<int64_t>(1, kScratchValuesMax / widest));
  std::unique_ptr<Model> model =
      std::make_unique<OwnModel>(signature, entry, std::move(program), rows);
  return model;
}

}  // namespace penstock::engine
