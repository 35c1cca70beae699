// SPDX-License-Identifier: Apache-2.0
#include "registry/runs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/ids.h"
#include "base/names.h"
#include "registry/database.h"
#include "registry/registry.h"

namespace penstock::registry {
namespace {

// What a reason or traceback keeps: its beginning tells what happened, its end where.
constexpr size_t kReasonBytesMax = 4'000;
constexpr size_t kTracebackBytesMax = 64'000;
constexpr size_t kIdBytesMin = 4;  // of an id's beginning
constexpr const char* kLost = "its process ended without a word";

constexpr std::string_view kSelect =
    "SELECT id, model, status, started_at_us, ended_at_us, actor, hyperparameters, origin, "
    "metrics, reason, traceback FROM runs ";

constexpr std::array<std::string_view, 4> kNames = {"running", "finished", "failed", "stopped"};

std::string Shortened(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  const std::string_view gap = "\n[...]\n";
  const size_t half = (bytes_max - gap.size()) / 2;
  size_t head = half;
  size_t tail = text.size() - half;
  // Not within a character of several bytes.
  while (head > 0 && (text[head] & 0xC0) == 0x80) --head;
  while (tail < text.size() && (text[tail] & 0xC0) == 0x80) ++tail;
  return fmt::format("{}{}{}", text.substr(0, head), gap, text.substr(tail));
}

Status CheckSize(const json::Value& value, std::string_view what) {
  if (json::Write(value).size() <= kDetailsBytesMax) return {};
  return ResourceExhausted(
      fmt::format("the {} of a run are larger than {} bytes", what, kDetailsBytesMax));
}

json::Value ObjectOr(const json::Value& value) {
  return value.is_null() ? json::Value(json::Object{}) : value;
}

}  // namespace

std::string_view RunStatusName(RunStatus status) { return kNames.at(static_cast<size_t>(status)); }

Result<RunStatus> RunStatusFromName(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) {
    const std::vector<std::string> names(kNames.begin(), kNames.end());
    return InvalidArgument(
        fmt::format("'{}' is no status of a run; {} are", name, QuotedList(names)));
  }
  return static_cast<RunStatus>(found - kNames.begin());
}

json::Value Run::ToJson() const {
  json::Array names;
  for (const std::string& version : versions) names.emplace_back(version);
  return json::Object{{"id", id},
                      {"model", model},
                      {"status", RunStatusName(status)},
                      {"started_at_us", started_at_us},
                      {"ended_at_us", ended_at_us ? json::Value(*ended_at_us) : json::Value()},
                      {"actor", actor},
                      {"hyperparameters", hyperparameters},
                      {"metrics", metrics},
                      {"versions", std::move(names)},
                      {"origin", origin},
                      {"reason", reason},
                      {"traceback", traceback}};
}

json::Value RunReport::ToJson() const {
  return json::Object{{"step", step}, {"at_us", at_us}, {"metrics", metrics}};
}

Result<RunLog> RunLog::Open(const std::filesystem::path& home, const RunOptions& options) {
  return RunLog(home, options, PENSTOCK_TRY(OpenDatabase(home, *options.files)));
}

std::filesystem::path RunLog::LockPath(std::string_view id) const {
  return home_ / "runs" / fmt::format("{}.lock", id);
}

Result<std::vector<Run>> RunLog::List(std::string_view model, int64_t count_max) {
  PENSTOCK_TRY(SettleLost());
  return Select(model.empty() ? "" : "WHERE model = ?1 ", model, count_max);
}

Result<Run> RunLog::Find(std::string_view id) {
  const bool is_id = id.size() >= kIdBytesMin && id.size() <= 32 &&
                     id.find_first_not_of("0123456789abcdef") == id.npos;
  if (!is_id) {
    return InvalidArgument(fmt::format(
        "'{}' is no id of a run; its 32 hex digits, or the first {} or more, were expected", id,
        kIdBytesMin));
  }
  PENSTOCK_TRY(SettleLost());
  const std::vector<Run> found = PENSTOCK_TRY(Select("WHERE substr(id, 1, ?3) = ?1 ", id, 2));
  if (found.empty()) {
    return NotFound(fmt::format("there is no run '{}' in '{}'; penstock runs list shows them", id,
                                home_.string()));
  }
  if (found.size() > 1) {
    return InvalidArgument(
        fmt::format("several runs begin with '{}': '{}' and '{}'; give more of "
                    "its id",
                    id, found[0].id, found[1].id));
  }
  return found.front();
}

