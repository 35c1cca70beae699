// SPDX-License-Identifier: Apache-2.0
#include "bindings/predictor.h"

#include <fmt/format.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/columns.h"
#include "bindings/errors.h"
#include "bindings/signals.h"
#include "engine/engine.h"
#include "os/file_system.h"
#include "package/package.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

// Rows that go through the engine at a time: the tensors of a call stay in the processor's caches.
constexpr int64_t kCallRows = 4096;
// Sets of buffers kept for the next call; more callers at once make their own.
constexpr size_t kIdleMax = 16;

// A package's engine for callers in this process. Thread-safe.
class Predictor {
 public:
  static Result<std::unique_ptr<Predictor>> Open(const std::string& path) {
    const package::Package package =
        PENSTOCK_TRY(package::Package::Open(os::FileSystem::System(), path));
    std::unique_ptr<engine::Model> model = PENSTOCK_TRY(engine::Load(package));
    return std::unique_ptr<Predictor>(new Predictor(std::move(model)));
  }

  const package::Signature& signature() const { return model_->signature(); }

  // Refuses what the server would, with "row 17: " in front.
  Result<engine::Predictions> Predict(const train::Columns& columns) {
    std::unique_ptr<Caller> caller = PENSTOCK_TRY(Take());
    engine::Predictions all{.rows = columns.rows()};
    Signals signals;
    Status status;
    for (int64_t begin = 0; begin < columns.rows() && status.ok(); begin += kCallRows) {
      status = signals.Poll();
      const int64_t end = std::min(columns.rows(), begin + kCallRows);
      if (status.ok()) status = PredictRange(columns, begin, end, *caller, all);
    }
    GiveBack(std::move(caller));
    if (!status.ok()) return status;
    return all;
  }

 private:
  struct Caller {
    std::unique_ptr<engine::Instance> instance;
    package::Tensors tensors;
    engine::Predictions answers;
  };

  explicit Predictor(std::unique_ptr<engine::Model> model) : model_(std::move(model)) {}

  static Status PredictRange(const train::Columns& columns, int64_t begin, int64_t end,
                             Caller& caller, engine::Predictions& all) {
    caller.tensors.Resize(end - begin);
    for (int64_t row = begin; row < end; ++row) {
      const Status filled = columns.Fill(row, row - begin, caller.tensors);
      if (!filled.ok()) return filled.Prefixed(fmt::format("row {}", row));
    }
    PENSTOCK_TRY(caller.instance->Predict(caller.tensors, caller.answers));
    const auto append = [](const auto& from, auto& to) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(caller.answers.class_index, all.class_index);
    append(caller.answers.values, all.values);
    append(caller.answers.probabilities, all.probabilities);
    return {};
  }

  Result<std::unique_ptr<Caller>> Take() {
    {
      const std::scoped_lock lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Caller> caller = std::move(idle_.back());
        idle_.pop_back();
        return caller;
      }
    }
    return std::make_unique<Caller>(
        Caller{.instance = PENSTOCK_TRY(model_->NewInstance()),
               .tensors = package::Tensors(&model_->signature(), &model_->entry().encoding)});
  }

  void GiveBack(std::unique_ptr<Caller> caller) {
    const std::scoped_lock lock(mutex_);
    if (idle_.size() < kIdleMax) idle_.push_back(std::move(caller));
  }

  std::unique_ptr<engine::Model> model_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Caller>> idle_;
};

nb::tuple ToPython(const package::Signature& signature, engine::Predictions answers) {
  const auto rows = static_cast<size_t>(answers.rows);
  nb::object predicted;
  if (signature.task == package::Task::kClassification) {
    predicted = ToNumPy(std::move(answers.class_index), {rows});
  } else if (signature.prediction_width == 0) {
    predicted = ToNumPy(std::move(answers.values), {rows});
  } else {
    predicted =
        ToNumPy(std::move(answers.values), {rows, static_cast<size_t>(signature.prediction_width)});
  }
  nb::object probabilities = nb::none();
  if (signature.has_probabilities) {
    probabilities =
        ToNumPy(std::move(answers.probabilities), {rows, package::ClassCount(signature.classes)});
  }
  return nb::make_tuple(predicted, probabilities);
}

}  // namespace

void AddPredictor(nb::module_& module) {
  nb::class_<Predictor>(module, "Predictor")
      .def_prop_ro("signature_json",
                   [](const Predictor& p) { return json::Write(p.signature().ToJson()); })
      .def(
          "predict",
          [](Predictor& predictor, nb::iterable columns) {
            const train::Columns rows = ToColumns(predictor.signature(), columns);
            Result<engine::Predictions> answers = [&] {
              const nb::gil_scoped_release no_gil;
              return predictor.Predict(rows);
            }();
            return ToPython(predictor.signature(), ValueOrRaise(std::move(answers)));
          },
          "columns"_a);
  module.def(
      "predictor",
      [](const std::string& package_path) {
        auto opened = [&] {
          const nb::gil_scoped_release no_gil;
          return Predictor::Open(package_path);
        }();
        return ValueOrRaise(std::move(opened));
      },
      "package_path"_a);
}

}  // namespace penstock::bindings
