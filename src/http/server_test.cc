// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "http/test_client.h"

namespace penstock::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

// Waits for a condition; false after 10 s.
bool Eventually(const std::function<bool()>& is_true) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// Exchanges that a test answers when it likes.
class Shelf {
 public:
  void Put(Deferred deferred) {
    const std::lock_guard lock(mutex_);
    deferred_.push_back(std::move(deferred));
    changed_.notify_all();
  }
  Deferred Take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !deferred_.empty(); });
    Deferred first = std::move(deferred_.front());
    deferred_.pop_front();
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Deferred> deferred_;
};

// Echoes the body; a few paths do something else.
class TestHandler : public Handler {
 public:
  TestHandler(int loop, Shelf& shelf) : loop_(loop), shelf_(shelf) {}

  void Handle(Exchange& exchange) override {
    ++calls;
    const Request& request = exchange.request();
    Response& response = exchange.response();
    if (request.path == "/defer") return shelf_.Put(exchange.Defer());
    if (request.path == "/drop") return static_cast<void>(exchange.Defer());
    if (request.path == "/nothing") return;
    if (request.path == "/throw") throw std::runtime_error("boom");
    if (request.path == "/empty") return response.Begin(204, "");
    response.Begin(200, "text/plain");
    response.AddHeader("X-Loop", std::to_string(loop_));
    if (request.path == "/large") {
      response.body().append(4'000'000, 'x');
    } else {
      response.body()
          .append(request.method)
          .append(" ")
          .append(request.path)
          .append(" ")
          .append(request.body);
    }
  }

  int calls = 0;

 private:
  int loop_;
  Shelf& shelf_;
};

class ServerTest : public ::testing::Test {
 protected:
  Server& Serve(Limits limits = {}, int loops = 1) {
    server_ = *Server::Create(
        {.port = 0, .loops = loops, .limits = limits, .make_handler = [this](int loop) {
           return std::make_unique<TestHandler>(loop, shelf_);
         }});
    EXPECT_TRUE(server_->Start().ok());
    return *server_;
  }
  TestClient Connect() { return TestClient(server_->port()); }

  Shelf shelf_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersOnOneConnectionAgainAndAgain) {
  Serve();
  TestClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    const TestResponse response = client.Call(TestPost("/echo", "hello"));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "POST /echo hello");
    EXPECT_FALSE(response.closes());
    EXPECT_THAT(response.head, AllOf(StartsWith("HTTP/1.1 200 OK\r\nDate: "),
                                     HasSubstr(" GMT\r\nContent-Length: 16\r\n"),
                                     HasSubstr("\r\nContent-Type: text/plain\r\nX-Loop: 0\r\n")));
  }
  const ServerStats stats = server_->stats();
  EXPECT_EQ(stats.requests, 3);
  EXPECT_EQ(stats.responses_by_class[2], 3);
  EXPECT_EQ(stats.connections_open, 1);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  Serve();
  TestClient client = Connect();
  std::string requests;
  for (int i = 0; i < 500; ++i)
    requests += TestPost("/" + std::to_string(i), std::string(static_cast<size_t>(i), 'b'));
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 500; ++i) {
    const TestResponse response = client.Read();
    ASSERT_EQ(response.status, 200);
    ASSERT_EQ(response.body,
              "POST /" + std::to_string(i) + " " + std::string(static_cast<size_t>(i), 'b'));
  }
}

TEST_F(ServerTest, KeepsTheOrderOfPipelinedRequestsWhenOneIsDeferred) {
  Serve();
  TestClient client = Connect();
  ASSERT_TRUE(client.Send(TestPost("/defer", "one") + TestPost("/echo", "two")));
  Deferred deferred = shelf_.Take();
  EXPECT_EQ(deferred.request().body, "one");
  deferred.response().Begin(200, "text/plain");
  deferred.response().body() += "late";
  deferred.Complete();
  EXPECT_EQ(client.Read().body, "late");
  EXPECT_EQ(client.Read().body, "POST /echo two");
}

