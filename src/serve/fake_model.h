// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace penstock::serve {

// An engine for tests: answers each row with the sum of its numbers (a string counts its bytes), or
// as a classifier with the class of that sum. Says what it costs, and fails when told to.
class FakeModel final : public engine::Model {
 public:
  struct Behaviour {
    engine::Cost cost{.call_ns = 1, .row_ns = 1};
    Status failure;                             // of each Predict
    int instances_max = 1000;                   // NewInstance fails after so many
    std::vector<double> values;                 // answered for row 0, 1, ... instead of sums
    std::optional<double> refused;              // a sum that fails the call it is in
    std::function<void(int64_t rows)> on_call;  // by the thread that calls
  };

  explicit FakeModel(package::Signature signature) : FakeModel(std::move(signature), Behaviour{}) {}
  FakeModel(package::Signature signature, Behaviour behaviour)
      : signature_(std::move(signature)), behaviour_(std::move(behaviour)) {
    package::TensorSpec numbers{.name = "X", .type = package::Type::kFloat64};
    package::TensorSpec strings{.name = "S", .type = package::Type::kString};
    for (size_t i = 0; i < signature_.inputs.size(); ++i) {
      const bool is_string = signature_.inputs[i].type == package::Type::kString;
      (is_string ? strings : numbers).columns.push_back(static_cast<int>(i));
    }
    if (!numbers.columns.empty()) entry_.encoding.tensors.push_back(numbers);
    if (!strings.columns.empty()) entry_.encoding.tensors.push_back(strings);
  }

  Result<std::unique_ptr<engine::Instance>> NewInstance() const override {
    if (instances_.fetch_add(1) >= behaviour_.instances_max)
      return ResourceExhausted("no memory for one more instance");
    return std::unique_ptr<engine::Instance>(std::make_unique<Adder>(signature_, behaviour_));
  }
  const package::Signature& signature() const override { return signature_; }
  const package::EngineEntry& entry() const override { return entry_; }
  engine::Cost cost() const override { return behaviour_.cost; }

  // A signature of columns with these names and types.
  static package::Signature SignatureOf(
      const std::vector<std::pair<std::string, package::Type>>& columns) {
    package::Signature signature;
    signature.task = package::Task::kRegression;
    signature.has_column_names = true;
    for (const auto& [name, type] : columns)
      signature.inputs.push_back({.name = name, .type = type});
    return signature;
  }

 private:
  class Adder final : public engine::Instance {
   public:
    Adder(const package::Signature& signature, const Behaviour& behaviour)
        : signature_(signature), behaviour_(behaviour) {}

    Status Predict(const package::Tensors& input, engine::Predictions& output) override {
      if (!behaviour_.failure.ok()) return behaviour_.failure;
      output = {.rows = input.rows()};
      for (int64_t row = 0; row < input.rows(); ++row) AnswerRow(row, input, output);
      if (behaviour_.on_call) behaviour_.on_call(input.rows());
      const bool is_refused =
          behaviour_.refused && std::ranges::count(output.values, *behaviour_.refused) > 0;
      return is_refused ? InvalidArgument("the sum is refused") : Status();
    }

   private:
    void AnswerRow(int64_t row, const package::Tensors& input, engine::Predictions& output) const {
      double sum = 0;
      for (const package::Tensor& tensor : input.tensors()) {
        for (int64_t i = row * tensor.width; i < (row + 1) * tensor.width; ++i) {
          const auto at = static_cast<size_t>(i);
          sum += tensor.type == package::Type::kString
                     ? static_cast<double>(tensor.strings[at].size())
                     : tensor.float64[at];
        }
      }
      const auto at = static_cast<size_t>(row);
      if (at < behaviour_.values.size()) sum = behaviour_.values[at];
      const size_t classes = package::ClassCount(signature_.classes);
      if (classes == 0) {
        output.values.push_back(sum);
        return;
      }
      output.class_index.push_back(static_cast<int64_t>(sum) % static_cast<int64_t>(classes));
      for (size_t i = 0; i < classes; ++i)
        output.probabilities.push_back(i == 0 ? 0.25 : 0.75 / (classes - 1.0));
    }

    const package::Signature& signature_;
    const Behaviour& behaviour_;
  };

  package::Signature signature_;
  Behaviour behaviour_;
  package::EngineEntry entry_;
  mutable std::atomic<int> instances_ = 0;
};

}  // namespace penstock::serve
