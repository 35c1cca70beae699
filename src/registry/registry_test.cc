// SPDX-License-Identifier: Apache-2.0
#include "registry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/ids.h"
#include "os/fake_file_system.h"
#include "os/process.h"

namespace penstock::registry {
namespace {

using os::FakeFileSystem;
using testing::HasSubstr;

// A package whose bytes depend on `seed`; the registry does not look inside.
package::Draft DraftOf(int seed) {
  package::Draft draft;
  draft.manifest.created_by = "test";
  draft.manifest.engine_reason = "own evaluator: a test";
  draft.manifest.signature.inputs = {{.name = "x"}};
  draft.manifest.engines = {
      {.file = "evaluator.safetensors", .encoding = {.tensors = {{.name = "X", .columns = {0}}}}}};
  draft.contents = {{"evaluator.safetensors",
                     std::string(2000, static_cast<char>('a' + seed % 26)) + std::to_string(seed)},
                    {"parity.json", "{}"}};
  return draft;
}

class RegistryTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(home_); }
  void TearDown() override { std::filesystem::remove_all(home_); }

  const std::filesystem::path home_ =
      std::filesystem::temp_directory_path() / ("penstock-" + NewId());
};

TEST_F(RegistryTest, NumbersVersionsAndResolvesThem) {
  Registry registry = *Registry::Open(home_);
  json::Value details;
  details.Set("rows", 41203);
  EXPECT_EQ(registry.Register("churn", DraftOf(1), details)->ToString(), "churn@1");
  EXPECT_EQ(registry.Register("churn", DraftOf(2), {})->ToString(), "churn@2");
  EXPECT_EQ(registry.Register("digits", DraftOf(1), {})->ToString(), "digits@1");
  EXPECT_EQ(registry.Resolve("churn")->version, 2);
  const ModelVersion first = *registry.Resolve("churn@1");
  EXPECT_EQ(first.details, details);
  EXPECT_EQ(first.engine, "own");
  EXPECT_EQ(first.digest, registry.Resolve("digits")->digest);
  EXPECT_EQ(registry.Models()->size(), 2u);
  EXPECT_EQ(registry.Versions("churn")->size(), 2u);
  EXPECT_TRUE(registry.Check().ok());
}

TEST_F(RegistryTest, WhatIsNotThereIsToldWithWhatIs) {
  Registry registry = *Registry::Open(home_);
  EXPECT_THAT(registry.Resolve("churn").status().message(), HasSubstr("none is registered yet"));
  ASSERT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
  EXPECT_THAT(registry.Resolve("chrun").status().message(),
              HasSubstr("there are 'churn'. Did you mean 'churn'?"));
  EXPECT_EQ(registry.Resolve("churn@7").status().message(),
            "model 'churn' has no version 7; it has 1 to 1");
  EXPECT_EQ(registry.Resolve("churn@champion").status().code(), Code::kInvalidArgument);
  for (const char* name : {"", "a b", "../x", "_x", "a/b", "ä"}) {
    EXPECT_EQ(registry.Register(name, DraftOf(1), {}).status().code(), Code::kInvalidArgument)
        << name;
  }
}

TEST_F(RegistryTest, UnpacksAPackageAndFindsAFlippedBit) {
  Registry registry = *Registry::Open(home_);
  const ModelVersion version = *registry.Register("churn", DraftOf(1), {});
  const std::filesystem::path folder = *registry.Materialize(version);
  EXPECT_EQ(folder, home_ / "packages" / version.digest);
  EXPECT_EQ(std::filesystem::file_size(folder / "evaluator.safetensors"), 2001u);
  EXPECT_EQ(*registry.Materialize(version), folder);

  std::filesystem::permissions(folder / "evaluator.safetensors", std::filesystem::perms::owner_all);
  std::fstream file(folder / "evaluator.safetensors", std::ios::in | std::ios::out);
  file.put('b' ^ 1);
  file.close();
  const Status status = registry.Materialize(version).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("evaluator.safetensors"));
  EXPECT_EQ(registry.Check().code(), Code::kDataLoss);
}

TEST_F(RegistryTest, AHomeThatIsNotThereYetIsMade) {
  Registry registry = *Registry::Open(home_ / "deep" / "home");
  EXPECT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
}

TEST_F(RegistryTest, AHomeThatCannotBeMadeIsToldWithTheRemedy) {
  std::ofstream(home_ / "file") << "x";
  const Status status = Registry::Open(home_ / "file" / "home").status();
  EXPECT_THAT(status.message(), HasSubstr((home_ / "file" / "home").string()));
  EXPECT_THAT(status.message(), HasSubstr("set PENSTOCK_HOME to a folder that can be written"));
}

