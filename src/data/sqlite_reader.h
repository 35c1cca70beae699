// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/result.h"

namespace penstock::data {

// WriteRows for a SQLite source.
Status WriteSqlite(std::string_view uri, int descriptor);

// Whether nobody reads the pipe behind a descriptor any more.
bool IsReaderGone(int descriptor);

}  // namespace penstock::data
