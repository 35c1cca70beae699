// SPDX-License-Identifier: Apache-2.0
#include "engine/own_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "engine/step_reader.h"

namespace penstock::engine {
namespace {

bool IsModel(std::string_view op) { return op == "linear" || op == "forest" || op == "boosting"; }

Result<TreeNodes> ReadNodes(const StepReader& reader) {
  TreeNodes nodes;
  nodes.roots = PENSTOCK_TRY(reader.Integers("roots"));
  nodes.feature = PENSTOCK_TRY(reader.Integers("feature"));
  nodes.threshold = PENSTOCK_TRY(reader.Numbers("threshold"));
  nodes.left = PENSTOCK_TRY(reader.Integers("left"));
  nodes.right = PENSTOCK_TRY(reader.Integers("right"));
  nodes.missing_left = PENSTOCK_TRY(reader.Integers("missing_left"));
  if (!reader.Has("category_count")) return nodes;
  nodes.category_begin = PENSTOCK_TRY(reader.Integers("category_begin"));
  nodes.category_count = PENSTOCK_TRY(reader.Integers("category_count"));
  nodes.category_left = PENSTOCK_TRY(reader.Integers("category_left"));
  return nodes;
}

Result<Ending> ReadEnding(const StepReader& reader, int64_t outputs) {
  Ending ending{.link = PENSTOCK_TRY(LinkFromName(PENSTOCK_TRY(reader.step().String("link")))),
                .slope = PENSTOCK_TRY(reader.Number("slope", 1)),
                .zero_is_positive = PENSTOCK_TRY(reader.Flag("zero_is_positive")),
                .is_float32 = PENSTOCK_TRY(reader.IsFloat32())};
  PENSTOCK_TRY(ending.Check(outputs));
  return ending;
}

class Compiler {
 public:
  Compiler(const OwnFile& file, InputWidths inputs) : file_(file), inputs_(inputs) {}

  Result<OwnProgram> Compile() {
    const json::Array& steps = *file_.steps.if_array();
    if (steps.empty()) return InvalidArgument("the evaluator has no step");
    PENSTOCK_TRY(CheckOrder(steps));
    PENSTOCK_TRY(AddSteps(std::span(steps).first(steps.size() - 1)));
    const Status status = AddModel(StepReader(file_, steps.back()));
    if (!status.ok()) {
      return status.Prefixed(fmt::format("step {} of the evaluator", steps.size() - 1));
    }
    return std::move(program_);
  }

 private:
  static Status CheckOrder(const json::Array& steps) {
    for (size_t i = 0; i < steps.size(); ++i) {
      const bool is_last = i + 1 == steps.size();
      const auto op = steps[i].String("op");
      if (!op.ok()) return op.status().Prefixed(fmt::format("step {} of the evaluator", i));
      if (IsModel(*op) == is_last) continue;
      return InvalidArgument(fmt::format(
          "step {} of the evaluator: '{}' stands {}; a model ('linear', 'forest' or 'boosting'), "
          "and nothing else, was expected at the end",
          i, *op, is_last ? "last" : "before the last"));
    }
    return {};
  }

  // Scalers of all columns run on whole batches; anything else needs a preparation.
  Status AddSteps(std::span<const json::Value> steps) {
    const bool are_scalers =
        inputs_.texts == 0 && std::all_of(steps.begin(), steps.end(), [](const json::Value& step) {
          return IsScaler(*step.String("op"));
        });
    program_.features = inputs_.numbers;
    if (!are_scalers) {
      program_.preparation = PENSTOCK_TRY(Preparation::Make(file_, steps, inputs_));
      program_.features = program_.preparation->width();
      return {};
    }
    for (size_t i = 0; i < steps.size(); ++i) {
      auto made = ReadScaler(StepReader(file_, steps[i]), *steps[i].String("op"), inputs_.numbers);
      if (!made.ok()) return made.status().Prefixed(fmt::format("step {} of the evaluator", i));
      std::move(made->begin(), made->end(), std::back_inserter(program_.transforms));
    }
    return {};
  }

  Status AddModel(const StepReader& reader) {
    const std::string op = PENSTOCK_TRY(reader.step().String("op"));
    if (program_.features < 1) return InvalidArgument("no column is left for the model");
    if (op == "linear") return AddLinear(reader);
    return op == "forest" ? AddForest(reader) : AddBoosting(reader);
  }

