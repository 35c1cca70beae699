// SPDX-License-Identifier: Apache-2.0
#include "follow/pinned_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "os/fake_file_system.h"
#include "package/package.h"

namespace penstock::follow {
namespace {

using testing::HasSubstr;

// Of 2 x age + 1, as docs/internals/package-format.md lays it out.
std::string EvaluatorBytes() {
  std::string header =
      R"({"__metadata__":{"penstock":"[{\"op\":\"linear\",\"coef\":\"c\",\"intercept\":\"b\",)"
      R"(\"link\":\"identity\"}]"},"b":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
      R"("c":{"dtype":"F64","shape":[1,1],"data_offsets":[8,16]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const auto bytes_of = [](auto number) {
    std::string bytes(sizeof(number), '\0');
    std::memcpy(bytes.data(), &number, sizeof(number));
    return bytes;
  };
  return bytes_of(uint64_t{header.size()}) + header + bytes_of(1.0) + bytes_of(2.0);
}

package::Draft House(const std::string& evaluator) {
  package::Draft draft;
  draft.manifest.created_by = "test";
  draft.manifest.engine_reason = "own evaluator: it is linear";
  draft.manifest.signature.task = package::Task::kRegression;
  draft.manifest.signature.inputs = {{.name = "age"}};
  draft.manifest.engines = {
      {.file = "evaluator.safetensors", .encoding = {.tensors = {{.name = "X", .columns = {0}}}}}};
  draft.contents = {{"evaluator.safetensors", evaluator}};
  return draft;
}

class PinnedSourceTest : public testing::Test {
 protected:
  PinnedSourceTest() {
    board_.Attach([this](const std::function<void(serve::LoopSlot&)>& task) {
      was_ready_in_publish_ = health_.is_ready();
      source_in_publish_ = health_.route_source();
      for (serve::LoopSlot& slot : slots_) task(slot);
    });
  }

  void WriteHouse(const std::string& evaluator = EvaluatorBytes()) {
    package::Draft draft = House(evaluator);
    const std::string manifest = draft.Seal();
    ASSERT_TRUE(files_.CreateDirectories(folder_).ok());
    for (const auto& [path, bytes] : draft.contents)
      ASSERT_TRUE(files_.Write(folder_ / path, bytes).ok());
    ASSERT_TRUE(files_.Write(folder_ / package::kManifestName, manifest).ok());
  }

  // The health of a server whose start failed with `status`.
  void ExpectNothingIsServed(const Status& status) const {
    EXPECT_FALSE(health_.is_ready());
    EXPECT_NE(health_.Reason(), "");
    const serve::Health::RouteSource source = health_.route_source();
    EXPECT_EQ(source.kind, "pinned");
    EXPECT_EQ(source.location, folder_);
    EXPECT_EQ(source.state.code(), status.code());
    EXPECT_EQ(source.state.message(), status.message());
    EXPECT_EQ(board_.current(), nullptr);
    EXPECT_EQ(board_.epoch(), 0U);
  }

  const std::filesystem::path folder_ = "/packages/house";
  os::FakeFileSystem files_;
  observe::Metrics metrics_{2};
  serve::Health health_;
  serve::RouteBoard board_{2};
  std::array<serve::LoopSlot, 2> slots_ = {serve::LoopSlot{.loop = 0}, serve::LoopSlot{.loop = 1}};
  bool was_ready_in_publish_ = true;
  serve::Health::RouteSource source_in_publish_;
  PinnedSource source_{{.package = folder_, .id = {"house", 3}},
                       {.files = files_,
                        .clock = Clock::System(),
                        .metrics = metrics_,
                        .board = board_,
                        .health = health_}};
};

TEST_F(PinnedSourceTest, ServesThePackageUnderTheNameThatWasGiven) {
  WriteHouse();
  const Status started = source_.Start();
  ASSERT_TRUE(started.ok()) << started.message();
  EXPECT_TRUE(health_.is_ready());
  EXPECT_FALSE(was_ready_in_publish_) << "ready is when every loop has the routes";
  EXPECT_EQ(health_.Reason(), "");
  const serve::Health::RouteSource source = health_.route_source();
  EXPECT_EQ(source.kind, "pinned");
  EXPECT_EQ(source.location, folder_);
  EXPECT_TRUE(source.state.ok());
  EXPECT_EQ(board_.epoch(), 1U);
  for (const serve::LoopSlot& slot : slots_) {
    ASSERT_NE(slot.view, nullptr);
    const auto snapshot = slot.view->routes().Find("house", 3);
    ASSERT_TRUE(snapshot.ok());
    EXPECT_EQ((*snapshot)->signature().inputs[0].name, "age");
  }
}

TEST_F(PinnedSourceTest, APackageThatIsNotThereIsToldInHealth) {
  const Status status = source_.Start();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.message(), "there is no package at '/packages/house'");
  ExpectNothingIsServed(status);
}

TEST_F(PinnedSourceTest, ADamagedFileIsToldInHealthUntilItIsWholeAgain) {
  WriteHouse();
  std::string damaged = EvaluatorBytes();
  damaged.back() ^= 1;
  ASSERT_TRUE(files_.Write(folder_ / "evaluator.safetensors", damaged).ok());
  const Status status = source_.Start();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("file 'evaluator.safetensors'"));
  EXPECT_THAT(status.message(), HasSubstr("register or copy it again"));
  ExpectNothingIsServed(status);

  WriteHouse();
  ASSERT_TRUE(source_.Start().ok());
  EXPECT_TRUE(health_.is_ready());
  EXPECT_TRUE(health_.route_source().state.ok());
  EXPECT_TRUE(source_in_publish_.state.ok()) << "a new start forgets the failure before";
}

TEST_F(PinnedSourceTest, AModelThatNoEngineTakesIsToldInHealth) {
  WriteHouse("no safetensors");
  const Status status = source_.Start();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("evaluator.safetensors"));
  ExpectNothingIsServed(status);
}

}  // namespace
}  // namespace penstock::follow
