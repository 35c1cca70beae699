// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <latch>
#include <thread>

#include "http/server.h"
#include "http/test_client.h"

namespace penstock::http {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Answers with the path.
class PathHandler final : public Handler {
 public:
  void Handle(Exchange& exchange) override {
    exchange.response().Begin(200, "text/plain");
    exchange.response().body() += exchange.request().path;
  }
};

// A server of one loop, which can be held so that several events are ready in one turn.
class ConnectionTest : public testing::Test {
 protected:
  void Serve(const Limits& limits) {
    server_ = *Server::Create(
        {.limits = limits, .make_handler = [](int) { return std::make_unique<PathHandler>(); }});
    ASSERT_TRUE(server_->Start().ok());
  }
  TestClient Connect() { return TestClient(server_->port()); }

  void WhileTheLoopIsBusy(const std::function<void()>& run) {
    std::latch is_held(1);
    std::latch may_go(1);
    std::jthread holder([&] {
      server_->RunOnEveryLoop([&](Handler&) {
        is_held.count_down();
        may_go.wait();
      });
    });
    is_held.wait();
    run();
    may_go.count_down();
  }

  // Until the timer of the loop is ready, ahead of what comes then.
  static void PassTime(steady_clock::duration time) {
    const auto end = steady_clock::now() + time;
    while (steady_clock::now() < end) std::this_thread::yield();
  }

  std::unique_ptr<Server> server_;
};

TEST_F(ConnectionTest, ARequestThatArrivedBeforeTheTickThatWouldCloseItsConnectionIsAnswered) {
  Serve({.idle_ms_max = 20});
  TestClient client = Connect();
  ASSERT_EQ(client.Call(TestGet("/first")).body, "/first");
  WhileTheLoopIsBusy([&] {
    PassTime(100ms);
    ASSERT_TRUE(client.Send(TestGet("/second")));
  });
  EXPECT_EQ(client.Read().body, "/second");
  EXPECT_TRUE(client.IsClosedByServer());
}

TEST_F(ConnectionTest, AConnectionThatADrainClosesIsNotCountedAsIdle) {
  Serve({.linger_ms_max = 20});
  TestClient client = Connect();
  ASSERT_EQ(client.Call(TestGet("/first")).body, "/first");
  EXPECT_TRUE(server_->Drain(10s, 0ms).ok());
  EXPECT_TRUE(client.IsClosedByServer());
  EXPECT_EQ(server_->stats().timeouts_idle, 0);
}

}  // namespace
}  // namespace penstock::http
