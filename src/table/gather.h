// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "table/stream.h"

namespace penstock::table {

// The same rows as one batch, so that every column is one piece of memory, which who takes it can
// share. More than one batch only where a column's text goes beyond 2 GiB, what Arrow's 32-bit
// offsets hold. Memory: the rows once, and a batch of the source.
TableStream Gather(TableStream stream);

}  // namespace penstock::table
