// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::json {

// Append to JSON text without building a Value. Inline where it matters, no allocation but the
// string's growth.

// text quoted and escaped. Bytes that are not valid UTF-8 become U+FFFD, so that the result is
// always valid JSON.
void AppendString(std::string& out, std::string_view text);
void AppendInt(std::string& out, int64_t value);
// The shortest decimal that reads back as the same double, in the form that Python's repr gives it:
// 5.0, 0.0001, 1e-05, 1e+16. Finite values only.
void AppendDouble(std::string& out, double value);
// The shortest decimal that reads back as the same float.
void AppendFloat(std::string& out, float value);

}  // namespace penstock::json
