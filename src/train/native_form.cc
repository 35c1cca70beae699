// SPDX-License-Identifier: Apache-2.0
#include "train/native_form.h"

#include <fmt/format.h>

#include "train/answers.h"

namespace penstock::train {

Result<std::unique_ptr<NativeForm>> NativeForm::Load(const package::Signature& signature,
                                                     const Candidate& candidate,
                                                     const ParityOptions& options) {
  PENSTOCK_TRY(package::CheckEncoding(signature, candidate.entry.encoding));
  std::unique_ptr<engine::Model> model =
      PENSTOCK_TRY(options.load ? options.load(signature, candidate.entry, candidate.bytes)
                                : engine::LoadBytes(signature, candidate.entry, candidate.bytes));
  std::unique_ptr<engine::Instance> instance = PENSTOCK_TRY(model->NewInstance());
  return std::unique_ptr<NativeForm>(
      new NativeForm(signature, std::move(model), std::move(instance)));
}

Status NativeForm::Predict(const Columns& columns, std::span<const int64_t> rows,
                           engine::Predictions& answers) {
  tensors_.Resize(static_cast<int64_t>(rows.size()));
  for (size_t i = 0; i < rows.size(); ++i)
    PENSTOCK_TRY(columns.Fill(rows[i], static_cast<int64_t>(i), tensors_));
  PENSTOCK_TRY(instance_->Predict(tensors_, answers));
  const Status fits = CheckAnswers(signature_, answers, static_cast<int64_t>(rows.size()));
  return fits.ok() ? fits
                   : Internal(fmt::format("the native form's answer has the wrong shape: {}",
                                          fits.message()));
}

std::string EngineText(const package::EngineEntry& entry) {
  if (entry.kind == package::EngineKind::kPython) return "Python worker";
  return fmt::format("{} in {}",
                     entry.kind == package::EngineKind::kOwn ? "own evaluator" : "ONNX Runtime",
                     package::TypeName(entry.precision));
}

}  // namespace penstock::train
