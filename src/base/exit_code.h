// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"

namespace penstock {

// What a program exits with after an error of this code; 0 for OK. docs/reference/errors.md shows
// the table.
int ExitCode(Code code);

}  // namespace penstock
