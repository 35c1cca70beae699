// SPDX-License-Identifier: Apache-2.0
#include "engine/own_evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "engine/cost.h"
#include "engine/own_program.h"

namespace penstock::engine {
namespace {

using package::Type;

constexpr int64_t kScratchValuesMax = int64_t{1} << 19;  // 4 MiB of doubles

double Expit(double x) { return 1.0 / (1.0 + std::exp(-x)); }  // scipy.special.expit

double RoundedIf(bool is_float32, double value) {
  return is_float32 ? static_cast<double>(static_cast<float>(value)) : value;
}

// numpy.argmax: the first of the greatest, or the first NaN.
int64_t ArgMax(const double* values, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isnan(values[i])) return i;
    if (values[i] > values[best]) best = i;
  }
  return best;
}

// sklearn.utils.extmath.softmax
void Softmax(const double* decision, int64_t count, bool is_float32, double* out) {
  const double greatest = *std::max_element(decision, decision + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    out[i] = RoundedIf(is_float32, std::exp(decision[i] - greatest));
    sum += out[i];
  }
  for (int64_t i = 0; i < count; ++i) out[i] = RoundedIf(is_float32, out[i] / sum);
}

// sklearn.linear_model._base.LinearClassifierMixin._predict_proba_lr, several classes
void OneVsRest(const double* decision, int64_t count, bool is_float32, double* out) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    out[i] = RoundedIf(is_float32, Expit(decision[i]));
    sum += out[i];
  }
  if (sum == 0) {
    std::fill_n(out, count, 1.0);
    sum = static_cast<double>(count);
  }
  for (int64_t i = 0; i < count; ++i) out[i] = RoundedIf(is_float32, out[i] / sum);
}

void Probabilities(const LinearStep& step, const double* decision, double* out) {
  const int64_t count = step.linear.outputs();
  switch (step.link) {
    case Link::kLogistic:
      out[1] = RoundedIf(step.is_float32, Expit(decision[0]));
      out[0] = RoundedIf(step.is_float32, 1 - out[1]);
      return;
    case Link::kSoftmax:
      return Softmax(decision, count, step.is_float32, out);
    case Link::kOneVsRest:
      return OneVsRest(decision, count, step.is_float32, out);
    case Link::kIdentity:
    case Link::kIdentityDecision:
      return;
  }
}

class OwnInstance final : public Instance {
 public:
  OwnInstance(const package::Signature& signature, const OwnProgram& program, bool is_float32,
              int64_t rows)
      : signature_(signature), program_(program), is_float32_(is_float32), rows_max_(rows) {
    const auto cells = static_cast<size_t>(rows * program.features);
    x_.resize(cells);
    if (std::holds_alternative<ForestStep>(program.model)) rounded_.resize(cells);
    outputs_.resize(static_cast<size_t>(rows * program.outputs()));
  }

  Status Predict(const package::Tensors& input, Predictions& output) override {
    PENSTOCK_CHECK(input.tensors().size() == 1 && input.tensors()[0].width == program_.features);
    Prepare(input.rows(), output);
    for (int64_t begin = 0; begin < input.rows(); begin += rows_max_) {
      const int64_t rows = std::min(rows_max_, input.rows() - begin);
      const double* x = Transformed(input.tensors()[0], begin, rows);
      if (const auto* step = std::get_if<ForestStep>(&program_.model)) {
        PredictForest(*step, x, begin, rows, output);
      } else {
        PredictLinear(std::get<LinearStep>(program_.model), x, begin, rows, output);
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

  void PredictForest(const ForestStep& step, const double* x, int64_t begin, int64_t rows,
                     Predictions& output) {
    std::transform(x, x + rows * program_.features, rounded_.data(),
                   [](double v) { return static_cast<float>(v); });
    const int64_t width = step.forest.outputs();
    double* values = outputs_.data();
    if (!step.is_classifier) values = output.values.data() + begin * width;
    if (signature_.has_probabilities) values = output.probabilities.data() + begin * width;
    step.forest.Evaluate(rounded_.data(), rows, values);
    if (!step.is_classifier) return;
    for (int64_t r = 0; r < rows; ++r) {
      output.class_index[static_cast<size_t>(begin + r)] = ArgMax(values + r * width, width);
    }
  }

  void PredictLinear(const LinearStep& step, const double* x, int64_t begin, int64_t rows,
                     Predictions& output) {
    const int64_t width = step.linear.outputs();
    if (step.link == Link::kIdentity) {
      step.linear.Evaluate(x, rows, output.values.data() + begin * width);
      return;
    }
    step.linear.Evaluate(x, rows, outputs_.data());
    const int64_t classes = program_.class_count();
    for (int64_t r = 0; r < rows; ++r) {
      const double* decision = outputs_.data() + r * width;
      output.class_index[static_cast<size_t>(begin + r)] =
          width == 1 ? decision[0] > 0 : ArgMax(decision, width);
      if (signature_.has_probabilities) {
        Probabilities(step, decision, output.probabilities.data() + (begin + r) * classes);
      }
    }
  }

  const package::Signature& signature_;
  const OwnProgram& program_;
  bool is_float32_;
  int64_t rows_max_;
  std::vector<double> x_;
  std::vector<float> rounded_;
  std::vector<double> outputs_;
};

class OwnModel final : public Model {
 public:
  OwnModel(const package::Signature& signature, const package::EngineEntry& entry,
           OwnProgram program, int64_t rows)
      : signature_(signature), entry_(entry), program_(std::move(program)), scratch_rows_(rows) {
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

}  // namespace

Result<std::unique_ptr<Model>> LoadOwn(const package::Signature& signature,
                                       const package::EngineEntry& entry, std::string_view bytes,
                                       const LoadOptions& options) {
  PENSTOCK_TRY(package::CheckEncoding(signature, entry.encoding));
  const auto& tensors = entry.encoding.tensors;
  if (tensors.size() != 1 ||
      (tensors[0].type != Type::kFloat64 && tensors[0].type != Type::kFloat32)) {
    return InvalidArgument(
        "the own evaluator reads one tensor of type float64 or float32; the encoding has another");
  }
  OwnProgram program =
      PENSTOCK_TRY(OwnProgram::FromBytes(bytes, static_cast<int64_t>(tensors[0].columns.size())));
  PENSTOCK_TRY(CheckFit(signature, program));
  const int64_t widest = std::max<int64_t>({1, program.features, program.outputs()});
  const int64_t rows = std::clamp<int64_t>(options.scratch_rows, 1,
                                           std::max<int64_t>(1, kScratchValuesMax / widest));
  std::unique_ptr<Model> model =
      std::make_unique<OwnModel>(signature, entry, std::move(program), rows);
  return model;
}

}  // namespace penstock::engine