  Status AddLinear(const StepReader& reader) {
    const OwnArray* coef = PENSTOCK_TRY(reader.Array("coef"));
    const OwnArray* intercept = PENSTOCK_TRY(reader.Array("intercept"));
    const bool is_matrix =
        coef->shape.size() == 2 && coef->shape[1] == program_.features && coef->shape[0] > 0;
    if (!is_matrix || coef->shape[0] != intercept->ElementCount()) {
      return InvalidArgument(
          fmt::format("'coef' and 'intercept' do not fit together and {} features; [outputs, "
                      "features] and [outputs] "
                      "were expected",
                      program_.features));
    }
    const Ending ending = PENSTOCK_TRY(ReadEnding(reader, coef->shape[0]));
    program_.model = LinearStep{
        Linear(coef->Numbers(), intercept->Numbers(), program_.features, ending.is_float32),
        ending};
    return {};
  }

  Status AddForest(const StepReader& reader) {
    const TreeNodes nodes = PENSTOCK_TRY(ReadNodes(reader));
    const OwnArray* value = PENSTOCK_TRY(reader.Array("value"));
    if (value->shape.size() != 2)
      return InvalidArgument("'value' is no matrix of [nodes, outputs]");
    const std::string mode = PENSTOCK_TRY(reader.step().String("mode"));
    if (mode != "classifier" && mode != "regressor") {
      return InvalidArgument(
          fmt::format("'mode' is '{}'; 'classifier' or 'regressor' was expected", mode));
    }
    program_.model = ForestStep{
        PENSTOCK_TRY(Forest::Make(nodes, value->Numbers(), value->shape[1], program_.features)),
        mode == "classifier"};
    return {};
  }

  Status AddBoosting(const StepReader& reader) {
    const TreeNodes nodes = PENSTOCK_TRY(ReadNodes(reader));
    BoostingSums sums{.base = PENSTOCK_TRY(reader.Numbers("base")),
                      .divisor = PENSTOCK_TRY(reader.Number("divisor", 1)),
                      .is_float32 = PENSTOCK_TRY(reader.IsFloat32()),
                      .rounds_x = PENSTOCK_TRY(reader.IsFloat32("compares"))};
    Boosting boosting = PENSTOCK_TRY(Boosting::Make(nodes, PENSTOCK_TRY(reader.Numbers("value")),
                                                    std::move(sums), program_.features));
    const Ending ending = PENSTOCK_TRY(ReadEnding(reader, boosting.outputs()));
    program_.model = BoostingStep{std::move(boosting), ending};
    return {};
  }

  const OwnFile& file_;
  InputWidths inputs_;
  OwnProgram program_{.model = ForestStep{}};
};

}  // namespace

Result<OwnProgram> OwnProgram::FromBytes(std::string_view bytes, InputWidths inputs) {
  const OwnFile file = PENSTOCK_TRY(ReadOwn(bytes));
  return Compiler(file, inputs).Compile();
}

int64_t OwnProgram::outputs() const {
  if (const auto* step = std::get_if<ForestStep>(&model)) return step->forest.outputs();
  if (const auto* step = std::get_if<BoostingStep>(&model)) return step->boosting.outputs();
  return std::get<LinearStep>(model).linear.outputs();
}

int64_t OwnProgram::class_count() const {
  if (const auto* step = std::get_if<ForestStep>(&model))
    return step->is_classifier ? step->forest.outputs() : 0;
  if (const auto* step = std::get_if<BoostingStep>(&model))
    return step->ending.class_count(outputs());
  return std::get<LinearStep>(model).ending.class_count(outputs());
}

bool OwnProgram::has_probabilities() const {
  if (const auto* step = std::get_if<ForestStep>(&model)) return step->is_classifier;
  if (const auto* step = std::get_if<BoostingStep>(&model)) return step->ending.has_probabilities();
  return std::get<LinearStep>(model).ending.has_probabilities();
}

bool OwnProgram::rounds_x() const {
  if (const auto* step = std::get_if<BoostingStep>(&model)) return step->boosting.rounds_x();
  return std::holds_alternative<ForestStep>(model);
}

}  // namespace penstock::engine
