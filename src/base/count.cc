// SPDX-License-Identifier: Apache-2.0
#include "base/count.h"

#include <fmt/format.h>

namespace penstock {

std::string CountText(int64_t count) {
  std::string digits = fmt::format("{}", count);
  for (auto place = static_cast<int64_t>(digits.size()) - 3; place > (count < 0 ? 1 : 0);
       place -= 3) {
    digits.insert(static_cast<size_t>(place), ",");
  }
  return digits;
}

}  // namespace penstock
