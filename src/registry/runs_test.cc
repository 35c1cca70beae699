// SPDX-License-Identifier: Apache-2.0
#include "registry/runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <utility>

#include "base/ids.h"
#include "registry/registry.h"
#include "registry/schema.h"
#include "sql/migrations.h"

namespace penstock::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Both clocks stand where the test puts them.
class StoodClock : public Clock {
 public:
  int64_t NowUs() const override { return now_us; }
  int64_t MonotonicNs() const override { return now_us * 1000; }

  int64_t now_us = 1'700'000'000'000'000;
};

class RunsTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(home_); }
  void TearDown() override { std::filesystem::remove_all(home_); }

  LiveRun Begin(const std::string& model) {
    clock_.now_us += 1'000'000;
    return *LiveRun::Begin(home_, model, json::Object{{"C", 0.5}}, {}, {.clock = &clock_});
  }
  registry::Run Found(const std::string& id) { return *RunLog::Open(home_)->Find(id); }

  StoodClock clock_;
  const std::filesystem::path home_ =
      std::filesystem::temp_directory_path() / ("penstock-" + NewId());
};

TEST_F(RunsTest, ARunIsKeptFromItsBeginningToItsEnd) {
  LiveRun live = Begin("churn");
  EXPECT_EQ(Found(live.id()).status, RunStatus::kRunning);
  ASSERT_TRUE(live.Note("data", json::Object{{"rows", 12}}).ok());
  clock_.now_us += 2'000'000;
  ASSERT_TRUE(live.End(RunStatus::kFinished, json::Object{{"test", 0.75}}, "", "").ok());
  const registry::Run run = Found(live.id());
  EXPECT_EQ(run.model, "churn");
  EXPECT_EQ(run.status, RunStatus::kFinished);
  EXPECT_EQ(*run.ended_at_us - run.started_at_us, 2'000'000);
  EXPECT_EQ(run.hyperparameters, json::Value(json::Object{{"C", 0.5}}));
  EXPECT_EQ(*run.origin.Find("data")->Int("rows"), 12);
  EXPECT_EQ(*run.metrics.Number("test"), 0.75);
  EXPECT_THAT(run.versions, IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(home_ / "runs"));
}

TEST_F(RunsTest, NothingCanBeSaidOfARunThatHasEnded) {
  LiveRun live = Begin("churn");
  ASSERT_TRUE(live.End(RunStatus::kFailed, {}, "ValueError: no", "Traceback").ok());
  for (const Status& status :
       {live.Report(1, {}), live.Note("data", {}), live.End(RunStatus::kFinished, {}, "", "")}) {
    EXPECT_EQ(status.code(), Code::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr(live.id()));
  }
  EXPECT_EQ(Found(live.id()).status, RunStatus::kFailed);
  EXPECT_EQ(Found(live.id()).reason, "ValueError: no");
}

TEST_F(RunsTest, ReportsKeepTheirOrderAndAreWrittenWithTheEnd) {
  LiveRun live = Begin("churn");
  RunLog log = *RunLog::Open(home_);
  std::vector<size_t> written;
  for (const int step : {1, 2, 2}) {
    ASSERT_TRUE(live.Report(step, json::Object{{"loss", 1.0 / step}}).ok());
    written.push_back(log.Reports(live.id())->size());
    clock_.now_us += LiveRun::kReportNs / 1000 / 2;
  }
  EXPECT_THAT(written, ElementsAre(1, 1, 3));
  ASSERT_TRUE(live.Report(3, json::Object{{"loss", 0.25}}).ok());
  ASSERT_TRUE(live.End(RunStatus::kFinished, {}, "", "").ok());
  std::vector<int64_t> steps;
  for (const RunReport& report : *log.Reports(live.id())) steps.push_back(report.step);
  EXPECT_THAT(steps, ElementsAre(1, 2, 2, 3));
}