Result<std::vector<Run>> RunLog::Select(std::string_view where, std::string_view text,
                                        int64_t count_max) {
  sql::Statement statement = PENSTOCK_TRY(session_.Prepare(
      fmt::format("{}{}ORDER BY started_at_us DESC, id LIMIT ?2", kSelect, where)));
  if (!where.empty()) statement.Bind(0, text);
  statement.Bind(1, count_max);
  if (where.find("?3") != where.npos) statement.Bind(2, static_cast<int64_t>(text.size()));
  sql::Statement versions = PENSTOCK_TRY(
      session_.Prepare("SELECT model, version FROM versions WHERE run = ? ORDER BY 1, 2"));
  std::vector<Run> runs;
  while (PENSTOCK_TRY(statement.Step())) {
    Run run{.id = std::string(statement.Text(0)),
            .model = std::string(statement.Text(1)),
            .status = PENSTOCK_TRY(RunStatusFromName(statement.Text(2))),
            .started_at_us = statement.Int(3),
            .actor = std::string(statement.Text(5)),
            .hyperparameters = PENSTOCK_TRY(json::Parse(statement.Text(6))),
            .origin = PENSTOCK_TRY(json::Parse(statement.Text(7))),
            .metrics = PENSTOCK_TRY(json::Parse(statement.Text(8))),
            .reason = std::string(statement.Text(9)),
            .traceback = std::string(statement.Text(10))};
    if (statement.kind(4) != sql::Kind::kNull) run.ended_at_us = statement.Int(4);
    versions.Reset();
    versions.Bind(0, run.id);
    while (PENSTOCK_TRY(versions.Step()))
      run.versions.push_back(fmt::format("{}@{}", versions.Text(0), versions.Int(1)));
    runs.push_back(std::move(run));
  }
  return runs;
}

Result<std::vector<RunReport>> RunLog::Reports(std::string_view id) {
  sql::Statement statement = PENSTOCK_TRY(session_.Prepare(
      "SELECT step, at_us, metrics FROM run_reports WHERE run = ? ORDER BY number"));
  statement.Bind(0, id);
  std::vector<RunReport> reports;
  while (PENSTOCK_TRY(statement.Step())) {
    reports.push_back({.step = statement.Int(0),
                       .at_us = statement.Int(1),
                       .metrics = PENSTOCK_TRY(json::Parse(statement.Text(2)))});
  }
  return reports;
}

Status RunLog::SettleLost() {
  std::vector<std::string> running;
  {
    sql::Statement statement =
        PENSTOCK_TRY(session_.Prepare("SELECT id FROM runs WHERE status = 'running'"));
    while (PENSTOCK_TRY(statement.Step())) running.emplace_back(statement.Text(0));
  }
  // In a home that cannot be written, or whose owner is another, a run is shown as it stands.
  for (const std::string& id : running) static_cast<void>(Settle(id));
  return {};
}

Status RunLog::Settle(const std::string& id) {
  const std::optional<os::FileLock> lock = PENSTOCK_TRY(os::FileLock::Try(LockPath(id)));
  if (!lock) return {};
  // It may have ended well between the look and the lock.
  sql::Statement update = PENSTOCK_TRY(
      session_.Prepare("UPDATE runs SET status = 'stopped', ended_at_us = ?, reason = ? "
                       "WHERE id = ? AND status = 'running'"));
  update.Bind(0, options_.clock->NowUs()).Bind(1, kLost).Bind(2, id);
  PENSTOCK_TRY(update.Run());
  // Its owner may have come first.
  static_cast<void>(options_.files->Remove(LockPath(id)));
  return {};
}

LiveRun::LiveRun(RunLog log, os::FileLock lock, std::string id, json::Value origin)
    : log_(std::make_unique<RunLog>(std::move(log))),
      lock_(std::move(lock)),
      owner_(getpid()),
      id_(std::move(id)),
      origin_(std::move(origin)) {}

Result<LiveRun> LiveRun::Begin(const std::filesystem::path& home, std::string_view model,
                               const json::Value& hyperparameters, const json::Value& origin,
                               const RunOptions& options) {
  PENSTOCK_TRY(CheckModelName(model));
  PENSTOCK_TRY(CheckSize(hyperparameters, "hyperparameters"));
  PENSTOCK_TRY(CheckSize(origin, "facts"));
  RunLog log = PENSTOCK_TRY(RunLog::Open(home, options));
  PENSTOCK_TRY(options.files->CreateDirectories(home / "runs"));
  const std::string id = NewId();
  // Before the row: whoever finds the row must find the lock held.
  std::optional<os::FileLock> lock = PENSTOCK_TRY(os::FileLock::Try(log.LockPath(id)));
  if (!lock) return Internal(fmt::format("the lock of the new run '{}' is held", id));
  {
    sql::Statement insert = PENSTOCK_TRY(log.session_.Prepare(
        "INSERT INTO runs VALUES (?, ?, 'running', ?, NULL, ?, ?, ?, '{}', '', '')"));
    insert.Bind(0, id)
        .Bind(1, model)
        .Bind(2, options.clock->NowUs())
        .Bind(3, Actor())
        .Bind(4, json::Write(ObjectOr(hyperparameters)))
        .Bind(5, json::Write(ObjectOr(origin)));
    PENSTOCK_TRY(insert.Run());
  }
  return LiveRun(std::move(log), *std::move(lock), id, ObjectOr(origin));
}

