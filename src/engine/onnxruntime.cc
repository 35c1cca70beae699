// SPDX-License-Identifier: Apache-2.0
#include "engine/onnxruntime.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>
#include <vector>

#include "base/names.h"
#include "engine/cost.h"
#include "engine/labels.h"
#include "engine/onnx_external.h"
#include "engine/onnx_session.h"

namespace penstock::engine {
namespace {

using package::Type;

constexpr size_t kKeptBindings = 7;
constexpr int64_t kKeptRowsMax = int64_t{1} << (kKeptBindings - 1);
constexpr std::string_view kReading = "ONNX Runtime did not hand out its answer";

ONNXTensorElementDataType ElementTypeOf(Type type) {
  switch (type) {
    case Type::kFloat64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
    case Type::kFloat32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case Type::kInt64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case Type::kString:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;
    case Type::kBool:
      break;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

bool IsNumber(ONNXTensorElementDataType type) {
  return type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ||
         type == ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE ||
         type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 || type == ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
}

std::vector<std::string> NamesOf(const std::vector<OnnxTensorInfo>& tensors) {
  std::vector<std::string> names;
  for (const OnnxTensorInfo& tensor : tensors) names.push_back(tensor.name);
  return names;
}

const OnnxTensorInfo* FindTensor(const std::vector<OnnxTensorInfo>& tensors,
                                 std::string_view name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

// The encoding feeds every input of the model with tensors of its type and width.
Status CheckInputs(const OnnxSession& session, const package::Encoding& encoding) {
  if (session.inputs().size() != encoding.tensors.size()) {
    return InvalidArgument(fmt::format(
        "the ONNX model has {} inputs ({}); the encoding has {} tensors", session.inputs().size(),
        QuotedList(NamesOf(session.inputs())), encoding.tensors.size()));
  }
  for (const package::TensorSpec& spec : encoding.tensors) {
    const OnnxTensorInfo* input = FindTensor(session.inputs(), spec.name);
    if (input == nullptr) {
      return InvalidArgument(fmt::format("the ONNX model has no input '{}'; it has {}", spec.name,
                                         QuotedList(NamesOf(session.inputs()))));
    }
    if (input->type != ElementTypeOf(spec.type)) {
      return InvalidArgument(
          fmt::format("input '{}' of the ONNX model is not of type {}, as the encoding says",
                      spec.name, TypeName(spec.type)));
    }
    const auto width = static_cast<int64_t>(spec.columns.size());
    const bool is_list = input->rank() == 1 && width == 1;
    const bool is_matrix =
        input->rank() == 2 && (input->shape[1] == width || input->shape[1] == -1);
    if ((!is_list && !is_matrix) || input->shape[0] != -1) {
      return InvalidArgument(
          fmt::format("input '{}' of the ONNX model has the shape [{}]; any number of rows, with "
                      "{} values each, was "
                      "expected",
                      spec.name, fmt::join(input->shape, ", "), width));
    }
  }
  return {};
}

// What an output of the model means.
enum class Role { kClassIndex, kLabel, kProbabilities, kValues };

struct AnswerPart {
  Role role = Role::kValues;
  OnnxTensorInfo info;
};

class OnnxModel final : public Model {
 public:
  static Result<std::unique_ptr<Model>> Make(const package::Signature& signature,
                                             const package::EngineEntry& entry,
                                             std::unique_ptr<OnnxSession> session) {
    std::unique_ptr<OnnxModel> model(new OnnxModel(signature, entry, std::move(session)));
    PENSTOCK_TRY(model->FindParts());
    model->outputs_ = model->LearnShapes();
    model->cost_ = MeasureCost(*model);
    return std::unique_ptr<Model>(std::move(model));
  }

  Result<std::unique_ptr<Instance>> NewInstance() const override;
  const package::Signature& signature() const override { return signature_; }
  const package::EngineEntry& entry() const override { return entry_; }
  Cost cost() const override { return cost_; }

  const OnnxSession& session() const { return *session_; }
  const std::vector<AnswerPart>& parts() const { return parts_; }
  const std::vector<OnnxBinding::Output>& outputs() const { return outputs_; }
  const Labels& labels() const { return labels_; }
  int64_t class_count() const {
    return static_cast<int64_t>(package::ClassCount(signature_.classes));
  }
  int64_t value_width() const { return std::max<int64_t>(1, signature_.prediction_width); }

 private:
  OnnxModel(const package::Signature& signature, const package::EngineEntry& entry,
            std::unique_ptr<OnnxSession> session)
      : signature_(signature),
        entry_(entry),
        session_(std::move(session)),
        labels_(signature.classes) {}

  Status FindParts();
  Status FindPart(std::string_view member, Role role);
  Status CheckPart(const AnswerPart& part) const;
  std::vector<OnnxBinding::Output> LearnShapes() const;
  Result<std::vector<OnnxTensorInfo>> ShapesOf(int64_t rows) const;

  package::Signature signature_;
  package::EngineEntry entry_;
  std::unique_ptr<OnnxSession> session_;
  Labels labels_;
  std::vector<AnswerPart> parts_;
  std::vector<OnnxBinding::Output> outputs_;  // as parts_
  Cost cost_;
};

Status OnnxModel::FindParts() {
  if (class_count() == 0) {
    PENSTOCK_TRY(FindPart("values", Role::kValues));
    if (parts_.empty()) return InvalidArgument("the options of the engine name no output 'values'");
    return {};
  }
  PENSTOCK_TRY(FindPart("class_index", Role::kClassIndex));
  if (parts_.empty()) PENSTOCK_TRY(FindPart("label", Role::kLabel));
  const bool needs_probabilities = signature_.has_probabilities || parts_.empty();
  if (needs_probabilities) PENSTOCK_TRY(FindPart("probabilities", Role::kProbabilities));
  if (needs_probabilities && (parts_.empty() || parts_.back().role != Role::kProbabilities)) {
    return InvalidArgument(
        "the options of the engine name no output 'probabilities', which the signature needs");
  }
  return {};
}

// Leaves out what the options leave out.
Status OnnxModel::FindPart(std::string_view member, Role role) {
  if (entry_.options.Find(member) == nullptr) return {};
  const std::string name = PENSTOCK_TRY(entry_.options.String(member));
  const OnnxTensorInfo* output = FindTensor(session_->outputs(), name);
  if (output == nullptr) {
    return InvalidArgument(fmt::format("the ONNX model has no output '{}'; it has {}", name,
                                       QuotedList(NamesOf(session_->outputs()))));
  }
  parts_.push_back({role, *output});
  return CheckPart(parts_.back());
}

Status OnnxModel::CheckPart(const AnswerPart& part) const {
  const std::string& name = part.info.name;
  if (part.info.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED) {
    return InvalidArgument(fmt::format(
        "output '{}' of the ONNX model is no tensor; export it as one (skl2onnx: zipmap=False)",
        name));
  }
  const bool is_text = part.info.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;
  if (!is_text && !IsNumber(part.info.type)) {
    return InvalidArgument(
        fmt::format("output '{}' of the ONNX model has elements of type {}; float, double, int64, "
                    "bool or string was "
                    "expected",
                    name, static_cast<int>(part.info.type)));
  }
  if (part.role == Role::kClassIndex) {
    if (part.info.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) return {};
    return InvalidArgument(fmt::format(
        "output '{}' of the ONNX model is the index of a class; int64 was expected", name));
  }
  if (part.role == Role::kLabel) {
    const bool is_bool = std::holds_alternative<std::vector<bool>>(signature_.classes);
    if (is_text == labels_.are_strings() || (is_text && is_bool)) return {};
    return InvalidArgument(fmt::format(
        "output '{}' of the ONNX model gives labels of another type than the signature's "
        "classes",
        name));
  }
  if (is_text)
    return InvalidArgument(
        fmt::format("output '{}' of the ONNX model gives texts, not numbers", name));
  return {};
}

Result<std::vector<OnnxTensorInfo>> OnnxModel::ShapesOf(int64_t rows) const {
  std::vector<OnnxBinding::Output> outputs;
  for (const AnswerPart& part : parts_) outputs.push_back({part.info, false});
  OnnxBinding binding = PENSTOCK_TRY(OnnxBinding::Make(*session_, entry_.encoding, outputs, rows));
  package::Tensors tensors(&signature_, &entry_.encoding, package::Limits::kNone);
  FillWithNumbers(tensors, rows);
  PENSTOCK_TRY(binding.SetInputs(tensors.tensors(), rows));
  PENSTOCK_TRY(binding.Run());
  std::vector<OnnxTensorInfo> shapes;
  for (size_t i = 0; i < parts_.size(); ++i) {
    shapes.push_back(PENSTOCK_TRY(binding.output_info(i)));
  }
  return shapes;
}

// A model may declare other shapes than it gives. Where one row and three rows show that an output
// has a fixed number of values a row, calls can write to memory that is allocated once.
std::vector<OnnxBinding::Output> OnnxModel::LearnShapes() const {
  const auto one = ShapesOf(1);
  const auto three = ShapesOf(3);
  const bool is_known = one.ok() && three.ok();
  std::vector<OnnxBinding::Output> outputs;
  for (size_t i = 0; i < parts_.size(); ++i) {
    OnnxBinding::Output output{parts_[i].info, false};
    if (is_known && !(*one)[i].shape.empty() && (*one)[i].shape[0] == 1) {
      std::vector<int64_t> expected = (*one)[i].shape;
      expected[0] = 3;
      output.is_fixed = (*three)[i].shape == expected && (*three)[i].type == output.info.type;
      output.info.shape = expected;
    }
    outputs.push_back(std::move(output));
  }
  return outputs;
}

class OnnxInstance final : public Instance {
 public:
  explicit OnnxInstance(const OnnxModel& model) : model_(model) {}

  Status Predict(const package::Tensors& input, Predictions& output) override {
    output.rows = input.rows();
    output.is_float32 = model_.entry().precision == Type::kFloat32;
    output.class_index.clear();
    output.values.clear();
    output.probabilities.clear();
    if (input.rows() == 0) return {};
    OnnxBinding* binding = PENSTOCK_TRY(BindingFor(input.rows()));
    PENSTOCK_TRY(binding->SetInputs(input.tensors(), input.rows()));
    PENSTOCK_TRY(binding->Run());
    for (size_t i = 0; i < model_.parts().size(); ++i) {
      OnnxOutput given = PENSTOCK_TRY(binding->output(i));
      if (given.count % binding->rows() != 0) return Uneven(model_.parts()[i], given, *binding);
      given.count = given.count / binding->rows() * input.rows();
      PENSTOCK_TRY(Read(model_.parts()[i], given, output));
    }
    Complete(output);
    return {};
  }

 private:
  // Making a binding takes longer than a call, and batches come in every size: small ones have a
  // binding for the next power of two, which stays; one more is for the last number beyond.
  Result<OnnxBinding*> BindingFor(int64_t given) {
    const bool is_small = given <= kKeptRowsMax;
    const int64_t rows =
        is_small ? static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(given))) : given;
    std::optional<OnnxBinding>& binding =
        is_small ? kept_[static_cast<size_t>(std::countr_zero(static_cast<uint64_t>(rows)))]
                 : large_;
    if (!binding || binding->rows() != rows) {
      binding.reset();
      binding.emplace(PENSTOCK_TRY(
          OnnxBinding::Make(model_.session(), model_.entry().encoding, model_.outputs(), rows)));
    }
    return &*binding;
  }

  static Status Uneven(const AnswerPart& part, const OnnxOutput& given,
                       const OnnxBinding& binding) {
    return Internal(
        fmt::format("output '{}' of the ONNX model has {} values for {} rows; as many "
                    "for each row were expected",
                    part.info.name, given.count, binding.rows()));
  }

  Status Read(const AnswerPart& part, const OnnxOutput& given, Predictions& output) {
    if (part.role == Role::kClassIndex) return ReadClassIndex(part, given, output);
    if (part.role == Role::kLabel) return ReadLabels(part, given, output);
    std::vector<double>& target = part.role == Role::kValues ? output.values : output.probabilities;
    PENSTOCK_TRY(ReadNumbers(given, target));
    if (part.role == Role::kProbabilities && model_.class_count() == 2 &&
        given.count == output.rows) {
      ExpandBinary(target);
    }
    const int64_t width = part.role == Role::kValues ? model_.value_width() : model_.class_count();
    // By division: the product may lie beyond int64.
    const auto count = static_cast<int64_t>(target.size());
    if (count % output.rows == 0 && count / output.rows == width) return {};
    return Internal(fmt::format(
        "output '{}' of the ONNX model has {} values for {} rows; {} a row were expected",
        part.info.name, given.count, output.rows, width));
  }

  // A single column is the probability of the second class.
  static void ExpandBinary(std::vector<double>& probabilities) {
    const size_t rows = probabilities.size();
    probabilities.resize(2 * rows);
    for (size_t i = rows; i-- > 0;) {
      const double second = probabilities[i];
      probabilities[2 * i] = 1 - second;
      probabilities[2 * i + 1] = second;
    }
  }

  template <typename T>
  static void Assign(const OnnxOutput& given, std::vector<double>& target) {
    target.assign(static_cast<const T*>(given.data),
                  static_cast<const T*>(given.data) + given.count);
  }

  static Status ReadNumbers(const OnnxOutput& given, std::vector<double>& target) {
    switch (given.type) {
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
        Assign<float>(given, target);
        return {};
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
        Assign<double>(given, target);
        return {};
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
        Assign<int64_t>(given, target);
        return {};
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
        Assign<bool>(given, target);
        return {};
      default:
        return Internal(
            fmt::format("ONNX Runtime gave elements of type {}", static_cast<int>(given.type)));
    }
  }

  Status ReadClassIndex(const AnswerPart& part, const OnnxOutput& given,
                        Predictions& output) const {
    const auto* indices = static_cast<const int64_t*>(given.data);
    output.class_index.assign(indices, indices + given.count);
    const auto is_class = [this](int64_t i) { return i >= 0 && i < model_.class_count(); };
    if (given.count == output.rows && std::ranges::all_of(output.class_index, is_class)) return {};
    return Internal(
        fmt::format("output '{}' of the ONNX model has {} values for {} rows; the index of one of "
                    "{} classes for each was expected",
                    part.info.name, given.count, output.rows, model_.class_count()));
  }

  Status ReadLabels(const AnswerPart& part, const OnnxOutput& given, Predictions& output) {
    if (given.count != output.rows) {
      return Internal(fmt::format("output '{}' of the ONNX model has {} labels for {} rows",
                                  part.info.name, given.count, output.rows));
    }
    output.class_index.resize(static_cast<size_t>(given.count));
    if (given.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING)
      return ReadTextLabels(part, given, output);
    // Integers beyond 2^53 must stay exact.
    if (given.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
      return FindLabels(part, static_cast<const int64_t*>(given.data), output);
    }
    PENSTOCK_TRY(ReadNumbers(given, numbers_));
    return FindLabels(part, numbers_.data(), output);
  }

  template <typename Label>
  Status FindLabels(const AnswerPart& part, const Label* labels, Predictions& output) const {
    for (size_t i = 0; i < output.class_index.size(); ++i) {
      output.class_index[i] = model_.labels().Find(labels[i]);
      if (output.class_index[i] < 0) return UnknownLabel(part, labels[i]);
    }
    return {};
  }

  Status ReadTextLabels(const AnswerPart& part, const OnnxOutput& given, Predictions& output) {
    const OrtApi& api = model_.session().api();
    const OrtLibrary& library = model_.session().library();
    for (size_t i = 0; i < output.class_index.size(); ++i) {
      size_t length = 0;
      PENSTOCK_TRY(
          library.Take(api.GetStringTensorElementLength(given.value, i, &length), kReading));
      text_.resize(length);
      PENSTOCK_TRY(
          library.Take(api.GetStringTensorElement(given.value, length, i, text_.data()), kReading));
      output.class_index[i] = model_.labels().Find(std::string_view(text_));
      if (output.class_index[i] < 0) return UnknownLabel(part, text_);
    }
    return {};
  }

  template <typename Label>
  static Status UnknownLabel(const AnswerPart& part, const Label& label) {
    return Internal(fmt::format(
        "output '{}' of the ONNX model gave the label '{}', which is not one of the signature's "
        "classes",
        part.info.name, label));
  }

  // The label where the model gives only probabilities; and only what the signature has.
  void Complete(Predictions& output) const {
    const auto classes = static_cast<size_t>(model_.class_count());
    if (classes > 0 && output.class_index.empty()) {
      for (auto row = output.probabilities.begin(); row != output.probabilities.end();
           row += Step(classes)) {
        output.class_index.push_back(std::max_element(row, row + Step(classes)) - row);
      }
    }
    if (!model_.signature().has_probabilities) output.probabilities.clear();
  }
  static std::ptrdiff_t Step(size_t classes) { return static_cast<std::ptrdiff_t>(classes); }

  const OnnxModel& model_;
  std::array<std::optional<OnnxBinding>, kKeptBindings> kept_;  // for 1, 2, 4, ... rows
  std::optional<OnnxBinding> large_;
  std::vector<double> numbers_;
  std::string text_;
};

Result<std::unique_ptr<Instance>> OnnxModel::NewInstance() const {
  std::unique_ptr<Instance> instance = std::make_unique<OnnxInstance>(*this);
  return instance;
}

}  // namespace

Result<std::unique_ptr<Model>> LoadOnnx(const package::Signature& signature,
                                        const package::EngineEntry& entry, std::string_view bytes,
                                        const LoadOptions& options) {
  PENSTOCK_TRY(package::CheckEncoding(signature, entry.encoding));
  PENSTOCK_TRY(CheckSelfContained(bytes));
  auto session =
      PENSTOCK_TRY(OnnxSession::Load(PENSTOCK_TRY(OrtLibrary::Open(options.onnxruntime)), bytes));
  PENSTOCK_TRY(CheckInputs(*session, entry.encoding));
  return OnnxModel::Make(signature, entry, std::move(session));
}

}  // namespace penstock::engine
