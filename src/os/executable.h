// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/result.h"

namespace penstock::os {

// The folder of the program or shared object that this code is linked into: beside it stand the
// programs and libraries that belong to it, in a build tree and in a wheel alike.
std::filesystem::path DirectoryOfThisBinary();

// The program `name` beside this binary. kNotFound with the folder that was searched and the
// remedy.
Result<std::filesystem::path> ProgramBeside(std::string_view name);

}  // namespace penstock::os
