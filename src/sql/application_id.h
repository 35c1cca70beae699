// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace penstock::sql {

// "PENS" in the header of registry.db (PRAGMA application_id): how data knows the registry's file
// and refuses it as a source.
inline constexpr int32_t kRegistryApplicationId = 0x50454E53;

}  // namespace penstock::sql
