// SPDX-License-Identifier: Apache-2.0
#include "protocol/dynamic_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "http/server.h"
#include "http/test_client.h"
#include "protocol/service.h"
#include "serve/fake_model.h"
#include "serve/routes.h"

namespace penstock::protocol {
namespace {

using http::TestClient;
using http::TestPost;
using http::TestResponse;
using serve::FakeModel;
using testing::ElementsAre;
using testing::HasSubstr;

// A server with one loop and a model that gains from batches. The loop can be held while clients
// send, so that their requests are ready in the same turn.
class DynamicBatchTest : public testing::Test {
 protected:
  static constexpr engine::Cost kCost{.call_ns = 10'000, .row_ns = 100};

  ~DynamicBatchTest() override {
    if (server_) server_->Stop();
  }

  void Serve(FakeModel::Behaviour behaviour) {
    behaviour.on_call = [this](int64_t rows) { calls_.push_back(rows); };
    server_ = *http::Server::Create({.make_handler = [this](int loop) {
      return std::make_unique<Service>(
          loop, ServiceOptions{},
          ServiceParts{executor_, 1, health_, board_, unrouted_, Clock::System(), logger_});
    }});
    board_.Attach([this](const std::function<void(serve::LoopSlot&)>& task) {
      server_->RunOnEveryLoop(
          [&](http::Handler& handler) { task(static_cast<Service&>(handler).slot()); });
    });
    ASSERT_TRUE(server_->Start().ok());
    Publish(1, std::move(behaviour));
    for (int i = 0; i < 4; ++i) {
      clients_.push_back(std::make_unique<TestClient>(server_->port()));
      ASSERT_EQ(Ask(*clients_.back(), "[[1, 1]]").status, 200);
    }
    calls_.clear();
  }

  void Publish(int64_t version, FakeModel::Behaviour behaviour) {
    package::Signature signature =
        FakeModel::SignatureOf({{"a", package::Type::kFloat64}, {"b", package::Type::kFloat64}});
    auto snapshot = *serve::Snapshot::Make(
        std::make_unique<FakeModel>(std::move(signature), std::move(behaviour)), {"m", version}, {},
        Clock::System(), metrics_);
    snapshot_ = snapshot;
    const auto routes = std::make_shared<serve::Routes>();
    ASSERT_TRUE(routes->Add(std::move(snapshot)).ok());
    ASSERT_TRUE(board_.Publish(routes).ok());
  }

  // Holds the loop while `run` runs.
  template <typename Run>
  void WhileTheLoopIsBusy(const Run& run) {
    std::latch is_held(1);
    std::latch may_go(1);
    std::jthread holder([&] {
      server_->RunOnEveryLoop([&](http::Handler&) {
        is_held.count_down();
        may_go.wait();
      });
    });
    is_held.wait();
    run();
    may_go.count_down();
  }

  static std::string Body(const std::string& features) {
    return TestPost("/predict", "{\"features\": " + features + "}");
  }
  static TestResponse Ask(TestClient& client, const std::string& features) {
    return client.Call(Body(features));
  }

  std::vector<TestResponse> AskTogether(const std::vector<std::string>& features) {
    WhileTheLoopIsBusy([&] {
      for (size_t i = 0; i < features.size(); ++i)
        EXPECT_TRUE(clients_[i]->Send(Body(features[i])));
    });
    std::vector<TestResponse> responses;
    for (size_t i = 0; i < features.size(); ++i) responses.push_back(clients_[i]->Read());
    return responses;
  }

  observe::MemorySink sink_;
  observe::Logger logger_{&sink_, &Clock::System()};
  observe::Metrics metrics_{2};
  serve::ModelMetrics unrouted_{metrics_, "", 0};
  serve::Health health_;
  serve::RouteBoard board_{1};
  serve::Executor executor_{{.threads = 1}};
  std::weak_ptr<const serve::Snapshot> snapshot_;
  std::vector<int64_t> calls_;  // of the loop's thread, which is idle when a test reads them
  std::unique_ptr<http::Server> server_;
  std::vector<std::unique_ptr<TestClient>> clients_;
};

TEST_F(DynamicBatchTest, RequestsOfOneTurnAreAnsweredByOneCallEachWithItsOwnRows) {
  Serve({.cost = kCost});
  const auto responses = AskTogether({"[[1, 2]]", "[[10, 20], [30, 40]]", "{\"b\": 5, \"a\": 1}"});
  EXPECT_THAT(responses[0].body, HasSubstr("\"predictions\":[3.0]"));
  EXPECT_THAT(responses[1].body, HasSubstr("\"predictions\":[30.0,70.0]"));
  EXPECT_THAT(responses[2].body, HasSubstr("\"predictions\":[6.0]"));
  EXPECT_THAT(calls_, ElementsAre(4));
}

TEST_F(DynamicBatchTest, ARequestThatDoesNotFitLeavesTheOthersAlone) {
  Serve({.cost = kCost});
  const auto responses = AskTogether({"[[1, 2]]", "[[1, 2], [3, \"x\"]]", "[[5, 6]]"});
  EXPECT_THAT(responses[0].body, HasSubstr("\"predictions\":[3.0]"));
  EXPECT_EQ(responses[1].status, 422);
  EXPECT_THAT(responses[1].body, HasSubstr("\"/features/1/1\""));
  EXPECT_THAT(responses[2].body, HasSubstr("\"predictions\":[11.0]"));
  EXPECT_THAT(calls_, ElementsAre(2));
}

TEST_F(DynamicBatchTest, ARowThatTheEngineRefusesFailsItsOwnRequestAlone) {
  Serve({.cost = kCost, .refused = 13});
  const auto responses = AskTogether({"[[1, 2]]", "[[1, 1], [6, 7]]", "[[5, 6]]"});
  EXPECT_EQ(responses[0].status, 200);
  EXPECT_EQ(responses[1].status, 422);
  EXPECT_THAT(responses[1].body, HasSubstr("the sum is refused"));
  EXPECT_THAT(responses[2].body, HasSubstr("\"predictions\":[11.0]"));
  EXPECT_THAT(calls_, ElementsAre(4, 1, 2, 1));
}

TEST_F(DynamicBatchTest, ACallGrowsOnlyUntilItWouldHoldUpTheLoop) {
  // 100 us are reached by 10 + 0.1 x 900 rows.
  Serve({.cost = {.call_ns = 10'000, .row_ns = 100}});
  std::string many = "[[1, 2]";
  for (int i = 1; i < 600; ++i) many += ", [1, 2]";
  many += "]";
  const auto responses = AskTogether({many, many, many});
  for (const TestResponse& response : responses) EXPECT_EQ(response.status, 200);
  EXPECT_THAT(calls_, ElementsAre(1200, 600));
}

TEST_F(DynamicBatchTest, PipelinedRequestsAreAnsweredInOrder) {
  Serve({.cost = kCost});
  std::string together;
  for (int i = 0; i < 50; ++i) together += Body("[[" + std::to_string(i) + ", 0]]");
  ASSERT_TRUE(clients_[0]->Send(together));
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(clients_[0]->Read().body,
                HasSubstr("\"predictions\":[" + std::to_string(i) + ".0]"));
  }
}

TEST_F(DynamicBatchTest, AClientThatIsGoneCostsNobodyAnything) {
  Serve({.cost = kCost});
  WhileTheLoopIsBusy([&] {
    ASSERT_TRUE(clients_[0]->Send(Body("[[1, 2]]")));
    ASSERT_TRUE(clients_[1]->Send(Body("[[3, 4]]")));
    clients_[0]->Reset();
  });
  EXPECT_THAT(clients_[1]->Read().body, HasSubstr("\"predictions\":[7.0]"));
}

TEST_F(DynamicBatchTest, ChangedRoutesLetGoOfTheVersionBefore) {
  Serve({.cost = kCost});
  const std::weak_ptr<const serve::Snapshot> first = snapshot_;
  Publish(2, {.cost = kCost, .values = {99}});
  EXPECT_THAT(Ask(*clients_[0], "[[1, 2]]").body, HasSubstr("\"version\":2"));
  EXPECT_TRUE(first.expired()) << "an empty batch kept a version that is routed no more";
}

TEST_F(DynamicBatchTest, AnEngineWhoseCallsAreCheapAnswersAtOnce) {
  Serve({.cost = {.call_ns = 100, .row_ns = 50}});
  AskTogether({"[[1, 2]]", "[[3, 4]]"});
  EXPECT_THAT(calls_, ElementsAre(1, 1));
}

}  // namespace
}  // namespace penstock::protocol
