// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace penstock {

// Of this build; the build takes it from the top CMakeLists.txt.
inline constexpr const char* kVersion = PENSTOCK_VERSION;

}  // namespace penstock
