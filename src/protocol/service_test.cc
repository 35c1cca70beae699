// SPDX-License-Identifier: Apache-2.0
#include "protocol/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <string>
#include <utility>

#include "http/server.h"
#include "http/test_client.h"
#include "protocol/server_metrics.h"
#include "serve/fake_model.h"
#include "serve/routes.h"

namespace penstock::protocol {
namespace {

using http::TestClient;
using http::TestPost;
using http::TestResponse;
using package::Type;
using serve::FakeModel;
using testing::HasSubstr;

// A server with one loop and one thread for what would hold it up. The cost of a model that is not
// measured sends every request to the thread.
class ServiceTest : public testing::Test {
 protected:
  ~ServiceTest() override {
    if (server_) server_->Stop();
  }

  void Serve(ServiceOptions options = {}) {
    server_ = *http::Server::Create({.make_handler = [this, options](int loop) {
      return std::make_unique<Service>(
          loop, options,
          ServiceParts{executor_, 1, health_, board_, unrouted_, Clock::System(), logger_});
    }});
    board_.Attach([this](const std::function<void(serve::LoopSlot&)>& task) {
      server_->RunOnEveryLoop(
          [&](http::Handler& handler) { task(static_cast<Service&>(handler).slot()); });
    });
    ASSERT_TRUE(server_->Start().ok());
  }

  void Publish(package::Type type, FakeModel::Behaviour behaviour) {
    package::Signature signature = FakeModel::SignatureOf({{"a", type}});
    auto snapshot = *serve::Snapshot::Make(
        std::make_unique<FakeModel>(std::move(signature), std::move(behaviour)), {"m", 1}, {},
        Clock::System(), metrics_);
    snapshot_ = snapshot;
    const auto routes = std::make_shared<serve::Routes>();
    ASSERT_TRUE(routes->Add(std::move(snapshot)).ok());
    ASSERT_TRUE(board_.Publish(routes).ok());
  }

  TestClient Connect() { return TestClient(server_->port()); }
  static std::string Body(const std::string& features) {
    return TestPost("/predict", "{\"features\": " + features + "}");
  }

  observe::MemorySink sink_;
  observe::Logger logger_{&sink_, &Clock::System()};
  observe::Metrics metrics_{2};
  serve::ModelMetrics unrouted_{metrics_, "", 0};
  serve::Health health_;
  serve::RouteBoard board_{1};
  serve::Executor executor_{{.threads = 1}};
  std::shared_ptr<const serve::Snapshot> snapshot_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(ServiceTest, ARequestForWhichMemoryRunsOutIsToldSoAndTheNextIsAnswered) {
  Serve();
  bool is_full = true;
  Publish(Type::kFloat64, {.cost = {}, .on_call = [&](int64_t) {
                             if (std::exchange(is_full, false)) throw std::bad_alloc();
                           }});
  TestClient client = Connect();
  const TestResponse refused = client.Call(Body("[[1]]"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("no memory left for this request"));
  EXPECT_THAT(refused.head, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(client.Call(Body("[[1]]")).body, HasSubstr("\"predictions\":[1.0]"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("code=\"503\"} 1\n"));
}

TEST_F(ServiceTest, CountsWhatItRefusesWhileThereAreNoRoutes) {
  Serve();
  TestClient client = Connect();
  for (const char* path : {"/predict", "/models/m/predict", "/models/m/versions/1/predict"}) {
    const TestResponse refused = client.Call(TestPost(path, "{}"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_THAT(refused.head, HasSubstr("\r\nRetry-After: "));
  }
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("penstock_requests_total{model=\"\",version=\"\",code=\"503\"} 3\n"));
}

TEST_F(ServiceTest, ExportsThatAcceptingHasPaused) {
  Serve();
  AddServerMetrics(metrics_, {*server_, executor_, health_, board_});
  EXPECT_THAT(metrics_.Text(), HasSubstr("\npenstock_http_accept_pauses_total 0\n"));
}

// Each row of the loop's buffers keeps the memory of the longest text that it has held.
TEST_F(ServiceTest, RequestsLeaveLittleMemoryBehindOnTheirLoop) {
  Serve();
  Publish(Type::kString, {});
  TestClient client = Connect();
  const std::string text(50'000, 'x');
  std::string before;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.Call(Body("[" + before + "[\"" + text + "\"]]")).status, 200);
    before += "[\"\"],";
  }
  server_->RunOnEveryLoop([&](http::Handler& handler) {
    const serve::LoopSlot& slot = static_cast<Service&>(handler).slot();
    EXPECT_LE(slot.view->WorkspaceOf(*snapshot_).bytes(), serve::kWorkspaceBytesMax);
  });
}

}  // namespace
}  // namespace penstock::protocol
