// SPDX-License-Identifier: Apache-2.0
#include "engine/onnxruntime_check.h"

#include "engine/onnxruntime_library.h"

namespace penstock::engine {

Status CheckOnnxRuntime() { return OrtLibrary::Open("").status(); }

}  // namespace penstock::engine
