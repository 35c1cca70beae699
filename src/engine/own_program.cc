// SPDX-License-Identifier: Apache-2.0
#include "engine/own_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace penstock::engine {
namespace {

constexpr std::array<std::pair<Link, std::string_view>, 5> kLinks = {
    {{Link::kIdentity, "identity"},
     {Link::kIdentityDecision, "identity_decision"},
     {Link::kLogistic, "logistic"},
     {Link::kSoftmax, "softmax"},
     {Link::kOneVsRest, "one_vs_rest"}}};

Result<Link> LinkFromName(std::string_view name) {
  std::string known;
  for (const auto& [link, candidate] : kLinks) {
    if (candidate == name) return link;
    known += fmt::format("{}'{}'", known.empty() ? "" : ", ", candidate);
  }
  return InvalidArgument(fmt::format("'{}' is no link; one of {} was expected", name, known));
}

template <typename Operation>
void ForEachCell(double* x, int64_t rows, int64_t columns, const double* by, bool is_float32,
                 Operation operation) {
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    if (is_float32) {
      for (int64_t i = 0; i < columns; ++i)
        x[i] = static_cast<double>(static_cast<float>(operation(x[i], by[i])));
    } else {
      for (int64_t i = 0; i < columns; ++i) x[i] = operation(x[i], by[i]);
    }
  }
}

class Compiler {
 public:
  Compiler(const OwnFile& file, int64_t features) : file_(file) { program_.features = features; }

  Result<OwnProgram> Compile() {
    const json::Array& steps = *file_.steps.if_array();
    for (size_t i = 0; i < steps.size(); ++i) {
      const bool is_last = i + 1 == steps.size();
      const Status status = AddStep(steps[i], is_last);
      if (!status.ok()) return status.Prefixed(fmt::format("step {} of the evaluator", i));
    }
    if (!has_model_) return InvalidArgument("the evaluator has no step");
    return std::move(program_);
  }

 private:
  Status AddStep(const json::Value& step, bool is_last) {
    const std::string op = PENSTOCK_TRY(step.String("op"));
    const bool is_model = op == "linear" || op == "forest";
    if (!is_model && op != "scale" && op != "affine") {
      return InvalidArgument(fmt::format(
          "'{}' is no operation; 'scale', 'affine', 'linear' or 'forest' was expected", op));
    }
    if (is_model != is_last) {
      return InvalidArgument(
          fmt::format("'{}' stands {}; a model, and nothing else, was expected at the end", op,
                      is_last ? "last" : "before the last"));
    }
    has_model_ = is_model;
    if (op == "scale") return AddScale(step);
    if (op == "affine") return AddAffine(step);
    return op == "linear" ? AddLinear(step) : AddForest(step);
  }

  Status AddScale(const json::Value& step) {
    PENSTOCK_TRY(AddTransform(step, "center", Transform::Kind::kSubtract));
    return AddTransform(step, "scale", Transform::Kind::kDivide);
  }

  Status AddAffine(const json::Value& step) {
    PENSTOCK_TRY(AddTransform(step, "scale", Transform::Kind::kMultiply));
    PENSTOCK_TRY(AddTransform(step, "offset", Transform::Kind::kAdd));
    const json::Value* clip = step.Find("clip");
    if (clip == nullptr || clip->is_null()) return {};
    const json::Array* range = clip->if_array();
    if (range == nullptr || range->size() != 2 || !(*range)[0].is_number() ||
        !(*range)[1].is_number()) {
      return InvalidArgument("'clip' is not a list of two numbers");
    }
    const std::vector<double> by = {(*range)[0].number(), (*range)[1].number()};
    program_.transforms.push_back({Transform::Kind::kClip, by, PENSTOCK_TRY(IsFloat32(step))});
    return {};
  }

  // Nothing where the member is null or missing.
  Status AddTransform(const json::Value& step, std::string_view member, Transform::Kind kind) {
    const json::Value* name = step.Find(member);
    if (name == nullptr || name->is_null()) return {};
    const OwnArray* array = PENSTOCK_TRY(Array(step, member));
    if (array->ElementCount() != program_.features) {
      return InvalidArgument(
          fmt::format("array '{}' has {} elements; one for each of the {} features was expected",
                      array->name, array->ElementCount(), program_.features));
    }
    program_.transforms.push_back({kind, array->Numbers(), PENSTOCK_TRY(IsFloat32(step))});
    return {};
  }

