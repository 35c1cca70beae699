// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace penstock::cli {

inline constexpr const char* kPythonVariable = "PENSTOCK_PYTHON";

// The Python that has the user's packages: PENSTOCK_PYTHON, else the active virtual environment,
// else .venv found upward from `start`, else from this program's folder, else "python3" of PATH.
std::string FindPython(const std::filesystem::path& start);

}  // namespace penstock::cli
