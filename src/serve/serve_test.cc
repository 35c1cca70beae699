// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <latch>
#include <new>
#include <thread>

#include "serve/executor.h"
#include "serve/fake_model.h"
#include "serve/health.h"
#include "serve/route_board.h"
#include "serve/routes.h"

namespace penstock::serve {
namespace {

using package::Type;
using testing::HasSubstr;

class ServeTest : public testing::Test {
 protected:
  std::shared_ptr<const Snapshot> Load(std::string name, int64_t version,
                                       FakeModel::Behaviour behaviour = {}) {
    auto model = std::make_unique<FakeModel>(FakeModel::SignatureOf({{"a", Type::kFloat64}}),
                                             std::move(behaviour));
    return *Snapshot::Make(std::move(model), {std::move(name), version}, {}, Clock::System(),
                           metrics_);
  }

  observe::Metrics metrics_{4};
};

TEST_F(ServeTest, RoutesFindByNameAndVersionAndSayWhatThereIs) {
  Routes routes;
  EXPECT_THAT(routes.Only().status().message(), HasSubstr("no model is loaded yet"));
  ASSERT_TRUE(routes.Add(Load("churn", 1)).ok());
  ASSERT_TRUE(routes.Add(Load("churn", 3)).ok());
  EXPECT_EQ((*routes.Only())->version(), 1);
  ASSERT_TRUE(routes.SetDefault("churn", 3).ok());
  EXPECT_EQ((*routes.Find("churn"))->version(), 3);
  EXPECT_EQ((*routes.Find("churn", 1))->version(), 1);
  EXPECT_EQ(routes.Find("chrun").status().message(),
            "model 'chrun' is not served here; there is 'churn'. Did you mean 'churn'?");
  EXPECT_EQ(routes.Find("churn", 2).status().message(),
            "version 2 of model 'churn' is not served here; there are '1' and '3'");
  EXPECT_EQ(routes.Find("churn", 2).status().code(), Code::kNotFound);
  EXPECT_EQ(routes.SetDefault("churn", 2).code(), Code::kNotFound);
  EXPECT_EQ((*routes.Find("churn"))->version(), 3);
  EXPECT_EQ(routes.Add(Load("churn", 3)).code(), Code::kAlreadyExists);

  ASSERT_TRUE(routes.Add(Load("digits", 1)).ok());
  EXPECT_EQ(routes.Only().status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(routes.Only().status().message(),
              HasSubstr("2 models are served here ('churn' and 'digits'); name one"));
  EXPECT_EQ(routes.All().size(), 3u);
}

TEST_F(ServeTest, SnapshotPreparesWhatEveryAnswerRepeats) {
  const auto snapshot = Load("a \"b\" ü", 7);
  EXPECT_EQ(snapshot->answer_prefix(), "{\"model\":\"a \\\"b\\\" ü\",\"version\":7,\"id\":\"");
  EXPECT_EQ(snapshot->name_header(), "a%20\"b\"%20%C3%BC");
  EXPECT_EQ(snapshot->version_header(), "7");
}

TEST_F(ServeTest, UnmeasuredCostCountsAsTooMuchForALoop) {
  EXPECT_EQ(Load("a", 1, {.cost = {.call_ns = 100, .row_ns = 3}})->PredictedNs(10), 130);
  EXPECT_TRUE(std::isinf(Load("b", 1, {.cost = {}})->PredictedNs(1)));
}

TEST_F(ServeTest, WorkspacesAreUsedAgainUnlessTheyGrewLarge) {
  const auto snapshot = Load("a", 1);
  std::unique_ptr<Workspace> workspace = *snapshot->TakeWorkspace();
  Workspace* const small = workspace.get();
  snapshot->ReturnWorkspace(std::move(workspace));
  workspace = *snapshot->TakeWorkspace();
  EXPECT_EQ(workspace.get(), small);
  workspace->input.Resize(static_cast<int64_t>(kWorkspaceBytesMax / sizeof(double)) + 1);
  workspace->input.Resize(1);
  snapshot->ReturnWorkspace(std::move(workspace));
  EXPECT_LE((*snapshot->TakeWorkspace())->bytes(), kWorkspaceBytesMax);
}

TEST_F(ServeTest, AWorkspaceIsMeasuredByAllThatItsStringsHaveHeld) {
  auto model = std::make_unique<FakeModel>(FakeModel::SignatureOf({{"a", Type::kString}}));
  const auto snapshot = *Snapshot::Make(std::move(model), {"a", 1}, {}, Clock::System(), metrics_);
  const std::unique_ptr<Workspace> workspace = *snapshot->TakeWorkspace();
  constexpr int64_t kRows = 5;
  const std::string text(1'000'000, 'x');
  workspace->input.Resize(kRows);
  // Each call alone is small.
  for (int64_t row = 0; row < kRows; ++row) {
    ASSERT_LE(workspace->bytes(), static_cast<size_t>(row + 1) * text.size());
    ASSERT_TRUE(workspace->input.SetString(row, 0, text).ok());
    ASSERT_TRUE(workspace->input.SetString(row, 0, "").ok());
  }
  EXPECT_GT(workspace->bytes(), kWorkspaceBytesMax);
  workspace->Trim();
  EXPECT_EQ(workspace->bytes(), 0U);
  EXPECT_EQ(workspace->input.rows(), 0);
  workspace->input.Resize(1);
  EXPECT_TRUE(workspace->input.SetString(0, 0, text).ok());
  workspace->Trim();
  EXPECT_EQ(workspace->input.rows(), 1);
}

TEST_F(ServeTest, AModelWithoutAnInstanceIsNotLoaded) {
  auto model = std::make_unique<FakeModel>(FakeModel::SignatureOf({{"a", Type::kFloat64}}),
                                           FakeModel::Behaviour{.instances_max = 0});
  const auto snapshot = Snapshot::Make(std::move(model), {"a", 1}, {}, Clock::System(), metrics_);
  EXPECT_EQ(snapshot.status().message(), "no memory for one more instance");
}

// Loops as a server has them: threads that run what is posted, and between that answer requests
// from their view.
class Loops {
 public:
  explicit Loops(int count) {
    for (int i = 0; i < count; ++i) loops_.push_back(std::make_unique<Loop>());
    for (int i = 0; i < count; ++i) loops_[static_cast<size_t>(i)]->slot.loop = i;
    for (auto& loop : loops_)
      loop->thread =
          std::jthread([&loop = *loop](const std::stop_token& stop) { Run(loop, stop); });
  }
  ~Loops() {
    for (auto& loop : loops_) loop->thread.request_stop();
  }

  void RunOnEveryLoop(const std::function<void(LoopSlot&)>& task) {
    std::latch done(static_cast<ptrdiff_t>(loops_.size()));
    for (auto& loop : loops_) {
      const std::lock_guard lock(loop->mutex);
      loop->tasks.emplace_back([&task, &done, slot = &loop->slot] {
        task(*slot);
        done.count_down();
      });
    }
    done.wait();
  }

  // The version that each loop answered with last.
  int64_t VersionOf(int loop) const { return loops_[static_cast<size_t>(loop)]->version.load(); }
  int64_t StepsBack() const {
    int64_t steps = 0;
    for (const auto& loop : loops_) steps += loop->steps_back.load();
    return steps;
  }

 private:
  struct Loop {
    LoopSlot slot;
    std::mutex mutex;
    std::deque<std::function<void()>> tasks;
    std::atomic<int64_t> version = 0;
    std::atomic<int64_t> steps_back = 0;
    std::jthread thread;
  };

  static void Run(Loop& loop, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::function<void()> task;
      {
        const std::lock_guard lock(loop.mutex);
        if (!loop.tasks.empty()) {
          task = std::move(loop.tasks.front());
          loop.tasks.pop_front();
        }
      }
      if (task) task();
      std::this_thread::yield();
      if (loop.slot.view) Answer(loop);
    }
  }

  static void Answer(Loop& loop) {
    const Snapshot& snapshot = **loop.slot.view->routes().Only();
    Workspace& workspace = loop.slot.view->WorkspaceOf(snapshot);
    workspace.input.Resize(1);
    ASSERT_TRUE(workspace.input.SetNumber(0, 0, 1.5).ok());
    ASSERT_TRUE(workspace.instance->Predict(workspace.input, workspace.output).ok());
    if (snapshot.version() < loop.version.load()) loop.steps_back.fetch_add(1);
    loop.version.store(snapshot.version());
  }

  std::vector<std::unique_ptr<Loop>> loops_;
};

TEST_F(ServeTest, PublishReturnsWhenEveryLoopHasTheNewRoutes) {
  constexpr int kLoops = 3;
  constexpr int64_t kVersions = 50;
  RouteBoard board(kLoops);
  Loops loops(kLoops);
  board.Attach([&](const auto& task) { loops.RunOnEveryLoop(task); });
  std::weak_ptr<const Snapshot> first;
  for (int64_t version = 1; version <= kVersions; ++version) {
    auto routes = std::make_shared<Routes>();
    ASSERT_TRUE(routes->Add(Load("m", version)).ok());
    if (version == 1) first = routes->All()[0];
    ASSERT_TRUE(board.Publish(std::move(routes)).ok());
    std::atomic<int> with_new = 0;
    loops.RunOnEveryLoop([&](LoopSlot& slot) {
      with_new += (*slot.view->routes().Only())->version() == version &&
                  slot.epoch == static_cast<uint64_t>(version);
    });
    EXPECT_EQ(with_new.load(), kLoops);
  }
  EXPECT_EQ(board.epoch(), static_cast<uint64_t>(kVersions));
  EXPECT_EQ((*board.current()->Only())->version(), kVersions);
  EXPECT_EQ(loops.StepsBack(), 0);
  EXPECT_TRUE(first.expired())
      << "an old snapshot must be freed when the last loop has given it back";
}

TEST_F(ServeTest, PublishChangesNothingWhenALoopCannotBePrepared) {
  RouteBoard board(2);
  std::array<LoopSlot, 2> slots = {LoopSlot{.loop = 0}, LoopSlot{.loop = 1}};
  board.Attach([&](const auto& task) {
    for (LoopSlot& slot : slots) task(slot);
  });
  auto good = std::make_shared<Routes>();
  ASSERT_TRUE(good->Add(Load("m", 1)).ok());
  ASSERT_TRUE(board.Publish(good).ok());

  auto bad = std::make_shared<Routes>();
  ASSERT_TRUE(bad->Add(Load("m", 2, {.instances_max = 1})).ok());
  EXPECT_EQ(board.Publish(bad).code(), Code::kResourceExhausted);
  EXPECT_EQ(board.current(), good);
  EXPECT_EQ(board.epoch(), 1u);
  for (const LoopSlot& slot : slots) EXPECT_EQ((*slot.view->routes().Only())->version(), 1);
}

TEST(Executor, RunsEverythingThatItTook) {
  std::atomic<int> ran = 0;
  {
    Executor executor({.threads = 2});
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(executor.Submit([&](int) { ran.fetch_add(1); }));
  }
  EXPECT_EQ(ran.load(), 100);
}

TEST(Executor, OutlivesAJobThatThrows) {
  std::latch ran(1);
  Executor executor({.threads = 1});
  ASSERT_TRUE(executor.Submit([](int) { throw std::bad_alloc(); }));
  ASSERT_TRUE(executor.Submit([&](int) { ran.count_down(); }));
  ran.wait();
}

TEST(Executor, RefusesMoreThanItsQueueHolds) {
  std::latch started(1);
  std::latch release(1);
  Executor executor({.threads = 1, .queue_requests_max = 2});
  ASSERT_TRUE(executor.Submit([&](int thread) {
    EXPECT_EQ(thread, 0);
    started.count_down();
    release.wait();
  }));
  started.wait();
  EXPECT_TRUE(executor.Submit([](int) {}));
  EXPECT_TRUE(executor.Submit([](int) {}));
  EXPECT_FALSE(executor.Submit([](int) {}));
  EXPECT_EQ(executor.queued(), 2);
  EXPECT_EQ(executor.in_flight(), 3);
  release.count_down();
}

TEST_F(ServeTest, MetricsCountByStatusAndNeverByAnUnknownName) {
  const auto snapshot = Load("churn", 3);
  snapshot->metrics().CountRequest(0, 200, 30e-6);
  snapshot->metrics().CountRequest(1, 422, 10e-6);
  snapshot->metrics().CountRequest(1, 418, 10e-6);  // not listed: counts as the first of its class
  snapshot->metrics().CountRequest(1, 429, 10e-6);
  snapshot->metrics().CountRequest(0, 504, 10e-6);
  snapshot->metrics().CountRows(0, 5);
  ModelMetrics(metrics_, "", 0).CountRefusal(0, 404);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text,
              HasSubstr("penstock_requests_total{model=\"churn\",version=\"3\",code=\"200\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("penstock_requests_total{model=\"churn\",version=\"3\",code=\"422\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("penstock_requests_total{model=\"churn\",version=\"3\",code=\"400\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("penstock_requests_total{model=\"churn\",version=\"3\",code=\"429\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("penstock_requests_total{model=\"churn\",version=\"3\",code=\"504\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("penstock_requests_total{model=\"\",version=\"\",code=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("penstock_rows_total{model=\"churn\",version=\"3\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("penstock_request_duration_seconds_bucket{model=\"churn\",version="
                              "\"3\",le=\"1e-05\"} 4\n"));
  EXPECT_THAT(
      text,
      HasSubstr("penstock_request_duration_seconds_count{model=\"churn\",version=\"3\"} 5\n"));
}

TEST(Health, IsReadyFromTheFirstRoutesUntilDraining) {
  Health health;
  EXPECT_FALSE(health.is_ready());
  EXPECT_THAT(health.Reason(), HasSubstr("still being loaded"));
  health.SetRouteSource("pinned", "churn.pkg", DataLoss("model.bin is damaged"));
  EXPECT_THAT(health.Reason(), HasSubstr("cannot be loaded: model.bin is damaged"));
  health.SetServing();
  EXPECT_TRUE(health.is_ready());
  EXPECT_EQ(health.Reason(), "");
  health.SetEngineState(Unavailable("worker 1 exited with code 1"));
  EXPECT_FALSE(health.is_ready());
  EXPECT_THAT(health.Reason(), HasSubstr("cannot be run: worker 1 exited with code 1"));
  health.SetEngineState({});
  EXPECT_TRUE(health.is_ready());
  health.SetDraining();
  EXPECT_FALSE(health.is_ready());
  EXPECT_THAT(health.Reason(), HasSubstr("shutting down"));
}

}  // namespace
}  // namespace penstock::serve
