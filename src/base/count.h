// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

// 41203 -> "41,203": a count as people read it.
std::string CountText(int64_t count);

}  // namespace penstock
