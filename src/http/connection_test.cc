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

using testing::HasSubstr;
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

// Requests of one megabyte against a server that receives two at a time.
class ReceiveTest : public ConnectionTest {
 protected:
  static constexpr size_t kBytes = 1'000'000;
  static constexpr size_t kHeldBytes = 900'000;

  ReceiveTest() { Serve({.body_bytes_max = kBytes, .receive_bytes_max = 2 * kBytes + 100'000}); }

  // Sends all but the end of a request.
  void Begin(TestClient& client) {
    const int64_t before = server_->stats().bytes_received;
    ASSERT_TRUE(client.Send(request_.substr(0, kHeldBytes)));
    while (server_->stats().bytes_received < before + static_cast<int64_t>(kHeldBytes))
      std::this_thread::yield();
  }
  TestResponse Finish(TestClient& client) { return client.Call(request_.substr(kHeldBytes)); }

  const std::string request_ = TestPost("/whole", std::string(kBytes, 'b'));
};

TEST_F(ReceiveTest, OneMoreThanTheServerMayHoldIsTold) {
  TestClient first = Connect();
  TestClient second = Connect();
  TestClient third = Connect();
  Begin(first);
  Begin(second);
  const TestResponse refused = third.Call(request_);
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.closes());
  EXPECT_THAT(refused.head, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(refused.body, HasSubstr("receive_bytes_max = 2100000;"));
  EXPECT_EQ(Connect().Call(TestGet("/small")).body, "/small");
  EXPECT_EQ(Finish(first).body, "/whole");
  EXPECT_EQ(Connect().Call(request_).body, "/whole");
  EXPECT_EQ(Finish(second).body, "/whole");
}

TEST_F(ReceiveTest, TheFirstByteOfTheNextRequestDoesNotKeepTheMemoryOfTheLast) {
  TestClient first = Connect();
  TestClient second = Connect();
  ASSERT_EQ(first.Call(request_ + "G").body, "/whole");
  ASSERT_EQ(second.Call(request_ + "G").body, "/whole");
  EXPECT_EQ(Connect().Call(request_).body, "/whole");
  EXPECT_EQ(first.Call(TestGet("/next").substr(1)).body, "/next");
}

TEST_F(ReceiveTest, AConnectionThatEndsGivesItsShareBack) {
  {
    TestClient first = Connect();
    TestClient second = Connect();
    Begin(first);
    Begin(second);
  }
  while (server_->stats().connections_open > 0) std::this_thread::yield();
  EXPECT_EQ(Connect().Call(request_).body, "/whole");
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
