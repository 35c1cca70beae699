// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "engine/engine.h"

namespace penstock::engine {

// ONNX Runtime on the bytes of an ONNX model: one thread, one session for all instances.
// entry.options names the outputs:
// {"label": NAME, "probabilities": NAME} of a classifier (the label may be left out: then it is the
// class of the greatest probability), {"values": NAME} of anything else. kInvalidArgument where the
// model does not fit the signature, the encoding or the options; kFailedPrecondition where the
// library is missing.
Result<std::unique_ptr<Model>> LoadOnnx(const package::Signature& signature,
                                        const package::EngineEntry& entry, std::string_view bytes,
                                        const LoadOptions& options);

}  // namespace penstock::engine
