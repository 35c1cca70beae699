// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_pool.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace penstock::engine {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;

// Programs that say that they are ready, whatever model they are given.
class WorkerPoolTest : public testing::Test {
 protected:
  WorkerPoolTest()
      : folder_(std::filesystem::path(testing::TempDir()) / fmt::format("pool-{}", getpid())) {
    std::filesystem::create_directories(folder_);
    std::string frame;
    FrameWriter writer(FrameKind::kReady, 0, 0, 1, frame);
    writer.AddStrings(std::vector<std::string>{"a worker"});
    writer.Finish();
    std::ofstream(folder_ / "ready", std::ios::binary) << frame;
  }
  ~WorkerPoolTest() override { std::filesystem::remove_all(folder_); }

  // A worker whose life is this shell script: its socket is stdin.
  WorkerCommand Command(const std::string& script) const {
    const std::filesystem::path program = folder_ / "python";
    std::ofstream(program) << "#!/bin/sh\ncd " << folder_.string() << "\n" << script << "\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return {.python = program, .package = folder_};
  }

  std::filesystem::path folder_;
};

constexpr const char* kServes = "cat ready >&0; cat > /dev/null; touch ended-$$";

// A call whose time is over just as a worker becomes free may be the one that is told of it. The
// next one must not sleep on beside a worker that waits.
TEST_F(WorkerPoolTest, AFreeWorkerIsNeverLeftToACallWhoseTimeIsOver) {
  using Time = std::chrono::steady_clock::time_point;
  constexpr milliseconds kTime{20};
  constexpr int kRounds = 100;
  auto pool = *WorkerPool::Start(Command(kServes), {.workers = 1, .call_ms_max = kTime.count()});
  int counted = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto held = pool->Take("held");
    ASSERT_TRUE(held.ok());
    std::atomic<Time> first_began = Time();
    std::thread first([&] {
      first_began = std::chrono::steady_clock::now();
      static_cast<void>(pool->Take("first"));
    });
    while (first_began.load() == Time()) std::this_thread::yield();
    std::this_thread::sleep_for(kTime / 2);
    Status told;
    const Time second_began = std::chrono::steady_clock::now();
    std::thread second([&] { told = pool->Take("second").status(); });
    // Around the end of the first one's time, a little earlier or later each round.
    const microseconds early(300 - 5 * round);
    std::this_thread::sleep_until(first_began.load() + kTime - early);
    {
      const WorkerPool::Lease freed = *std::move(held);
    }
    const Time freed_at = std::chrono::steady_clock::now();
    first.join();
    second.join();
    // On a busy machine the worker may have come too late for both.
    if (freed_at >= second_began + kTime) continue;
    ++counted;
    ASSERT_TRUE(told.ok()) << "round " << round << ": " << told.message();
  }
  EXPECT_GT(counted, 0);
}

TEST_F(WorkerPoolTest, WorkersEndByThemselvesWithThePool) {
  {
    auto pool = *WorkerPool::Start(Command(kServes), {.workers = 1});
  }
  int ended = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    ended += entry.path().filename().string().starts_with("ended-") ? 1 : 0;
  EXPECT_EQ(ended, 1);
}

TEST_F(WorkerPoolTest, WhyNoWorkerStartsIsTold) {
  EXPECT_THAT(WorkerPool::Start(Command("echo no; exit 3"), {}).status().message(),
              HasSubstr("worker 1 exited with code 3: its process is gone; the last it printed: "
                        "no"));
  const Status missing =
      WorkerPool::Start({.python = folder_ / "nowhere", .package = folder_}, {}).status();
  EXPECT_EQ(missing.code(), Code::kFailedPrecondition);
  EXPECT_THAT(missing.message(), HasSubstr("worker 1 cannot be started: cannot run '"));
}

}  // namespace
}  // namespace penstock::engine
