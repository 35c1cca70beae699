// SPDX-License-Identifier: Apache-2.0
#include "package/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>
#include <utility>

namespace penstock::package {
namespace {

template <typename T, size_t kCount>
using NameTable = std::array<std::pair<T, std::string_view>, kCount>;

constexpr NameTable<Type, 5> kTypes = {{{Type::kBool, "bool"},
                                        {Type::kInt64, "int64"},
                                        {Type::kFloat32, "float32"},
                                        {Type::kFloat64, "float64"},
                                        {Type::kString, "string"}}};

constexpr NameTable<Task, 5> kTasks = {{{Task::kClassification, "classification"},
                                        {Task::kRegression, "regression"},
                                        {Task::kClustering, "clustering"},
                                        {Task::kOutlierDetection, "outlier_detection"},
                                        {Task::kOther, "other"}}};

template <typename T, size_t kCount>
std::string_view NameOf(const NameTable<T, kCount>& table, T value) {
  for (const auto& [candidate, name] : table) {
    if (candidate == value) return name;
  }
  return "";
}

template <typename T, size_t kCount>
Result<T> FromName(const NameTable<T, kCount>& table, std::string_view what,
                   std::string_view name) {
  std::string known;
  for (const auto& [value, candidate] : table) {
    if (candidate == name) return value;
    known += fmt::format("{}'{}'", known.empty() ? "" : ", ", candidate);
  }
  return InvalidArgument(fmt::format("'{}' is no {}; one of {} was expected", name, what, known));
}

json::Value BoundToJson(const Bound& bound) {
  return json::Object{{"value", bound.value},
                      {"refused_by_original", bound.refused_by_original},
                      {"reason", bound.reason}};
}

Result<Bound> BoundFromJson(const json::Value& value) {
  Bound bound;
  bound.value = PENSTOCK_TRY(value.Number("value"));
  if (!(bound.value >= 0))
    return InvalidArgument(fmt::format("'abs_max' is {}; 0 or more was expected", bound.value));
  bound.refused_by_original = PENSTOCK_TRY(value.Bool("refused_by_original"));
  bound.reason = PENSTOCK_TRY(value.String("reason"));
  return bound;
}

json::Value InputToJson(const Input& input) {
  json::Value value(json::Object{{"name", input.name},
                                 {"type", TypeName(input.type)},
                                 {"allows_missing", input.allows_missing},
                                 {"allows_infinity", input.allows_infinity}});
  if (!input.missing_reason.empty()) value.Set("missing_reason", input.missing_reason);
  if (input.abs_max) value.Set("abs_max", BoundToJson(*input.abs_max));
  if (!input.categories.empty()) {
    value.Set("categories", json::Array(input.categories.begin(), input.categories.end()));
    value.Set("categories_reason", input.categories_reason);
  }
  return value;
}

Status CategoriesFromJson(const json::Value& value, Input& input) {
  if (value.Find("categories") == nullptr) return {};
  if (input.type != Type::kString)
    return InvalidArgument("'categories' stand only in a column of strings");
  for (const json::Value& category : PENSTOCK_TRY(value.List("categories"))) {
    if (!category.if_string()) return InvalidArgument("a category must be a string");
    input.categories.push_back(*category.if_string());
  }
  // In memory an empty list means that every string is answered.
  if (input.categories.empty())
    return InvalidArgument("'categories' is empty; at least one string was expected, or no list");
  std::ranges::sort(input.categories);
  input.categories_reason = PENSTOCK_TRY(value.String("categories_reason"));
  return {};
}

Result<Input> InputFromJson(const json::Value& value) {
  Input input;
  input.name = PENSTOCK_TRY(value.String("name"));
  input.type = PENSTOCK_TRY(TypeFromName(PENSTOCK_TRY(value.String("type"))));
  input.allows_missing = PENSTOCK_TRY(value.Bool("allows_missing"));
  input.allows_infinity = PENSTOCK_TRY(value.Bool("allows_infinity"));
  if (value.Find("missing_reason") != nullptr)
    input.missing_reason = PENSTOCK_TRY(value.String("missing_reason"));
  if (const json::Value* bound = value.Find("abs_max"))
    input.abs_max = PENSTOCK_TRY(BoundFromJson(*bound));
  PENSTOCK_TRY(CategoriesFromJson(value, input));
  return input;
}

Result<std::vector<Input>> InputsFromJson(const json::Array& array) {
  std::vector<Input> inputs;
  std::unordered_set<std::string> names;
  for (size_t i = 0; i < array.size(); ++i) {
    auto input = InputFromJson(array[i]);
    if (!input.ok()) return input.status().Prefixed(fmt::format("input {}", i));
    if (!names.insert(input->name).second)
      return InvalidArgument(fmt::format("input '{}' stands twice", input->name));
    inputs.push_back(*std::move(input));
  }
  return inputs;
}

struct ClassesWriter {
  json::Value operator()(std::monostate) const { return nullptr; }
  json::Value operator()(const std::vector<int64_t>& labels) const {
    return Labels("int64", labels);
  }
  json::Value operator()(const std::vector<double>& labels) const {
    return Labels("float64", labels);
  }
  json::Value operator()(const std::vector<std::string>& labels) const {
    return Labels("string", labels);
  }
  json::Value operator()(const std::vector<bool>& labels) const { return Labels("bool", labels); }

