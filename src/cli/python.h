// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace penstock::cli {

inline constexpr const char* kPythonVariable = "PENSTOCK_PYTHON";

// The Python that has the user's packages: PENSTOCK_PYTHON, else that of the virtual environment in
// which this binary is installed, else the active one, else .venv found upward from `start`, else
// from this binary's folder, else "python3" of PATH.
std::string FindPython(const std::filesystem::path& start);

}  // namespace penstock::cli
