// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/result.h"
#include "engine/engine.h"
#include "package/package.h"

namespace penstock::engine {

// The original in Python workers: returns when the first has loaded it and answered an example.
// kFailedPrecondition where this host has no suitable Python, or the model cannot be loaded by it.
// A call blocks its thread, for up to twice call_ms_max: never make it on a loop. Its cost is not
// known, so that none is taken for cheap.
Result<std::unique_ptr<Model>> LoadWorkers(const package::Package& package,
                                           const package::EngineEntry& entry,
                                           const LoadOptions& options);

}  // namespace penstock::engine
