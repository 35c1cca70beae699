// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/result.h"
#include "train/questions.h"
#include "train/rows.h"
#include "train/search.h"

namespace penstock::train {

// Up to so many columns are searched one and all. Of more, a few are; the others are asked in one
// call whether they accept the place where those end.
inline constexpr size_t kColumnsSearchedMax = 64;
inline constexpr size_t kColumnsSearchedFirst = 8;

// Finds in each column where the original begins to refuse numbers, on the side of refusing: it
// answers both signs of `low`, and `low` grows. To the last bit at the edge of float32 and below
// 2^53, elsewhere to an eighth; of more than kColumnsSearchedMax columns, one that ends elsewhere
// than the few keeps a low above 2^53 as it is.
Status FindEdges(const Columns& rows, Questions& questions, std::vector<Search>& searches);

}  // namespace penstock::train
