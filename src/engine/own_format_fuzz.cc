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

constexpr int kColumns = 3;

package::Signature SignatureOf(const OwnProgram& program, bool has_text) {
  package::Signature signature{.task = package::Task::kRegression};
  for (int i = 0; i < kColumns; ++i) {
    const bool is_text = has_text && i == 2;
    signature.inputs.push_back({.name = std::to_string(i),
                                .type = is_text ? package::Type::kString : package::Type::kFloat64,
                                .allows_missing = true,
                                .allows_infinity = true});
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

// The last of three columns being text, or a number.
void Answer(std::string_view bytes, bool has_text) {
  const InputWidths inputs =
      has_text ? InputWidths{.numbers = 2, .texts = 1} : InputWidths{.numbers = 3};
  const auto program = OwnProgram::FromBytes(bytes, inputs);
  if (!program.ok()) return;
  const package::Signature signature = SignatureOf(*program, has_text);
  package::EngineEntry entry{.encoding = {.tensors = {{"X", package::Type::kFloat64, {0, 1, 2}}}}};
  if (has_text) {
    entry.encoding.tensors = {{"X", package::Type::kFloat64, {0, 1}},
                              {"text", package::Type::kString, {2}}};
  }
  const auto model = LoadBytes(signature, entry, bytes);
  PENSTOCK_CHECK(model.ok());
  const auto instance = *(*model)->NewInstance();
  package::Tensors tensors(&signature, &entry.encoding);
  tensors.Resize(3);
  for (int64_t row = 0; row < 3; ++row) {
    PENSTOCK_CHECK(tensors.SetNumber(row, 0, static_cast<double>(row) - 1).ok());
    PENSTOCK_CHECK(tensors.SetNumber(row, 1, 1e300).ok());
    const Status last = row == 1   ? tensors.SetMissing(row, 2)
                        : has_text ? tensors.SetString(row, 2, row == 0 ? "a" : "unseen")
                                   : tensors.SetNumber(row, 2, 0.1);
    PENSTOCK_CHECK(last.ok());
  }
  Predictions output;
  PENSTOCK_CHECK(instance->Predict(tensors, output).ok());
  PENSTOCK_CHECK(output.rows == 3);
}

}  // namespace
}  // namespace penstock::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  penstock::engine::Answer(bytes, false);
  penstock::engine::Answer(bytes, true);
  static_cast<void>(penstock::engine::CheckSelfContained(bytes));
  return 0;
}
