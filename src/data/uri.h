// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace penstock::data {

// %XX becomes its byte; a '%' that two hexadecimal digits do not follow stays.
std::string DecodePercent(std::string_view text);

// The text after ?query=: as it stands when it holds white space, else percent-decoded. A statement
// without any white space is rare, an encoded one has none: LIKE '%ab%' must not become another
// byte.
std::string DecodeQuery(std::string_view text);

// Whether a query holds nothing but white space and semicolons.
bool IsBlankQuery(std::string_view query);

}  // namespace penstock::data