  template <typename T>
  static json::Value Labels(std::string_view type, const std::vector<T>& labels) {
    json::Array values;
    for (const T& label : labels) values.emplace_back(label);
    return json::Object{{"type", type}, {"labels", std::move(values)}};
  }
};

Result<int64_t> LabelFromJson(const json::Value& value, int64_t*) {
  if (!value.if_int()) return InvalidArgument("a label of type int64 must be an integer");
  return *value.if_int();
}
Result<double> LabelFromJson(const json::Value& value, double*) {
  if (!value.is_number()) return InvalidArgument("a label of type float64 must be a number");
  return value.number();
}
Result<std::string> LabelFromJson(const json::Value& value, std::string*) {
  if (!value.if_string()) return InvalidArgument("a label of type string must be a string");
  return *value.if_string();
}
Result<bool> LabelFromJson(const json::Value& value, bool*) {
  if (!value.if_bool()) return InvalidArgument("a label of type bool must be true or false");
  return *value.if_bool();
}

template <typename T>
Result<Classes> LabelsFromJson(const json::Array& array) {
  std::vector<T> labels;
  for (const json::Value& value : array) {
    labels.push_back(PENSTOCK_TRY(LabelFromJson(value, static_cast<T*>(nullptr))));
  }
  std::vector<T> sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return InvalidArgument("a label stands twice in 'classes'");
  }
  return Classes(std::move(labels));
}

Result<Classes> ClassesFromJson(const json::Value& value) {
  if (value.is_null()) return Classes();
  const json::Array labels = PENSTOCK_TRY(value.List("labels"));
  if (labels.empty()) return InvalidArgument("'classes' has no labels; at least one was expected");
  switch (PENSTOCK_TRY(TypeFromName(PENSTOCK_TRY(value.String("type"))))) {
    case Type::kBool:
      return LabelsFromJson<bool>(labels);
    case Type::kInt64:
      return LabelsFromJson<int64_t>(labels);
    case Type::kFloat64:
      return LabelsFromJson<double>(labels);
    case Type::kString:
      return LabelsFromJson<std::string>(labels);
    case Type::kFloat32:
      break;
  }
  return InvalidArgument("labels of type 'float32' are not supported; 'float64' was expected");
}

Status CheckConsistency(const Signature& signature) {
  const size_t classes = ClassCount(signature.classes);
  if ((signature.task == Task::kClassification) != (classes > 0)) {
    return InvalidArgument(
        fmt::format("a signature for {} has {} classes; classification, and nothing else, has some",
                    TaskName(signature.task), classes));
  }
  if (signature.has_probabilities && classes == 0) {
    return InvalidArgument("a signature without classes says that the model has probabilities");
  }
  if (signature.prediction_width < 0 || signature.prediction_width > kPredictionWidthMax) {
    return InvalidArgument(fmt::format("'width' is {}; 0 to {} was expected",
                                       signature.prediction_width, kPredictionWidthMax));
  }
  if (signature.inputs.empty())
    return InvalidArgument("a signature has no inputs; at least one was expected");
  return {};
}

}  // namespace

std::string_view TypeName(Type type) { return NameOf(kTypes, type); }

Result<Type> TypeFromName(std::string_view name) {
  return FromName(kTypes, "type of a value", name);
}

std::string_view TaskName(Task task) { return NameOf(kTasks, task); }

Result<Task> TaskFromName(std::string_view name) {
  return FromName(kTasks, "task of a model", name);
}

size_t ClassCount(const Classes& classes) {
  return std::visit(
      [](const auto& labels) -> size_t {
        if constexpr (std::is_same_v<std::decay_t<decltype(labels)>, std::monostate>) {
          return 0;
        } else {
          return labels.size();
        }
      },
      classes);
}

int64_t Signature::answer_cells() const {
  const auto probabilities = has_probabilities ? static_cast<int64_t>(ClassCount(classes)) : 0;
  return std::max({int64_t{1}, probabilities, prediction_width});
}

json::Value Signature::ToJson() const {
  json::Array columns;
  for (const Input& input : inputs) columns.push_back(InputToJson(input));
  json::Value prediction(json::Object{{"type", TypeName(prediction_type)},
                                      {"width", prediction_width},
                                      {"dtype", prediction_dtype}});
  json::Value value = json::Object{{"task", TaskName(task)},
                                   {"has_column_names", has_column_names},
                                   {"inputs", std::move(columns)},
                                   {"classes", std::visit(ClassesWriter(), classes)},
                                   {"has_probabilities", has_probabilities},
                                   {"prediction", std::move(prediction)}};
  if (output) value.Set("output", output->ToJson());
  return value;
}

Result<Signature> Signature::FromJson(const json::Value& value) {
  Signature signature;
  signature.task = PENSTOCK_TRY(TaskFromName(PENSTOCK_TRY(value.String("task"))));
  signature.has_column_names = PENSTOCK_TRY(value.Bool("has_column_names"));
  signature.inputs = PENSTOCK_TRY(InputsFromJson(PENSTOCK_TRY(value.List("inputs"))));
  signature.classes = PENSTOCK_TRY(ClassesFromJson(PENSTOCK_TRY(value.Member("classes"))));
  signature.has_probabilities = PENSTOCK_TRY(value.Bool("has_probabilities"));
  const json::Value prediction = PENSTOCK_TRY(value.Member("prediction"));
  signature.prediction_type = PENSTOCK_TRY(TypeFromName(PENSTOCK_TRY(prediction.String("type"))));
  signature.prediction_width = PENSTOCK_TRY(prediction.Int("width"));
  signature.prediction_dtype = PENSTOCK_TRY(prediction.String("dtype"));
  if (const json::Value* output = value.Find("output")) {
    signature.output = PENSTOCK_TRY(
        Output::FromJson(*output, ClassCount(signature.classes), signature.has_probabilities));
  }
  PENSTOCK_TRY(CheckConsistency(signature));
  return signature;
}

}  // namespace penstock::package
