// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "engine/engine.h"
#include "package/signature.h"
#include "train/parity.h"
#include "train/rows.h"

namespace penstock::train {

// A candidate, loaded, that answers whatever values it is given: the limits of the signature do not
// hold here. Not thread-safe.
class NativeForm {
 public:
  // `signature` must outlive it.
  static Result<std::unique_ptr<NativeForm>> Load(const package::Signature& signature,
                                                  const Candidate& candidate,
                                                  const ParityOptions& options);

  // Answers these rows in one call. An error is that of the first row that the engine refuses, or
  // of the call.
  Status Predict(const Columns& columns, std::span<const int64_t> rows,
                 engine::Predictions& answers);

 private:
  NativeForm(const package::Signature& signature, std::unique_ptr<engine::Model> model,
             std::unique_ptr<engine::Instance> instance)
      : signature_(signature),
        model_(std::move(model)),
        instance_(std::move(instance)),
        tensors_(&signature, &model_->entry().encoding, package::Limits::kNone) {}

  const package::Signature& signature_;
  std::unique_ptr<engine::Model> model_;
  std::unique_ptr<engine::Instance> instance_;
  package::Tensors tensors_;
};

// "own evaluator in float64", "ONNX Runtime in float32".
std::string EngineText(const package::EngineEntry& entry);

}  // namespace penstock::train
