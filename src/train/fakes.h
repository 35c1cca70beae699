// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "train/original.h"
#include "train/parity.h"

// Stand-ins for tests: a model and a native form made of functions of one row of numbers.
namespace penstock::train {

using Row = std::vector<double>;  // NaN is missing

// What a user's exception looks like from here.
struct UserError {
  std::string text;
};

// Adds one row that says `number`: a regressor's output, or the place of a classifier's label,
// beside probabilities that are the same for all classes.
inline void AppendAnswer(const package::Signature& signature, double number,
                         engine::Predictions& answers) {
  if (signature.task != package::Task::kClassification) {
    answers.values.push_back(number);
    return;
  }
  answers.class_index.push_back(static_cast<int64_t>(number));
  const size_t classes = package::ClassCount(signature.classes);
  if (!signature.has_probabilities) return;
  answers.probabilities.insert(answers.probabilities.end(), classes,
                               1.0 / static_cast<double>(classes));
}

// A regressor, or the classifier of a signature. `refuses` gives the exception's text for a row,
// or "".
class FakeOriginal : public Original {
 public:
  explicit FakeOriginal(
      std::function<double(const Row&)> f,
      std::function<std::string(const Row&)> refuses = [](const Row&) { return ""; },
      package::Signature signature = {})
      : f_(std::move(f)), refuses_(std::move(refuses)), signature_(std::move(signature)) {}

  Result<engine::Predictions> Predict(const Columns& rows) override {
    ++calls;
    engine::Predictions answers{.rows = rows.rows()};
    for (int64_t i = 0; i < rows.rows(); ++i) {
      const Row row = Numbers(rows, i);
      const std::string refusal = refuses_(row);
      if (!refusal.empty())
        return Status::FromException(std::make_exception_ptr(UserError{refusal}), refusal);
      AppendAnswer(signature_, f_(row), answers);
    }
    return answers;
  }

  int64_t calls = 0;

 private:
  static Row Numbers(const Columns& rows, int64_t index) {
    Row row;
    for (int column = 0; column < rows.width(); ++column) {
      const Cell cell = rows.At(index, column);
      if (const double* number = std::get_if<double>(&cell))
        row.push_back(*number);
      else if (const int64_t* integer = std::get_if<int64_t>(&cell))
        row.push_back(static_cast<double>(*integer));
      else
        row.push_back(std::nan(""));
    }
    return row;
  }

  std::function<double(const Row&)> f_;
  std::function<std::string(const Row&)> refuses_;
  package::Signature signature_;
};

// A native form: a function of one row of one float64 tensor, of its place in the call and of the
// call's size.
using NativeFunction = std::function<double(const Row&, int64_t place, int64_t rows)>;

class FakeModel : public engine::Model {
 public:
  FakeModel(package::Signature signature, package::EngineEntry entry, NativeFunction f)
      : signature_(std::move(signature)), entry_(std::move(entry)), f_(std::move(f)) {}

  Result<std::unique_ptr<engine::Instance>> NewInstance() const override {
    return std::unique_ptr<engine::Instance>(std::make_unique<FakeInstance>(signature_, f_));
  }
  const package::Signature& signature() const override { return signature_; }
  const package::EngineEntry& entry() const override { return entry_; }

 private:
  class FakeInstance : public engine::Instance {
   public:
    FakeInstance(const package::Signature& signature, NativeFunction f)
        : signature_(signature), f_(std::move(f)) {}
    Status Predict(const package::Tensors& input, engine::Predictions& output) override {
      const package::Tensor& tensor = input.tensors()[0];
      output = {.rows = input.rows()};
      for (int64_t i = 0; i < input.rows(); ++i) {
        const auto begin = tensor.float64.begin() + i * tensor.width;
        const double number = f_(Row(begin, begin + tensor.width), i, input.rows());
        AppendAnswer(signature_, number, output);
      }
      return {};
    }

   private:
    const package::Signature& signature_;
    NativeFunction f_;
  };

  package::Signature signature_;
  package::EngineEntry entry_;
  NativeFunction f_;
};

inline ParityOptions WithNative(NativeFunction f) {
  return {.load = [f](const package::Signature& signature, const package::EngineEntry& entry,
                      std::string_view) {
    return Result<std::unique_ptr<engine::Model>>(std::make_unique<FakeModel>(signature, entry, f));
  }};
}

// A candidate whose one tensor holds all columns.
inline Candidate NumbersCandidate(size_t width) {
  package::TensorSpec spec{.name = "X"};
  for (size_t i = 0; i < width; ++i) spec.columns.push_back(static_cast<int>(i));
  return {.entry = {.file = "evaluator.safetensors", .encoding = {.tensors = {spec}}},
          .bytes = "native"};
}

}  // namespace penstock::train