TEST_F(ServerTest, AnswersChunkedRequests) {
  Serve();
  TestClient client = Connect();
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(client.Call(head + "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX: y\r\n\r\n").body,
            "POST /echo abcdefg");
  EXPECT_EQ(client.Call(TestPost("/echo", "again")).body, "POST /echo again");
}

TEST_F(ServerTest, SaysContinueOnceTheHeadersAreGood) {
  Serve({.body_bytes_max = 1000});
  TestClient client = Connect();
  const TestResponse go = client.Call(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(go.head, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.Call("body").body, "POST /echo body");

  TestClient refused = Connect();
  const TestResponse no = refused.Call(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
  EXPECT_EQ(no.status, 413);
}

TEST_F(ServerTest, SendsNoBodyForHeadAndForStatus204) {
  Serve();
  TestClient client = Connect();
  ASSERT_TRUE(client.Send("HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n"));
  const TestResponse head = client.Read(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_THAT(head.head, HasSubstr("Content-Length: 4000000\r\n"));
  ASSERT_TRUE(client.Send(TestGet("/empty")));
  const TestResponse empty = client.Read(true);
  EXPECT_EQ(empty.status, 204);
  EXPECT_THAT(empty.head, ::testing::Not(HasSubstr("Content-")));
  EXPECT_EQ(client.Call(TestGet("/echo")).body, "GET /echo ");
}

TEST_F(ServerTest, SendsLargeAnswersToASlowReader) {
  Serve();
  TestClient client = Connect();
  ASSERT_TRUE(client.Send(TestGet("/large") + TestGet("/large") + TestGet("/echo")));
  TestClient other = Connect();
  EXPECT_EQ(other.Call(TestGet("/echo")).status, 200);
  EXPECT_EQ(client.Read().body.size(), 4'000'000U);
  EXPECT_EQ(client.Read().body.size(), 4'000'000U);
  EXPECT_EQ(client.Read().body, "GET /echo ");
}

TEST_F(ServerTest, ReceivesLargeBodies) {
  Serve({.body_bytes_max = 8'000'000});
  TestClient client = Connect();
  const std::string body(8'000'000, 'b');
  std::thread sender([&] { EXPECT_TRUE(client.Send(TestPost("/echo", body))); });
  sender.join();
  EXPECT_EQ(client.Read().body.size(), body.size() + std::string_view("POST /echo ").size());
}

TEST_F(ServerTest, ClosesAsHttp10AndConnectionCloseAsk) {
  Serve();
  TestClient old = Connect();
  EXPECT_TRUE(old.Call("GET /echo HTTP/1.0\r\n\r\n").closes());
  EXPECT_TRUE(old.IsClosedByServer());
  TestClient kept = Connect();
  const TestResponse stays = kept.Call("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(stays.head, HasSubstr("\r\nConnection: keep-alive\r\n"));
  EXPECT_EQ(kept.Call(TestGet("/echo")).status, 200);
  EXPECT_TRUE(kept.Call(TestGet("/echo", "Connection: close\r\n")).closes());
  EXPECT_TRUE(kept.IsClosedByServer());
}

TEST_F(ServerTest, AnswersWhatIsNotHttpAndCloses) {
  Serve();
  TestClient client = Connect();
  const TestResponse response =
      client.Call("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(response.closes());
  EXPECT_THAT(response.head, HasSubstr("Content-Type: application/problem+json\r\n"));
  EXPECT_EQ(
      response.body,
      R"({"type":"about:blank","title":"Bad Request","status":400,"detail":"There are two Content-Length headers."})");
  EXPECT_TRUE(client.IsClosedByServer());
  EXPECT_EQ(server_->stats().requests, 0);
  EXPECT_EQ(server_->stats().requests_refused, 1);
}

TEST_F(ServerTest, AnswersTheRequestsBeforeABrokenOne) {
  Serve();
  TestClient client = Connect();
  ASSERT_TRUE(
      client.Send(TestPost("/echo", "good") + "BROKEN\r\n\r\n" + TestPost("/echo", "smuggled")));
  EXPECT_EQ(client.Read().body, "POST /echo good");
  EXPECT_EQ(client.Read().status, 400);
  EXPECT_TRUE(client.IsClosedByServer());
}

struct LimitCase {
  std::string name;
  std::string request;
  int status;
  std::string detail;
};

class ServerLimit : public ServerTest, public ::testing::WithParamInterface<LimitCase> {};

TEST_P(ServerLimit, IsAnsweredWithItsNameAndValue) {
  Serve({.request_line_bytes_max = 100,
         .header_bytes_max = 300,
         .header_count_max = 5,
         .body_bytes_max = 1000});
  TestClient client = Connect();
  const TestResponse response = client.Call(GetParam().request);
  EXPECT_EQ(response.status, GetParam().status);
  EXPECT_THAT(response.body, HasSubstr(GetParam().detail));
  EXPECT_TRUE(response.closes());
  EXPECT_TRUE(client.IsClosedByServer());
}

INSTANTIATE_TEST_SUITE_P(
    Limits, ServerLimit,
    ::testing::Values(
        LimitCase{"RequestLine", TestGet("/" + std::string(200, 'a')), 414,
                  "request_line_bytes_max = 100 "},
        LimitCase{"HeaderBytes", TestGet("/", "X: " + std::string(400, 'a') + "\r\n"), 431,
                  "header_bytes_max = 300 "},
        LimitCase{"HeaderCount", TestGet("/", "A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n"), 431,
                  "header_count_max = 5 "},
        LimitCase{"BodyBytes", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413,
                  "body_bytes_max = 1000 "},
        LimitCase{"TransferCoding", TestGet("/", "Transfer-Encoding: gzip\r\n"), 501, "chunked"},
        LimitCase{"Version", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"},
        LimitCase{"Expectation", TestGet("/", "Expect: more\r\n"), 417, "100-continue"}),
    [](const auto& test) { return test.param.name; });

TEST_F(ServerTest, LetsAClientReadTheRefusalOfABodyItIsStillSending) {
  Serve({.body_bytes_max = 1000});
  TestClient client = Connect();
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n"));
  const std::string piece(1'000'000, 'x');
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(client.Send(piece)) << "cut off after " << i << " MB";
  EXPECT_EQ(client.Read().status, 413);
}

TEST_F(ServerTest, SaysSoWhenAClientStopsInTheMiddle) {
  Serve();
  TestClient body = Connect();
  ASSERT_TRUE(body.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfour"));
  body.CloseSending();
  const TestResponse response = body.Read();
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("after 4 bytes"));
  TestClient head = Connect();
  ASSERT_TRUE(head.Send("POST /echo HT"));
  head.CloseSending();
  EXPECT_EQ(head.Read().status, 400);
}

TEST_F(ServerTest, AnswersAClientThatHasClosedItsSendingSide) {
  Serve();
  TestClient client = Connect();
  ASSERT_TRUE(client.Send(TestPost("/echo", "one") + TestPost("/defer", "two") +
                          TestPost("/echo", "three")));
  client.CloseSending();
  EXPECT_EQ(client.Read().body, "POST /echo one");
  Deferred deferred = shelf_.Take();
  EXPECT_TRUE(Eventually([&] { return deferred.cancelled(); }));
  deferred.response().Begin(200, "");
  deferred.Complete();
  EXPECT_EQ(client.Read().status, 200);
  EXPECT_EQ(client.Read().body, "POST /echo three");
  EXPECT_TRUE(client.IsClosedByServer());
}

TEST_F(ServerTest, TimesOutSlowHeadersAndBodies) {
  Serve({.receive_ms_max = 60});
  TestClient headers = Connect();
  ASSERT_TRUE(headers.Send("GET / HTTP/1.1\r\nHost:"));
  TestClient body = Connect();
  ASSERT_TRUE(body.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfour"));
  const TestResponse slow_headers = headers.Read();
  EXPECT_EQ(slow_headers.status, 408);
  EXPECT_THAT(slow_headers.body,
              HasSubstr("The headers did not arrive within receive_ms_max = 60 ms"));
  const TestResponse slow_body = body.Read();
  EXPECT_EQ(slow_body.status, 408);
  EXPECT_THAT(slow_body.body, HasSubstr("The body did not arrive within receive_ms_max = 60 ms"));
  EXPECT_EQ(server_->stats().timeouts_receive, 2);
}

TEST_F(ServerTest, DoesNotLetASlowClientBuyTimeByteByByte) {
  // So long a line that the client cannot reach its end in time.
  Serve({.request_line_bytes_max = 1 << 30, .receive_ms_max = 100});
  TestClient client = Connect();
  const auto begin = std::chrono::steady_clock::now();
  while (server_->stats().timeouts_receive == 0) {
    ASSERT_TRUE(client.Send("X"));
    ASSERT_LT(std::chrono::steady_clock::now() - begin, 10s);
    std::this_thread::yield();
  }
  const TestResponse response = client.Read();
  EXPECT_EQ(response.status, 408);
  EXPECT_THAT(response.body,
              HasSubstr("The headers did not arrive within receive_ms_max = 100 ms"));
  EXPECT_EQ(server_->stats().timeouts_receive, 1);
}

TEST_F(ServerTest, GivesALargeBodyTimeInProportion) {
  Serve({.receive_ms_max = 50, .body_bytes_per_s_min = 1000});
  TestClient client = Connect();
  // 500 bytes earn half a second beyond the 50 ms.
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 501\r\n\r\n" +
                          std::string(500, 'b')));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.Read().status, 408);
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 400ms);
}

TEST_F(ServerTest, ClosesIdleConnections) {
  Serve({.idle_ms_max = 60});
  TestClient never = Connect();
  TestClient used = Connect();
  EXPECT_EQ(used.Call(TestGet("/echo")).status, 200);
  EXPECT_TRUE(never.IsClosedByServer());
  EXPECT_TRUE(used.IsClosedByServer());
  EXPECT_EQ(server_->stats().timeouts_idle, 2);
}

TEST_F(ServerTest, ResetsAClientThatDoesNotRead) {
  Serve({.send_ms_max = 60});
  TestClient client = Connect();
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += TestGet("/large");
  ASSERT_TRUE(client.Send(requests));
  EXPECT_TRUE(Eventually([&] { return server_->stats().timeouts_send == 1; }));
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections_open == 0; }));
}

