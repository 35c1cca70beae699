// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <latch>
#include <string>
#include <thread>

#include "http/server.h"
#include "http/test_client.h"

namespace penstock::http {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Answers with the path, and with as many bytes as the query says.
class PathHandler final : public Handler {
 public:
  void Handle(Exchange& exchange) override {
    exchange.response().Begin(200, "text/plain");
    exchange.response().body() += exchange.request().path;
    const std::string bytes(exchange.request().query);
    if (!bytes.empty()) exchange.response().body().append(std::stoul(bytes), 'x');
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

  // Time is what these tests are about.
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

TEST_F(ConnectionTest, AReaderDoesNotBuyTimePieceByPiece) {
  Serve({.send_ms_max = 300, .send_bytes_per_s_min = int64_t{1} << 40});
  TestClient client = Connect();
  ASSERT_TRUE(client.Send(TestGet("/?80000000")));
  size_t pieces = 0;
  while (client.Fill()) {
    ASSERT_LT(++pieces, 80'000'000U / 65536) << "all of it was sent";
    PassTime(5ms);
  }
  EXPECT_EQ(server_->stats().timeouts_send, 1);
}

// Kernels hold up to 10 MB of an answer. The rest takes longer than send_ms_max, in small steps.
TEST_F(ConnectionTest, AReaderEarnsTimeByBytes) {
  Serve({.send_ms_max = 1000, .send_bytes_per_s_min = 1'000'000});
  TestClient client = Connect();
  const auto begin = steady_clock::now();
  ASSERT_TRUE(client.Send(TestGet("/?30000000")));
  while (steady_clock::now() - begin < 1500ms && client.Fill()) PassTime(5ms);
  EXPECT_EQ(client.Read().body.size(), 30'000'001U);
  EXPECT_EQ(server_->stats().timeouts_send, 0);
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
