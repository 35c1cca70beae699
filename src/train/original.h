// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "engine/engine.h"
#include "train/rows.h"

namespace penstock::train {

// The model as the user has it: what every native form is held against. Called from one thread.
class Original {
 public:
  virtual ~Original() = default;
  // Answers every row, in the form that an engine answers in: class indices or values, and
  // probabilities where the signature has them; is_float32 when the original's own numbers are
  // float32. What user code raises comes back as Status::FromException with "ValueError: its
  // message".
  virtual Result<engine::Predictions> Predict(const Columns& rows) = 0;
  // How long the model itself took in the last call that was answered, without what brought it the
  // rows; nothing where that is not known.
  virtual std::optional<int64_t> model_ns() const { return std::nullopt; }
};

}  // namespace penstock::train
