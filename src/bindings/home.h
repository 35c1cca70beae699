// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "config/home.h"

namespace penstock::bindings {

// The home that an argument of Python names, else the one that the process belongs to. Raises.
config::Home FindHome(const std::optional<std::string>& given, config::MissingHome missing);

// Tells on standard error of a home that this call made. Needs the GIL.
void Announce(const config::Home& home);

}  // namespace penstock::bindings
