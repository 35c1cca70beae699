// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "data/source.h"
#include "table/stream.h"

namespace penstock::data {

// The rows of a database file, read by `penstock read-rows URI`: a process of its own, so that no
// lock that this process or one of its libraries holds on the file is lost. Letting the source go
// ends the child. Errors as data/source.h lists them.
Result<std::unique_ptr<table::BatchSource>> OpenInChild(std::string_view uri,
                                                        const ReadOptions& options);

}  // namespace penstock::data