TEST_F(RunsTest, TheNewestComesFirstAndAnIdMayBeShort) {
  const LiveRun first = Begin("churn");
  const LiveRun second = Begin("digits");
  const LiveRun third = Begin("churn");
  RunLog log = *RunLog::Open(home_);
  std::vector<std::string> ids;
  for (const registry::Run& run : *log.List("", 100)) ids.push_back(run.id);
  EXPECT_THAT(ids, ElementsAre(third.id(), second.id(), first.id()));
  EXPECT_EQ(log.List("churn", 1)->front().id, third.id());
  EXPECT_EQ(log.Find(second.id().substr(0, 12))->id, second.id());
  EXPECT_EQ(log.Find("00000000").status().code(), Code::kNotFound);
  EXPECT_EQ(log.Find("x").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(log.Find("%%%%").status().code(), Code::kInvalidArgument);
}

TEST_F(RunsTest, AVersionKnowsItsRunAndTheRunItsVersions) {
  LiveRun live = Begin("churn");
  package::Draft draft;
  draft.manifest.created_by = "test";
  draft.manifest.engine_reason = "own evaluator: a test";
  draft.manifest.signature.inputs = {{.name = "x"}};
  draft.manifest.engines = {
      {.file = "evaluator.safetensors", .encoding = {.tensors = {{.name = "X", .columns = {0}}}}}};
  draft.contents = {{"evaluator.safetensors", "bytes"}, {"parity.json", "{}"}};
  Registry registry = *Registry::Open(home_);
  const Status registered = registry.Register("churn", draft, {}, live.id()).status();
  ASSERT_TRUE(registered.ok()) << registered.message();
  ASSERT_TRUE(registry.Register("churn", draft, {}).ok());
  EXPECT_EQ(registry.Resolve("churn@1")->run, live.id());
  EXPECT_EQ(registry.Resolve("churn@2")->run, "");
  EXPECT_THAT(Found(live.id()).versions, ElementsAre("churn@1"));
  EXPECT_FALSE(registry.Register("churn", draft, {}, "no such run").ok());
  EXPECT_EQ(registry.Versions("churn")->size(), 2u);
}

TEST_F(RunsTest, ARunWhoseProcessWasKilledIsStopped) {
  int ids[2];
  ASSERT_EQ(pipe(ids), 0);
  const pid_t child = fork();
  if (child == 0) {
    const LiveRun live = Begin("churn");
    if (write(ids[1], live.id().data(), 32) != 32) _exit(1);
    pause();
  }
  std::string id(32, ' ');
  ASSERT_EQ(read(ids[0], id.data(), 32), 32);
  // As long as the process lives nobody settles it.
  EXPECT_EQ(Found(id).status, RunStatus::kRunning);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const registry::Run run = Found(id);
  EXPECT_EQ(run.status, RunStatus::kStopped);
  EXPECT_THAT(run.reason, HasSubstr("ended without a word"));
  EXPECT_TRUE(run.ended_at_us.has_value());
  EXPECT_TRUE(std::filesystem::is_empty(home_ / "runs"));
  close(ids[0]);
  close(ids[1]);
}

TEST_F(RunsTest, AForkLeavesTheRunAlone) {
  LiveRun live = Begin("churn");
  const pid_t child = fork();
  if (child == 0) {
    const bool is_refused = live.Report(1, {}).code() == Code::kFailedPrecondition;
    {
      const LiveRun inherited = std::move(live);
    }
    _exit(is_refused ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Found(live.id()).status, RunStatus::kRunning);
  EXPECT_TRUE(live.End(RunStatus::kFinished, {}, "", "").ok());
}

TEST_F(RunsTest, AHomeWithoutItsLocksIsStillListed) {
  const LiveRun live = Begin("churn");
  std::filesystem::remove_all(home_ / "runs");
  RunLog log = *RunLog::Open(home_);
  EXPECT_EQ(log.List("", 10)->size(), 1u);
}

TEST_F(RunsTest, ARunThatIsLeftAloneIsStopped) {
  std::string id;
  {
    LiveRun live = Begin("churn");
    id = live.id();
    const LiveRun moved = std::move(live);
    EXPECT_EQ(Found(id).status, RunStatus::kRunning);
  }
  EXPECT_EQ(Found(id).status, RunStatus::kStopped);
}

TEST_F(RunsTest, LongTextsKeepTheirBeginningAndTheirEnd) {
  LiveRun live = Begin("churn");
  std::string traceback = "begins";
  while (traceback.size() < 1'000'000) traceback += "é";
  traceback += "ends";
  ASSERT_TRUE(live.End(RunStatus::kFailed, {}, "", traceback).ok());
  const std::string kept = Found(live.id()).traceback;
  EXPECT_LT(kept.size(), 65'000u);
  EXPECT_TRUE(kept.starts_with("begins") && kept.ends_with("ends"));
  EXPECT_THAT(kept, HasSubstr("é\n[...]\né"));
}

TEST_F(RunsTest, ARegistryFromBeforeThereWereRunsIsBroughtForward) {
  {
    sql::Session session =
        *sql::Session::Open(home_ / "registry.db", {.application_id = kApplicationId});
    ASSERT_TRUE(sql::Migrate(session, std::span(kSchema).first(1)).ok());
    ASSERT_TRUE(session
                    .Execute("INSERT INTO models VALUES ('churn', 1, 1);"
                             "INSERT INTO packages VALUES ('d', 'own', 'a test', 0, 1);"
                             "INSERT INTO versions VALUES ('churn', 1, 'd', 1, '{}');")
                    .ok());
  }
  Registry registry = *Registry::Open(home_);
  EXPECT_EQ(registry.Resolve("churn@1")->run, "");
  EXPECT_TRUE(RunLog::Open(home_)->List("", 10)->empty());
}

TEST_F(RunsTest, ANameThatIsNoneBeginsNothing) {
  EXPECT_EQ(LiveRun::Begin(home_, "no name", {}, {}).status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(RunLog::Open(home_)->List("", 10)->empty());
}

}  // namespace
}  // namespace penstock::registry
