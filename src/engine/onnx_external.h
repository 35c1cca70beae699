// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/result.h"

namespace penstock::engine {

// ONNX Runtime reads tensors that a model places in other files, by whatever path the model says,
// from the working directory on. A package holds all of a model, so such a model is refused
// (kInvalidArgument) before it is loaded, and so is what is no ONNX model. Any bytes may be given.
Status CheckSelfContained(std::string_view model);

inline constexpr int kOnnxDepthMax = 64;  // of graphs within nodes of graphs

}  // namespace penstock::engine
