// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>

#include "base/check.h"

namespace penstock {

std::string NewId() {
  std::array<unsigned char, 16> bytes;
  PENSTOCK_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  std::string hex;
  for (unsigned char byte : bytes) fmt::format_to(std::back_inserter(hex), "{:02x}", byte);
  return hex;
}

}  // namespace penstock
