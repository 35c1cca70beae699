// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/command_line.h"
#include "registry/registry.h"

namespace penstock::cli {

// The registry of the home that the working directory belongs to; says so when the home was just made.
Result<registry::Registry> OpenRegistry(Terminal& terminal);

// Each runs one command and prints what it was asked for. Errors are for the caller to print.
Status List(const ListCommand& command, Terminal& terminal);
Status Show(const ShowCommand& command, Terminal& terminal);
Status Predict(const PredictCommand& command, Terminal& terminal);
Status Doctor(const DoctorCommand& command, Terminal& terminal);
// Returns only when the server could not be started: else this process becomes penstock-server.
Status Serve(const ServeCommand& command, Terminal& terminal);

// Rows of cells as aligned columns, the first row in capitals as heading; no trailing spaces.
std::string AlignedTable(const std::vector<std::vector<std::string>>& rows);
// "2026-11-23 21:04:05 UTC".
std::string TimeText(int64_t time_us);
// 41203 -> "41,203".
std::string CountText(int64_t count);

}  // namespace penstock::cli
