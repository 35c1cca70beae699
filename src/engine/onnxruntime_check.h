// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace penstock::engine {

// OK when libonnxruntime can be opened where Load looks for it; else what Load would say.
Status CheckOnnxRuntime();

}  // namespace penstock::engine
