// SPDX-License-Identifier: Apache-2.0
#include "engine/cost.h"

#include <algorithm>

#include "base/clock.h"

namespace penstock::engine {
namespace {

constexpr int64_t kManyRows = 64;
constexpr int kCallsMax = 8;
constexpr double kSlowNs = 200'000;  // beyond it one call says enough

// The fastest of some calls; negative where the model refuses the rows.
double MinimumNs(Instance& instance, const package::Tensors& tensors, Predictions& output) {
  const Clock& clock = Clock::System();
  double best = -1;
  for (int i = 0; i < kCallsMax; ++i) {
    const int64_t start = clock.MonotonicNs();
    if (!instance.Predict(tensors, output).ok()) return -1;
    const auto spent = static_cast<double>(clock.MonotonicNs() - start);
    best = best < 0 ? spent : std::min(best, spent);
    if (i > 0 && best > kSlowNs) break;  // the first call may be slow for being the first
  }
  return best;
}

}  // namespace

void FillWithNumbers(package::Tensors& tensors, int64_t rows) {
  tensors.Resize(rows);
  const auto& inputs = tensors.signature().inputs;
  uint32_t state = 1;
  for (int64_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      state = state * 1664525 + 1013904223;                     // Numerical Recipes' generator
      const auto whole = static_cast<double>(state >> 28) - 8;  // -8 to 7
      const int column = static_cast<int>(i);
      // Nothing here is refused: these values fit every type, and the caller has lifted the limits.
      if (inputs[i].type == package::Type::kString) {
        static_cast<void>(tensors.SetString(row, column, ""));
      } else if (inputs[i].type == package::Type::kBool) {
        static_cast<void>(tensors.SetBool(row, column, whole < 0));
      } else if (inputs[i].type == package::Type::kInt64) {
        static_cast<void>(tensors.SetNumber(row, column, whole));
      } else {
        static_cast<void>(tensors.SetNumber(row, column, whole + 0.1));
      }
    }
  }
}

Cost MeasureCost(const Model& model) {
  const auto instance = model.NewInstance();
  if (!instance.ok()) return {};
  package::Tensors tensors(&model.signature(), &model.entry().encoding, package::Limits::kNone);
  Predictions output;
  FillWithNumbers(tensors, 1);
  const double one = MinimumNs(**instance, tensors, output);
  if (one < 0) return {};
  if (one > kSlowNs) return {.call_ns = 0, .row_ns = one};
  FillWithNumbers(tensors, kManyRows);
  const double many = MinimumNs(**instance, tensors, output);
  if (many < 0) return {.call_ns = 0, .row_ns = one};
  const double row_ns = std::max(0.0, (many - one) / (kManyRows - 1));
  return {.call_ns = std::max(0.0, one - row_ns), .row_ns = row_ns};
}

}  // namespace penstock::engine
