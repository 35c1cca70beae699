// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace penstock::http {

// tchar of RFC 9110, section 5.6.2.
bool IsTokenCharacter(char c);
// 1*tchar.
bool IsToken(std::string_view text);
// What a field value may hold (RFC 9110, section 5.5): visible ASCII, SP, HTAB and bytes above 0x7f.
bool IsFieldValue(std::string_view text);
// Visible ASCII that may stand in a request target: no white space, no '#', no byte above 0x7e.
bool IsTarget(std::string_view text);
// uri-host [":" port] by its characters; may be empty.
bool IsAuthority(std::string_view text);

// Compares ASCII letters without case. lower must be in lower case.
bool EqualsLower(std::string_view text, std::string_view lower);
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

// Without SP and HTAB at both ends.
std::string_view TrimWhiteSpace(std::string_view text);

// 0 to 15, or -1 for what is not a hexadecimal digit.
int HexDigit(char c);

}  // namespace penstock::http