  Status AddLinear(const json::Value& step) {
    const OwnArray* coef = PENSTOCK_TRY(Array(step, "coef"));
    const OwnArray* intercept = PENSTOCK_TRY(Array(step, "intercept"));
    const Link link = PENSTOCK_TRY(LinkFromName(PENSTOCK_TRY(step.String("link"))));
    const bool is_float32 = PENSTOCK_TRY(IsFloat32(step));
    const bool is_matrix =
        coef->shape.size() == 2 && coef->shape[1] == program_.features && coef->shape[0] > 0;
    if (!is_matrix || coef->shape[0] != intercept->ElementCount()) {
      return InvalidArgument(
          fmt::format("'coef' and 'intercept' do not fit together and {} features; [outputs, "
                      "features] and [outputs] "
                      "were expected",
                      program_.features));
    }
    if (link == Link::kLogistic && coef->shape[0] != 1) {
      return InvalidArgument(
          fmt::format("link 'logistic' has {} outputs; 1 was expected", coef->shape[0]));
    }
    if ((link == Link::kSoftmax || link == Link::kOneVsRest) && coef->shape[0] < 2) {
      return InvalidArgument("links 'softmax' and 'one_vs_rest' need 2 outputs or more");
    }
    program_.model =
        LinearStep{Linear(coef->Numbers(), intercept->Numbers(), program_.features, is_float32),
                   link, is_float32};
    return {};
  }

  Status AddForest(const json::Value& step) {
    ForestNodes nodes;
    nodes.roots = PENSTOCK_TRY(PENSTOCK_TRY(Array(step, "roots"))->Integers());
    nodes.feature = PENSTOCK_TRY(PENSTOCK_TRY(Array(step, "feature"))->Integers());
    nodes.threshold = PENSTOCK_TRY(Array(step, "threshold"))->Numbers();
    nodes.left = PENSTOCK_TRY(PENSTOCK_TRY(Array(step, "left"))->Integers());
    nodes.right = PENSTOCK_TRY(PENSTOCK_TRY(Array(step, "right"))->Integers());
    nodes.missing_left = PENSTOCK_TRY(PENSTOCK_TRY(Array(step, "missing_left"))->Integers());
    const OwnArray* value = PENSTOCK_TRY(Array(step, "value"));
    if (value->shape.size() != 2)
      return InvalidArgument("'value' is no matrix of [nodes, outputs]");
    nodes.value = value->Numbers();
    nodes.outputs = value->shape[1];
    const std::string mode = PENSTOCK_TRY(step.String("mode"));
    if (mode != "classifier" && mode != "regressor") {
      return InvalidArgument(
          fmt::format("'mode' is '{}'; 'classifier' or 'regressor' was expected", mode));
    }
    program_.model =
        ForestStep{PENSTOCK_TRY(Forest::Make(nodes, program_.features)), mode == "classifier"};
    return {};
  }

  Result<const OwnArray*> Array(const json::Value& step, std::string_view member) const {
    const std::string name = PENSTOCK_TRY(step.String(member));
    const OwnArray* array = file_.Find(name);
    if (array == nullptr) {
      return InvalidArgument(fmt::format(
          "member '{}' names the array '{}', which the file does not have", member, name));
    }
    return array;
  }

  static Result<bool> IsFloat32(const json::Value& step) {
    if (step.Find("dtype") == nullptr) return false;
    const std::string dtype = PENSTOCK_TRY(step.String("dtype"));
    if (dtype != "float32" && dtype != "float64") {
      return InvalidArgument(
          fmt::format("'dtype' is '{}'; 'float32' or 'float64' was expected", dtype));
    }
    return dtype == "float32";
  }

  const OwnFile& file_;
  OwnProgram program_{.model = ForestStep{}};
  bool has_model_ = false;
};

}  // namespace

void Transform::Apply(double* x, int64_t rows, int64_t columns) const {
  switch (kind) {
    case Kind::kSubtract:
      return ForEachCell(x, rows, columns, by.data(), is_float32,
                         [](double a, double b) { return a - b; });
    case Kind::kDivide:
      return ForEachCell(x, rows, columns, by.data(), is_float32,
                         [](double a, double b) { return a / b; });
    case Kind::kMultiply:
      return ForEachCell(x, rows, columns, by.data(), is_float32,
                         [](double a, double b) { return a * b; });
    case Kind::kAdd:
      return ForEachCell(x, rows, columns, by.data(), is_float32,
                         [](double a, double b) { return a + b; });
    case Kind::kClip:
      for (int64_t i = 0; i < rows * columns; ++i)
        x[i] = x[i] < by[0] ? by[0] : (x[i] > by[1] ? by[1] : x[i]);
  }
}

Result<OwnProgram> OwnProgram::FromBytes(std::string_view bytes, int64_t features) {
  const OwnFile file = PENSTOCK_TRY(ReadOwn(bytes));
  return Compiler(file, features).Compile();
}

int64_t OwnProgram::outputs() const {
  if (const auto* step = std::get_if<ForestStep>(&model)) return step->forest.outputs();
  return std::get<LinearStep>(model).linear.outputs();
}

int64_t OwnProgram::class_count() const {
  if (const auto* step = std::get_if<ForestStep>(&model))
    return step->is_classifier ? step->forest.outputs() : 0;
  if (std::get<LinearStep>(model).link == Link::kIdentity) return 0;
  return std::max<int64_t>(2, outputs());
}

bool OwnProgram::has_probabilities() const {
  if (const auto* step = std::get_if<ForestStep>(&model)) return step->is_classifier;
  const Link link = std::get<LinearStep>(model).link;
  return link != Link::kIdentity && link != Link::kIdentityDecision;
}

}  // namespace penstock::engine
