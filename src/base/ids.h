// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace penstock {

// 32 lower-case hexadecimal digits from the kernel's random source: the id of a run, the name of a
// temporary file.
std::string NewId();

}  // namespace penstock
