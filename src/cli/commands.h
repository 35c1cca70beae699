// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/command_line.h"
#include "config/settings.h"
#include "registry/registry.h"

namespace penstock::cli {

// The registry of the home that the working directory belongs to. kNotFound where there is none:
// a command that reads makes none.
Result<registry::Registry> OpenRegistry();
Result<std::filesystem::path> HomeFolder();

// Each runs one command and prints what it was asked for. Errors are for the caller to print.
Status Init(const InitCommand& command, Terminal& terminal);
Status List(const ListCommand& command, Terminal& terminal);
Status Show(const ShowCommand& command, Terminal& terminal);
Status ShowParity(const ShowParityCommand& command, Terminal& terminal);
Status AcceptParity(const AcceptParityCommand& command, Terminal& terminal);
Status Diff(const DiffCommand& command, Terminal& terminal);
Status ListRuns(const RunsCommand& command, Terminal& terminal);
Status ShowRun(const ShowRunCommand& command, Terminal& terminal);
Status Predict(const PredictCommand& command, Terminal& terminal);
Status ShowHead(const DataHeadCommand& command, Terminal& terminal);
Status ShowSchema(const DataSchemaCommand& command, Terminal& terminal);
Status Doctor(const DoctorCommand& command, Terminal& terminal);
// Returns only when the server could not be started: else this process becomes penstock-server.
Status Serve(const ServeCommand& command);

// What penstock-server can be set to, and the flags it is started with: those of the command, then
// what settings say where the command says nothing.
std::vector<config::Setting> ServeSettings();
std::vector<std::string> ServerFlags(const ServeCommand& command, const config::Settings& settings);

// parity.json of a package, and what it says in a few lines.
Result<json::Value> ParityReport(const package::Package& package);
std::string ParityText(const json::Value& report);

// Rows of cells as columns, aligned by characters; no trailing spaces.
std::string AlignedTable(const std::vector<std::vector<std::string>>& rows);
// "2026-11-23 21:04:05 UTC".
std::string TimeText(int64_t time_us);
// An upper bound, 0 <= share <= 1, in percent: rounded up to two digits that count.
std::string PercentText(double share);
// A number as people read it, six digits that count; text without quotes; all else as JSON.
std::string ValueText(const json::Value& value);
// {"train": {"accuracy": 1}, "test": 0.5} -> ("train accuracy", 1), ("test", 0.5).
std::vector<std::pair<std::string, json::Value>> Flattened(const json::Value& object);
// Nanoseconds as microseconds: "1,612", and "0.2" below 10.
std::string MicrosecondsText(int64_t ns);

}  // namespace penstock::cli