LiveRun::~LiveRun() {
  if (log_ != nullptr && owner_ != getpid()) {
    static_cast<void>(log_.release());  // a connection must not be used, or closed, across a fork
    return;
  }
  if (log_ != nullptr) static_cast<void>(End(RunStatus::kStopped, {}, "it was left alone", ""));
}

Status LiveRun::CheckIsLive() const {
  if (log_ == nullptr) return FailedPrecondition(fmt::format("the run '{}' has ended", id_));
  if (owner_ == getpid()) return {};
  return FailedPrecondition(fmt::format(
      "the run '{}' is that of the process {}, which this one was forked from", id_, owner_));
}

Status LiveRun::Note(std::string_view name, const json::Value& value) {
  PENSTOCK_TRY(CheckIsLive());
  json::Value origin = origin_;
  origin.Set(name, value);
  PENSTOCK_TRY(CheckSize(origin, "facts"));
  sql::Statement update =
      PENSTOCK_TRY(log_->session_.Prepare("UPDATE runs SET origin = ? WHERE id = ?"));
  update.Bind(0, json::Write(origin)).Bind(1, id_);
  PENSTOCK_TRY(update.Run());
  origin_ = std::move(origin);
  return {};
}

Status LiveRun::Report(int64_t step, const json::Value& metrics) {
  PENSTOCK_TRY(CheckIsLive());
  PENSTOCK_TRY(CheckSize(metrics, "metrics"));
  unwritten_.push_back(
      {.step = step, .at_us = log_->options_.clock->NowUs(), .metrics = ObjectOr(metrics)});
  if (log_->options_.clock->MonotonicNs() - written_at_ns_ < kReportNs) return {};
  sql::Transaction transaction = PENSTOCK_TRY(sql::Transaction::Begin(log_->session_));
  PENSTOCK_TRY(Flush());
  PENSTOCK_TRY(transaction.Commit());
  reports_ += static_cast<int64_t>(unwritten_.size());
  unwritten_.clear();
  return {};
}

// Within a transaction of the caller's.
Status LiveRun::Flush() {
  sql::Statement insert =
      PENSTOCK_TRY(log_->session_.Prepare("INSERT INTO run_reports VALUES (?, ?, ?, ?, ?)"));
  int64_t number = reports_;
  for (const RunReport& report : unwritten_) {
    insert.Reset();
    insert.Bind(0, id_)
        .Bind(1, ++number)
        .Bind(2, report.step)
        .Bind(3, report.at_us)
        .Bind(4, json::Write(report.metrics));
    PENSTOCK_TRY(insert.Run());
  }
  written_at_ns_ = log_->options_.clock->MonotonicNs();
  return {};
}

Status LiveRun::End(RunStatus status, const json::Value& metrics, std::string_view reason,
                    std::string_view traceback) {
  PENSTOCK_TRY(CheckIsLive());
  PENSTOCK_TRY(CheckSize(metrics, "metrics"));
  {
    sql::Transaction transaction = PENSTOCK_TRY(sql::Transaction::Begin(log_->session_));
    PENSTOCK_TRY(Flush());
    sql::Statement update = PENSTOCK_TRY(
        log_->session_.Prepare("UPDATE runs SET status = ?, ended_at_us = ?, metrics = ?, "
                               "reason = ?, traceback = ? WHERE id = ?"));
    update.Bind(0, RunStatusName(status))
        .Bind(1, log_->options_.clock->NowUs())
        .Bind(2, json::Write(ObjectOr(metrics)))
        .Bind(3, Shortened(reason, kReasonBytesMax))
        .Bind(4, Shortened(traceback, kTracebackBytesMax))
        .Bind(5, id_);
    PENSTOCK_TRY(update.Run());
    PENSTOCK_TRY(transaction.Commit());
  }
  unwritten_.clear();
  // A lock that stays behind is in nobody's way.
  static_cast<void>(log_->options_.files->Remove(log_->LockPath(id_)));
  log_.reset();
  lock_.reset();
  return {};
}

}  // namespace penstock::registry
