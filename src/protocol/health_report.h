// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "serve/health.h"
#include "serve/route_board.h"

namespace penstock::protocol {

// The body of /health: status, what is served with digest, engine and parity, and where the routes
// come from. The route source's location is a path on this machine: it is told on the admin port
// only.
std::string HealthReport(const serve::Health& health, const serve::RouteBoard& board,
                         bool tells_location);

}  // namespace penstock::protocol