TEST_F(ServerTest, EndsALingeringConnectionThatNeverCloses) {
  Serve({.linger_ms_max = 40});
  TestClient client = Connect();
  EXPECT_TRUE(client.Call(TestGet("/echo", "Connection: close\r\n")).closes());
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections_open == 0; }));
}

TEST_F(ServerTest, TellsClientsBeyondConnectionsMaxAndRecovers) {
  Serve({.connections_max = 2}, 2);
  std::optional<TestClient> first = Connect();
  TestClient second = Connect();
  EXPECT_EQ(first->Call(TestGet("/echo")).status, 200);
  EXPECT_EQ(second.Call(TestGet("/echo")).status, 200);
  TestClient third = Connect();
  const TestResponse refused = third.Call(TestGet("/echo"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.closes());
  EXPECT_THAT(refused.head, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(refused.body, HasSubstr("connections_max = 2 "));
  EXPECT_EQ(server_->stats().connections_refused, 1);
  first.reset();
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections_open == 1; }));
  TestClient fourth = Connect();
  EXPECT_EQ(fourth.Call(TestGet("/echo")).status, 200);
}

TEST_F(ServerTest, GoesOnWhenNoFileDescriptorIsLeft) {
  Serve({.idle_ms_max = 80});
  TestClient before = Connect();
  EXPECT_EQ(before.Call(TestGet("/echo")).status, 200);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const os::FileDescriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  const rlimit none = {.rlim_cur = static_cast<rlim_t>(client.get()), .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(Eventually([&] { return server_->stats().accept_pauses > 0; }));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections_accepted == 2; }));
}

