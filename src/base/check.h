// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace penstock {

// Prints the place and the expression to stderr, then aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace penstock

// Ends the process when a programmer's assumption does not hold. Always on, in release builds too:
// what depends on input is a Status, never a check.
#define PENSTOCK_CHECK(...)                 \
  (static_cast<bool>(__VA_ARGS__) ? void(0) \
                                  : ::penstock::CheckFailed(__FILE__, __LINE__, #__VA_ARGS__))
