// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "engine/engine.h"

namespace penstock::engine {

// The own evaluator on the bytes of an evaluator file. kInvalidArgument where the file does not fit
// the signature and the encoding (a tensor of float64 or float32 values, one of strings, or both).
Result<std::unique_ptr<Model>> LoadOwn(const package::Signature& signature,
                                       const package::EngineEntry& entry, std::string_view bytes,
                                       const LoadOptions& options);

}  // namespace penstock::engine
