// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "engine/engine.h"
#include "engine/onnx_external.h"
#include "engine/own_program.h"

// Any bytes are an evaluator file that is refused, or one that answers a row without touching
// foreign memory.
namespace penstock::engine {
namespace {

constexpr int64_t kFeatures = 3;

package::Signature SignatureOf(const OwnProgram& program) {
  package::Signature signature{.task = package::Task::kRegression};
  for (int64_t i = 0; i < kFeatures; ++i) {
    signature.inputs.push_back(
        {.name = std::to_string(i), .allows_missing = true, .allows_infinity = true});
  }
  signature.prediction_width = program.outputs();
  if (program.class_count() == 0) return signature;
  std::vector<int64_t> classes(static_cast<size_t>(program.class_count()));
  for (size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<int64_t>(i);
  signature.task = package::Task::kClassification;
  signature.classes = classes;
  signature.has_probabilities = program.has_probabilities();
  return signature;
}

void Answer(std::string_view bytes) {
  const auto program = OwnProgram::FromBytes(bytes, kFeatures);
  if (!program.ok()) return;
  const package::Signature signature = SignatureOf(*program);
  const package::EngineEntry entry{
      .encoding = {.tensors = {{"X", package::Type::kFloat64, {0, 1, 2}}}}};
  const auto model = LoadBytes(signature, entry, bytes);
  PENSTOCK_CHECK(model.ok());
  const auto instance = *(*model)->NewInstance();
  package::Tensors tensors(&signature, &entry.encoding);
  tensors.Resize(3);
  for (int64_t row = 0; row < 3; ++row) {
    PENSTOCK_CHECK(tensors.SetNumber(row, 0, static_cast<double>(row) - 1).ok());
    PENSTOCK_CHECK(tensors.SetNumber(row, 1, 1e300).ok());
    PENSTOCK_CHECK(row == 1 ? tensors.SetMissing(row, 2).ok()
                            : tensors.SetNumber(row, 2, 0.1).ok());
  }
  Predictions output;
  PENSTOCK_CHECK(instance->Predict(tensors, output).ok());
  PENSTOCK_CHECK(output.rows == 3);
}

}  // namespace
}  // namespace penstock::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  penstock::engine::Answer(bytes);
  static_cast<void>(penstock::engine::CheckSelfContained(bytes));
  return 0;
}