TEST_F(ServerTest, Answers500ForAHandlerThatSaysNothingOrThrows) {
  Serve();
  TestClient client = Connect();
  EXPECT_EQ(client.Call(TestGet("/nothing")).status, 500);
  EXPECT_EQ(client.Call(TestGet("/throw")).status, 500);
  EXPECT_EQ(client.Call(TestGet("/drop")).status, 500);
  EXPECT_EQ(client.Call(TestGet("/echo")).status, 200);
}

TEST_F(ServerTest, CompletesDeferredExchangesFromOtherThreads) {
  Serve({}, 2);
  constexpr int kClients = 8;
  constexpr int kCalls = 200;
  std::jthread worker([this] {
    for (int i = 0; i < kClients * kCalls; ++i) {
      Deferred deferred = shelf_.Take();
      deferred.response().Begin(200, "text/plain");
      deferred.response().body() += deferred.request().body;
      deferred.Complete();
    }
  });
  std::vector<std::jthread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([this, c] {
      TestClient client = Connect();
      for (int i = 0; i < kCalls; ++i) {
        const std::string body = std::to_string(c) + ":" + std::to_string(i);
        ASSERT_EQ(client.Call(TestPost("/defer", body)).body, body);
      }
    });
  }
}

TEST_F(ServerTest, DropsADeferredAnswerWhenTheClientIsGone) {
  Serve();
  {
    TestClient client = Connect();
    ASSERT_TRUE(client.Send(TestPost("/defer", "body")));
    Deferred deferred = shelf_.Take();
    EXPECT_FALSE(deferred.cancelled());
    client.Reset();
    EXPECT_TRUE(Eventually([&] { return deferred.cancelled(); }));
    EXPECT_EQ(deferred.request().body, "body");
    deferred.response().Begin(200, "text/plain");
    deferred.response().body().append(1'000'000, 'x');
    deferred.Complete();
  }
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections_open == 0; }));
  TestClient next = Connect();
  EXPECT_EQ(next.Call(TestGet("/echo")).status, 200);
}

