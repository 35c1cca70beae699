// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "json/value.h"
#include "os/file_lock.h"
#include "os/file_system.h"
#include "sql/sqlite.h"

namespace penstock::registry {

// How a run stands. kStopped: the user stopped it, or its process ended without a word.
enum class RunStatus { kRunning, kFinished, kFailed, kStopped };

std::string_view RunStatusName(RunStatus status);  // "running", "finished", "failed", "stopped"
Result<RunStatus> RunStatusFromName(std::string_view name);

// One training. A value type.
struct Run {
  std::string id;     // 32 hex digits
  std::string model;  // the name of the model that was trained
  RunStatus status = RunStatus::kRunning;
  int64_t started_at_us = 0;  // since 1970-01-01 UTC
  std::optional<int64_t> ended_at_us;
  std::string actor;
  json::Value hyperparameters;
  json::Value origin;   // command, code, data, git, environment
  json::Value metrics;  // by split
  std::string reason;   // one sentence: why it failed or stopped
  std::string traceback;
  std::vector<std::string> versions;  // what was registered of it: "churn@3"

  json::Value ToJson() const;
};

// What a trainer reported on the way.
struct RunReport {
  int64_t step = 0;
  int64_t at_us = 0;
  json::Value metrics;

  json::Value ToJson() const;
};

struct RunOptions {
  const Clock* clock = &Clock::System();
  os::FileSystem* files = &os::FileSystem::System();
};

// The runs of a home. Several processes may use a home at once; one RunLog is for one thread at a
// time.
class RunLog {
 public:
  static Result<RunLog> Open(const std::filesystem::path& home, const RunOptions& options = {});

  // The newest first, `count_max` at most; of one model, or of all where `model` is empty. Runs
  // whose process is gone are settled first, where the home can be written: they become kStopped.
  Result<std::vector<Run>> List(std::string_view model, int64_t count_max);
  // By its id, or by the beginning of one that only it has. kNotFound; kInvalidArgument where
  // several begin so.
  Result<Run> Find(std::string_view id);
  // In the order of reporting.
  Result<std::vector<RunReport>> Reports(std::string_view id);

 private:
  friend class LiveRun;
  RunLog(std::filesystem::path home, const RunOptions& options, sql::Session session)
      : home_(std::move(home)), options_(options), session_(std::move(session)) {}

  std::filesystem::path LockPath(std::string_view id) const;
  Status SettleLost();
  Status Settle(const std::string& id);
  Result<std::vector<Run>> Select(std::string_view where, std::string_view text, int64_t count_max);

  std::filesystem::path home_;
  RunOptions options_;
  sql::Session session_;
};

// A run that goes on in this process. For one thread at a time.
class LiveRun {
 public:
  // A report within so long of the last that was written waits for the next one, or for the end:
  // a process that is killed loses those that wait.
  static constexpr int64_t kReportNs = 200'000'000;

  // Durable when it returns. `model` is a model's name.
  static Result<LiveRun> Begin(const std::filesystem::path& home, std::string_view model,
                               const json::Value& hyperparameters, const json::Value& origin,
                               const RunOptions& options = {});
  LiveRun(LiveRun&&) = default;
  LiveRun& operator=(LiveRun&&) = delete;
  // A run that nobody ended becomes kStopped.
  ~LiveRun();

  const std::string& id() const { return id_; }
  // Adds to the origin what became known on the way, such as the digest of the data.
  Status Note(std::string_view name, const json::Value& value);
  // Metrics of a step, an object of numbers.
  Status Report(int64_t step, const json::Value& metrics);
  // Durable when it returns, with all reports. It ends once; kFailedPrecondition afterwards.
  Status End(RunStatus status, const json::Value& metrics, std::string_view reason,
             std::string_view traceback);

 private:
  LiveRun(RunLog log, os::FileLock lock, std::string id, json::Value origin);
  Status Flush();
  Status CheckIsLive() const;

  std::unique_ptr<RunLog> log_;  // null when the run has ended
  std::optional<os::FileLock> lock_;
  pid_t owner_;  // a fork of it must leave the run alone
  std::string id_;
  json::Value origin_;
  std::vector<RunReport> unwritten_;
  int64_t reports_ = 0;
  int64_t written_at_ns_ = 0;
};

}  // namespace penstock::registry
