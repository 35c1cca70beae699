// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "serve/routes.h"

namespace penstock::protocol {

// The OpenAPI 3.1 document of a server with these routes: each version's request and answer typed
// from its signature.
std::string OpenApiDocument(const serve::Routes& routes, std::string_view server_version);

}  // namespace penstock::protocol