TEST_F(RegistryTest, AFullDiskRegistersNothing) {
  FakeFileSystem files;
  Registry registry = *Registry::Open(home_, {.files = &files});
  ASSERT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
  files.FailAfter(3, FakeFileSystem::Fault::kDiskFull);
  EXPECT_EQ(registry.Register("churn", DraftOf(2), {}).status().code(), Code::kResourceExhausted);
  EXPECT_EQ(registry.Versions("churn")->size(), 1u);
  EXPECT_EQ(registry.Register("churn", DraftOf(2), {})->version, 2);
}

// Power is lost at every changing call on the files in turn, while a second version is registered.
TEST_F(RegistryTest, LosesNothingReportedWhereverThePowerFails) {
  bool was_reported = false;
  for (int calls = 0; !was_reported; ++calls) {
    ASSERT_LT(calls, 200);
    const std::filesystem::path home = home_ / std::to_string(calls);
    std::filesystem::create_directories(home);
    FakeFileSystem files;
    {
      Registry registry = *Registry::Open(home, {.files = &files});
      ASSERT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
      files.FailAfter(calls, FakeFileSystem::Fault::kPowerLoss);
      was_reported = registry.Register("churn", DraftOf(2), {}).ok();
    }
    files.Restart();
    Registry registry = *Registry::Open(home, {.files = &files});
    EXPECT_TRUE(registry.Check().ok()) << calls << ": " << registry.Check().message();
    EXPECT_EQ(registry.Versions("churn")->size(), was_reported ? 2u : 1u) << calls;
    EXPECT_TRUE(registry.Register("churn", DraftOf(3), {}).ok()) << calls;
    for (const ModelVersion& version : *registry.Versions("churn")) {
      EXPECT_TRUE(registry.Materialize(version).ok()) << calls;
    }
  }
}

// Registers for ever and writes each version to `pipe` after it was reported.
[[noreturn]] void RegisterUntilKilled(const std::filesystem::path& home, int pipe, int seed) {
  while (true) {
    Result<Registry> registry = Registry::Open(home);
    if (!registry.ok()) _exit(1);
    for (int i = 0; i < 5; ++i) {
      const Result<ModelVersion> version = registry->Register("churn", DraftOf(++seed), {});
      if (!version.ok()) _exit(2);
      const int64_t number = version->version;
      if (write(pipe, &number, sizeof(number)) != sizeof(number)) _exit(3);
    }
  }
}

// Children are killed at random moments until 100 registrations have been reported.
TEST_F(RegistryTest, LosesNothingReportedToKill9) {
  std::mt19937 random(20261123);
  std::uniform_int_distribution<int> delay_us(0, 20'000);
  std::vector<int64_t> reported;
  for (int round = 0; reported.size() < 100; ++round) {
    ASSERT_LT(round, 2000);
    os::Pipe pipe = *os::MakePipe();
    const pid_t child = fork();
    if (child == 0) RegisterUntilKilled(home_, pipe.write.get(), round * 1000);
    pipe.write.Close();
    // The delay runs from the child's first report, so that it is killed in the middle of its work.
    int64_t number = 0;
    ASSERT_EQ(read(pipe.read.get(), &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
    reported.push_back(number);
    usleep(static_cast<useconds_t>(delay_us(random)));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    while (read(pipe.read.get(), &number, sizeof(number)) == sizeof(number))
      reported.push_back(number);
  }
  Registry registry = *Registry::Open(home_);
  EXPECT_TRUE(registry.Check().ok()) << registry.Check().message();
  for (int64_t number : reported) {
    const Result<ModelVersion> version = registry.Resolve("churn@" + std::to_string(number));
    ASSERT_TRUE(version.ok()) << version.status().message();
    EXPECT_TRUE(registry.Materialize(*version).ok());
  }
}

TEST_F(RegistryTest, EightProcessesUnpackOnePackageAtOnce) {
  const ModelVersion version = *Registry::Open(home_)->Register("churn", DraftOf(1), {});
  for (int i = 0; i < 8; ++i) {
    if (fork() == 0) _exit(Registry::Open(home_)->Materialize(version).ok() ? 0 : 1);
  }
  for (int i = 0; i < 8; ++i) {
    int status = 0;
    ASSERT_GT(wait(&status), 0);
    EXPECT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace penstock::registry