TEST_F(ServerTest, LetsADeferredExchangeOutliveTheServer) {
  Serve();
  TestClient client = Connect();
  ASSERT_TRUE(client.Send(TestPost("/defer", "body")));
  Deferred deferred = shelf_.Take();
  server_.reset();
  EXPECT_TRUE(deferred.cancelled());
  EXPECT_EQ(deferred.request().body, "body");
  deferred.response().Begin(200, "");
  deferred.Complete();
  EXPECT_TRUE(client.IsClosedByServer());
}

TEST_F(ServerTest, SpreadsConnectionsOverTheLoops) {
  Serve({}, 3);
  std::deque<TestClient> clients;
  std::map<std::string, int> by_loop;
  for (int i = 0; i < 9; ++i) {
    clients.push_back(Connect());
    const TestResponse response = clients.back().Call(TestGet("/echo"));
    const size_t at = response.head.find("X-Loop: ");
    ASSERT_NE(at, std::string::npos);
    ++by_loop[response.head.substr(at + 8, 1)];
  }
  EXPECT_EQ(by_loop, (std::map<std::string, int>{{"0", 3}, {"1", 3}, {"2", 3}}));
}

TEST_F(ServerTest, AnswersTenThousandRequestsFromSeveralConnections) {
  Serve({}, 2);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 10; ++c) {
      clients.emplace_back([this, &good] {
        TestClient client = Connect();
        for (int i = 0; i < 1000; ++i) {
          const std::string body(static_cast<size_t>(i), 'b');
          good += client.Call(TestPost("/echo", body)).body == "POST /echo " + body ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(good, 10'000);
  EXPECT_EQ(server_->stats().requests, 10'000);
}

TEST_F(ServerTest, RunsATaskOnEveryLoop) {
  Serve({}, 3);
  TestClient client = Connect();
  EXPECT_EQ(client.Call(TestGet("/echo")).status, 200);
  std::atomic<int> loops = 0;
  std::atomic<int> calls = 0;
  const auto task = [&](Handler& handler) {
    ++loops;
    calls += static_cast<TestHandler&>(handler).calls;
  };
  server_->RunOnEveryLoop(task);
  EXPECT_EQ(loops, 3);
  EXPECT_EQ(calls, 1);
  server_->Stop();
  server_->RunOnEveryLoop(task);
  EXPECT_EQ(loops, 6);
}

TEST_F(ServerTest, NamesThePortThatIsInUseAndTheFlagThatSetsIt) {
  const int port = Serve().port();
  const auto make = [this](int loop) { return std::make_unique<TestHandler>(loop, shelf_); };
  const auto refusal = [&](const std::string& flag) {
    return "port " + std::to_string(port) + " on 127.0.0.1 is in use: choose another with " + flag +
           ", or stop the program that listens there (ss -ltnp)";
  };
  const auto second = Server::Create({.port = port, .make_handler = make});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kAlreadyExists);
  EXPECT_EQ(second.status().message(), refusal("--port"));
  const auto admin =
      Server::Create({.port = port, .port_flag = "--admin-port", .make_handler = make});
  ASSERT_FALSE(admin.ok());
  EXPECT_EQ(admin.status().message(), refusal("--admin-port"));
}

TEST_F(ServerTest, RefusesOptionsThatCannotBe) {
  const auto make = [this](int loop) { return std::make_unique<TestHandler>(loop, shelf_); };
  const auto message = [&](ServerOptions options) {
    options.make_handler = make;
    return Server::Create(std::move(options)).status().ToString();
  };
  EXPECT_THAT(message({.port = 70000}), StartsWith("INVALID_ARGUMENT: port 70000"));
  EXPECT_THAT(message({.loops = 0}), StartsWith("INVALID_ARGUMENT: loops is 0"));
  EXPECT_THAT(message({.host = "192.0.2.1"}),
              HasSubstr("192.0.2.1 is not an address of this machine"));
  EXPECT_THAT(message({.host = "no.such.host.invalid"}),
              HasSubstr("'no.such.host.invalid' to listen on"));
  EXPECT_THAT(message({.limits = {.linger_ms_max = 0}}), HasSubstr("0 or less"));
}

TEST_F(ServerTest, TellsItsUrl) {
  const int port = Serve().port();
  EXPECT_GT(port, 0);
  EXPECT_EQ(server_->url(), "http://127.0.0.1:" + std::to_string(port));
}

// Calls until the server closes the connection in an orderly way; counts requests that got no
// answer.
void CallUntilClosed(TestClient client, std::atomic<int>& answered, std::atomic<int>& lost) {
  for (;;) {
    if (!client.Send(TestPost("/echo", "body"))) return static_cast<void>(++lost);
    const TestResponse response = client.Read();
    if (response.status != 200) return static_cast<void>(++lost);
    ++answered;
    if (response.closes()) return;
  }
}

TEST_F(ServerTest, DrainsWithoutLosingARequest) {
  for (int round = 0; round < 5; ++round) {
    Serve({}, 2);
    std::atomic<int> answered = 0;
    std::atomic<int> lost = 0;
    std::vector<std::jthread> clients;
    for (int c = 0; c < 8; ++c) {
      clients.emplace_back([&] { CallUntilClosed(Connect(), answered, lost); });
    }
    ASSERT_TRUE(Eventually([&] { return answered > 1000; }));
    // Longer than a busy machine keeps a client waiting between two requests.
    EXPECT_TRUE(server_->Drain(10s, 5s).ok());
    clients.clear();
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(server_->stats().requests, answered);
  }
}

TEST_F(ServerTest, DrainsNewConnectionsUntilTheListenerCloses) {
  for (int round = 0; round < 5; ++round) {
    const int port = Serve({}, 2).port();
    std::atomic<int> answered = 0;
    std::atomic<int> lost = 0;
    std::atomic<bool> is_over = false;
    std::vector<std::jthread> clients;
    for (int c = 0; c < 4; ++c) {
      clients.emplace_back([&] {
        // A client that could connect must get its answer, whenever that was.
        while (!is_over) {
          TestClient client(port);
          if (!client.is_connected()) return;
          const bool is_good =
              client.Send(TestPost("/echo", "body")) && client.Read().status == 200;
          ++(is_good ? answered : lost);
        }
      });
    }
    ASSERT_TRUE(Eventually([&] { return answered > 300; }));
    EXPECT_TRUE(server_->Drain(10s, 5s).ok());
    is_over = true;
    server_->Stop();
    clients.clear();
    EXPECT_EQ(lost, 0);
  }
}

TEST_F(ServerTest, DrainWaitsForWhatIsDeferredAndBeingReceived) {
  Serve();
  TestClient deferring = Connect();
  ASSERT_TRUE(deferring.Send(TestPost("/defer", "one")));
  TestClient sending = Connect();
  ASSERT_TRUE(sending.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfour"));
  TestClient idle = Connect();
  EXPECT_EQ(idle.Call(TestGet("/echo")).status, 200);
  Deferred deferred = shelf_.Take();
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections_open == 3; }));
  std::jthread drain([this] { EXPECT_TRUE(server_->Drain(10s, 20ms).ok()); });
  EXPECT_TRUE(idle.IsClosedByServer());
  ASSERT_TRUE(sending.Send("and si"));
  const TestResponse received = sending.Read();
  EXPECT_EQ(received.body, "POST /echo fourand si");
  EXPECT_TRUE(received.closes());
  deferred.response().Begin(200, "");
  deferred.Complete();
  EXPECT_TRUE(deferring.Read().closes());
}

TEST_F(ServerTest, DrainAnswersEveryPipelinedRequest) {
  Serve();
  TestClient client = Connect();
  ASSERT_TRUE(client.Send(TestPost("/defer", "one") + TestPost("/echo", "two") +
                          TestPost("/echo", "three")));
  Deferred deferred = shelf_.Take();
  std::jthread drain([this] { EXPECT_TRUE(server_->Drain(10s, 20ms).ok()); });
  TestClient idle = Connect();
  deferred.response().Begin(200, "");
  deferred.Complete();
  EXPECT_EQ(client.Read().status, 200);
  EXPECT_EQ(client.Read().body, "POST /echo two");
  const TestResponse last = client.Read();
  EXPECT_EQ(last.body, "POST /echo three");
  EXPECT_TRUE(client.IsClosedByServer());
}

TEST_F(ServerTest, DrainGivesUpAtItsDeadline) {
  Serve();
  TestClient client = Connect();
  ASSERT_TRUE(client.Send(TestPost("/defer", "one")));
  Deferred deferred = shelf_.Take();
  const Status status = server_->Drain(300ms, 10ms);
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(status.message(), StartsWith("1 connections were still open 300 ms after"));
  server_->Stop();
  EXPECT_TRUE(deferred.cancelled());
  deferred.Complete();
}

TEST_F(ServerTest, TwoServersLiveInOneProcess) {
  Serve();
  const auto other = *Server::Create(
      {.make_handler = [this](int loop) { return std::make_unique<TestHandler>(loop, shelf_); }});
  ASSERT_TRUE(other->Start().ok());
  EXPECT_NE(other->port(), server_->port());
  TestClient client(other->port());
  EXPECT_EQ(client.Call(TestGet("/echo")).status, 200);
  EXPECT_EQ(server_->stats().requests, 0);
}

}  // namespace
}  // namespace penstock::http
