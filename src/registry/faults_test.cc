// SPDX-License-Identifier: Apache-2.0
// What a bad day does to a registry: power that fails at any call, a disk that is full, folders
// that cannot be written, files that others changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "base/ids.h"
#include "os/fake_file_system.h"
#include "os/process.h"
#include "registry/registry.h"
#include "sql/fake_disk.h"

namespace penstock::registry {
namespace {

namespace fs = std::filesystem;
using os::FakeFileSystem;
using testing::HasSubstr;

// A package with a file in a folder of its own.
package::Draft DraftOf(int seed, size_t bytes = 2000) {
  package::Draft draft;
  draft.manifest.created_by = "test";
  draft.manifest.engine_reason = "own evaluator: a test";
  draft.manifest.signature.inputs = {{.name = "x"}};
  draft.manifest.engines = {
      {.file = "evaluator.safetensors", .encoding = {.tensors = {{.name = "X", .columns = {0}}}}}};
  draft.contents = {{"evaluator.safetensors", std::string(bytes, 'a') + std::to_string(seed)},
                    {"python/deep/model.joblib", "model " + std::to_string(seed)}};
  return draft;
}

class SettableClock final : public Clock {
 public:
  int64_t NowUs() const override { return now_us; }
  int64_t MonotonicNs() const override { return now_us * 1000; }
  int64_t now_us = 1'800'000'000'000'000;
};

// True when `body`, run in a child process, failed no expectation and ended by itself.
bool PassesInChild(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

class RegistryFaults : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(home_); }
  void TearDown() override {
    fs::permissions(home_, fs::perms::owner_all);
    fs::remove_all(home_);
  }

  const fs::path home_ = fs::temp_directory_path() / ("penstock-" + NewId());
};

struct PowerLoss {
  FakeFileSystem::UnsyncedNames names;
  std::string name;
};
class PowerFails : public RegistryFaults, public testing::WithParamInterface<PowerLoss> {};
INSTANTIATE_TEST_SUITE_P(WithNames, PowerFails,
                         testing::Values(PowerLoss{FakeFileSystem::UnsyncedNames::kGone, "Gone"},
                                         PowerLoss{FakeFileSystem::UnsyncedNames::kKept, "Kept"}),
                         [](const auto& given) { return given.param.name; });

TEST_P(PowerFails, AtEveryCallOfTheFirstRegistration) {
  bool was_reported = false;
  int calls = 0;
  for (; !was_reported; ++calls) {
    ASSERT_LT(calls, 200);
    const fs::path home = home_ / std::to_string(calls);
    fs::create_directories(home);  // for registry.db, which is on the disk; `files` has none of it
    FakeFileSystem files;
    files.FailAfter(calls, FakeFileSystem::Fault::kPowerLoss);
    Result<Registry> opened = Registry::Open(home, {.files = &files});
    was_reported = opened.ok() && opened->Register("churn", DraftOf(1), {}).ok();
    files.Restart(GetParam().names);
    Registry registry = *Registry::Open(home, {.files = &files});
    EXPECT_EQ(registry.Resolve("churn@1").ok(), was_reported) << calls;
    EXPECT_TRUE(registry.Check().ok()) << calls << ": " << registry.Check().message();
    EXPECT_TRUE(registry.Register("churn", DraftOf(1), {}).ok()) << calls;
    EXPECT_TRUE(registry.Materialize(*registry.Resolve("churn")).ok()) << calls;
  }
  EXPECT_GT(calls, 15);  // three objects of a write, a rename and two syncs each, and the folders
}

// Registers on a disk whose power fails after so many calls, and holds what is found afterwards
// against what was reported. Returns how many versions were, or -1 when the power held until the
// registry was closed.
int ReportedBeforePowerFails(const fs::path& home, int calls,
                             sql::FakeDisk::UnsyncedWrites writes) {
  fs::create_directories(home);
  sql::FakeDisk disk;
  disk.FailAfter(calls);
  FakeFileSystem files;
  int reported = 0;
  {
    Result<Registry> registry = Registry::Open(home, {.files = &files});
    while (registry.ok() && reported < 3 && registry->Register("churn", DraftOf(reported), {}).ok())
      ++reported;
  }
  const bool was_off = disk.is_off();
  disk.Restart(writes);
  files.Restart();
  Registry registry = *Registry::Open(home, {.files = &files});
  for (int version = 1; version <= reported; ++version)
    EXPECT_TRUE(registry.Resolve("churn@" + std::to_string(version)).ok()) << calls;
  EXPECT_TRUE(registry.Check().ok()) << calls << ": " << registry.Check().message();
  EXPECT_TRUE(registry.Register("churn", DraftOf(1), {}).ok()) << calls;
  return was_off ? reported : -1;
}

// The same for registry.db, which is a file of SQLite's. Closing moves its log into it.
TEST_F(RegistryFaults, PowerThatFailsAtAnyCallOfTheDatabaseTakesNothingReported) {
  for (const auto writes :
       {sql::FakeDisk::UnsyncedWrites::kGone, sql::FakeDisk::UnsyncedWrites::kScattered}) {
    std::map<int, int> cuts;  // by how many versions were reported before
    for (int calls = 0; !cuts.contains(-1); ++calls) {
      ASSERT_LT(calls, 200);
      const fs::path home = home_ / std::to_string(static_cast<int>(writes) * 1000 + calls);
      ++cuts[ReportedBeforePowerFails(home, calls, writes)];
    }
    EXPECT_GT(cuts[0], 10);
    EXPECT_GT(cuts[1], 3);
    EXPECT_GT(cuts[2], 3);
    EXPECT_GT(cuts[3], 3) << "while it is closed";
  }
}

TEST_P(PowerFails, AtEveryCallOfUnpacking) {
  bool was_reported = false;
  int calls = 0;
  for (; !was_reported; ++calls) {
    ASSERT_LT(calls, 200);
    const fs::path home = home_ / std::to_string(calls);
    fs::create_directories(home);
    FakeFileSystem files;
    ModelVersion version;
    fs::path folder;
    {
      Registry registry = *Registry::Open(home, {.files = &files});
      version = *registry.Register("churn", DraftOf(1), {});
      files.FailAfter(calls, FakeFileSystem::Fault::kPowerLoss);
      was_reported = registry.Materialize(version).ok();
    }
    files.Restart(GetParam().names);
    Registry registry = *Registry::Open(home, {.files = &files});
    EXPECT_TRUE(!was_reported || files.Exists(home / "packages" / version.digest)) << calls;
    const Result<fs::path> again = registry.Materialize(version);
    EXPECT_TRUE(again.ok()) << calls << ": " << again.status().message();
  }
  EXPECT_GT(calls, 7);
}

TEST_F(RegistryFaults, DoNotTakeTheHomeThatWasMade) {
  FakeFileSystem files;
  ASSERT_TRUE(Registry::Open(home_, {.files = &files}).ok());
  files.Restart();
  EXPECT_TRUE(files.Exists(home_));
}

// Another process made the folder of the objects and has not come to its sync yet.
TEST_F(RegistryFaults, DoNotReachAVersionInAFolderThatSomebodyElseMade) {
  FakeFileSystem files;
  ASSERT_TRUE(files.CreateDirectories(home_ / "made").ok());
  ASSERT_TRUE(files.Rename(home_ / "made", home_ / "objects").ok());
  Registry registry = *Registry::Open(home_, {.files = &files});
  ASSERT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
  files.Restart();
  EXPECT_TRUE(registry.Check().ok()) << registry.Check().message();
}

TEST_F(RegistryFaults, RegisteringAgainMendsObjectsAndPackage) {
  Registry registry = *Registry::Open(home_);
  const ModelVersion first = *registry.Register("churn", DraftOf(1), {});
  const fs::path file = *registry.Materialize(first) / "python/deep/model.joblib";
  fs::permissions(file, fs::perms::owner_all);
  std::ofstream(file) << "model 2";  // the object is the same file
  const Status status = registry.Materialize(first).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("churn@1: file 'python/deep/model.joblib'"));
  EXPECT_THAT(status.message(), HasSubstr("register or copy it again"));

  EXPECT_EQ(registry.Register("churn", DraftOf(1), {})->digest, first.digest);
  EXPECT_TRUE(registry.Check().ok());
  EXPECT_TRUE(registry.Materialize(first).ok());
}

TEST_F(RegistryFaults, ADamagedObjectIsNamedBeforeAnythingIsUnpacked) {
  Registry registry = *Registry::Open(home_);
  const ModelVersion version = *registry.Register("churn", DraftOf(1), {});
  for (const auto& entry : fs::recursive_directory_iterator(home_ / "objects")) {
    if (!entry.is_regular_file() || entry.path().filename() == version.digest) continue;
    fs::permissions(entry.path(), fs::perms::owner_all);
    std::ofstream(entry.path()) << "changed";
  }
  const Status status = registry.Materialize(version).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("churn@1: file 'evaluator.safetensors': object '"));
  EXPECT_TRUE(fs::is_empty(home_ / "packages"));
}

TEST_F(RegistryFaults, WhatKilledProcessesLeftIsRemovedAfterADay) {
  SettableClock clock;
  Registry registry = *Registry::Open(home_, {.clock = &clock});
  ASSERT_TRUE(registry.Materialize(*registry.Register("churn", DraftOf(1), {})).ok());
  const fs::path object = home_ / "objects/tmp" / store::TemporaryName(clock);
  const fs::path package = home_ / "packages" / ("tmp-" + store::TemporaryName(clock));
  std::ofstream(object) << "half";
  fs::create_directories(package / "python");

  clock.now_us += int64_t{23} * 3600 * 1'000'000;
  ASSERT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
  EXPECT_TRUE(fs::exists(object) && fs::exists(package));  // its process may still live
  clock.now_us += int64_t{2} * 3600 * 1'000'000;
  ASSERT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
  EXPECT_FALSE(fs::exists(object) || fs::exists(package));
  EXPECT_TRUE(registry.Materialize(*registry.Resolve("churn")).ok());
}

TEST_F(RegistryFaults, ADraftThatNobodyCouldOpenGetsNoNumber) {
  Registry registry = *Registry::Open(home_);
  package::Draft draft = DraftOf(1);
  draft.manifest.engines[0].file = "model.onnx";
  const Status status = registry.Register("churn", draft, {}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(),
              HasSubstr("engine file 'model.onnx' is not among the package's files"));
  EXPECT_EQ(registry.Resolve("churn").status().code(), Code::kNotFound);
}

TEST_F(RegistryFaults, DatabasesThatAreNotOursAreRefusedWithTheRemedy) {
  {
    ASSERT_TRUE(Registry::Open(home_)->Register("churn", DraftOf(1), {}).ok());
  }
  {
    ASSERT_TRUE(sql::Session::Open(home_ / "registry.db")->SetUserVersion(99).ok());
  }
  const Status newer = Registry::Open(home_).status();
  EXPECT_EQ(newer.code(), Code::kFailedPrecondition);
  EXPECT_THAT(newer.message(), HasSubstr("has schema 99"));
  EXPECT_THAT(newer.message(), HasSubstr("install a newer Penstock"));

  fs::remove(home_ / "registry.db");
  {
    ASSERT_TRUE(sql::Session::Open(home_ / "registry.db")->Execute("CREATE TABLE t(x)").ok());
  }
  EXPECT_THAT(Registry::Open(home_).status().message(), HasSubstr("not one of Penstock's"));

  fs::remove(home_ / "registry.db");
  std::ofstream(home_ / "registry.db") << std::string(4096, 'x');
  const Status text = Registry::Open(home_).status();
  EXPECT_EQ(text.code(), Code::kDataLoss);
  EXPECT_THAT(text.message(), HasSubstr("file is not a database"));
}

TEST_F(RegistryFaults, AnAliasIsRefusedInASentence) {
  Registry registry = *Registry::Open(home_);
  ASSERT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
  EXPECT_EQ(registry.Resolve("churn@champion").status().message(),
            "'churn@champion' names no version: after '@' a number of 1 or more was expected, as "
            "in 'churn@1' (aliases "
            "come with a later release)");
}

// Root may write everywhere, so the child becomes somebody else.
TEST_F(RegistryFaults, AFolderThatCannotBeWrittenIsTold) {
  const auto as_nobody = [this] {
    if (geteuid() == 0) {
      ASSERT_EQ(setgid(65534), 0);
      ASSERT_EQ(setuid(65534), 0);
    }
    const Status status = Registry::Open(home_).status();
    EXPECT_EQ(status.code(), Code::kPermissionDenied) << status.message();
    EXPECT_THAT(status.message(), HasSubstr(home_.string()));
    EXPECT_THAT(status.message(), HasSubstr("make the file and its folder writable"));
  };
  fs::permissions(home_, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                             fs::perms::others_exec);
  EXPECT_TRUE(PassesInChild(as_nobody));
  // The same for a registry that is there.
  fs::permissions(home_, fs::perms::owner_all, fs::perm_options::add);
  {
    ASSERT_TRUE(Registry::Open(home_)->Register("churn", DraftOf(1), {}).ok());
  }
  fs::permissions(home_ / "registry.db", fs::perms::owner_read | fs::perms::others_read);
  fs::permissions(home_, fs::perms::owner_write, fs::perm_options::remove);
  EXPECT_TRUE(PassesInChild([this] {
    if (geteuid() == 0) {
      ASSERT_EQ(setgid(65534), 0);
      ASSERT_EQ(setuid(65534), 0);
    }
    Result<Registry> registry = Registry::Open(home_);
    ASSERT_TRUE(registry.ok()) << registry.status().message();
    const ModelVersion version = *registry->Resolve("churn");
    EXPECT_EQ(version.ToString(), "churn@1");
    EXPECT_EQ(registry->Models()->size(), 1U);
    EXPECT_EQ(registry->Versions("churn")->size(), 1U);
    const Status unpacked = registry->Materialize(version).status();
    EXPECT_EQ(unpacked.code(), Code::kPermissionDenied) << unpacked.message();
    EXPECT_THAT(unpacked.message(), HasSubstr("penstock models show churn@1"));
    const Status refused = registry->Register("churn", DraftOf(2), {}).status();
    EXPECT_EQ(refused.code(), Code::kPermissionDenied) << refused.message();
    EXPECT_THAT(refused.message(), HasSubstr(home_.string()));
  }));
}

TEST_F(RegistryFaults, AnUnwritableRegistryWithALogThatCannotBeReadIsRefused) {
  {
    Registry registry = *Registry::Open(home_);
    ASSERT_TRUE(registry.Register("churn", DraftOf(1), {}).ok());
    // As a process leaves it that was killed: the log is not in the file yet.
    fs::copy_file(home_ / "registry.db-wal", home_ / "kept");
  }
  fs::rename(home_ / "kept", home_ / "registry.db-wal");
  fs::permissions(home_ / "registry.db", fs::perms::owner_read | fs::perms::others_read);
  fs::permissions(home_, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                             fs::perms::others_exec);
  EXPECT_TRUE(PassesInChild([this] {
    if (geteuid() == 0) {
      ASSERT_EQ(setgid(65534), 0);
      ASSERT_EQ(setuid(65534), 0);
    }
    const Status refused = Registry::Open(home_).status();
    EXPECT_EQ(refused.code(), Code::kFailedPrecondition) << refused.message();
    EXPECT_THAT(refused.message(), HasSubstr("read it as a user who may write there"));
  }));
}

// Registers until an error, then holds what was reported against what is there.
void RegisterUntilFull(const fs::path& home, const std::function<void()>& make_room) {
  Registry registry = *Registry::Open(home);
  int64_t reported = 0;
  Status status;
  for (int i = 0; status.ok() && i < 1000; ++i) {
    const Result<ModelVersion> version = registry.Register("churn", DraftOf(i, 30'000), {});
    status = version.status();
    if (version.ok()) reported = version->version;
  }
  EXPECT_EQ(status.code(), Code::kResourceExhausted) << status.message();
  EXPECT_THAT(status.message(), HasSubstr("free disk space and try again"));
  EXPECT_GT(reported, 0);
  EXPECT_EQ(registry.Versions("churn")->size(), static_cast<size_t>(reported));
  EXPECT_TRUE(registry.Check().ok()) << registry.Check().message();
  make_room();
  const Result<ModelVersion> version = registry.Register("churn", DraftOf(-1), {});
  ASSERT_TRUE(version.ok()) << version.status().message();
  EXPECT_EQ(version->version, reported + 1);
}

// In a mount namespace of its own, so that nothing is left when the child ends.
bool CanMount() {
  return PassesInChild([] { _exit(unshare(CLONE_NEWNS) == 0 ? 0 : 1); });
}

TEST_F(RegistryFaults, AFullDiskIsToldAndGivesNoNumber) {
  if (!CanMount()) GTEST_SKIP() << "only root may mount; the next test needs no mount";
  EXPECT_TRUE(PassesInChild([&] {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    // In a chroot "/" is no mount, and nothing of it is shared.
    const bool is_private = mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    ASSERT_TRUE(is_private || errno == EINVAL);
    ASSERT_EQ(mount("tmpfs", home_.c_str(), "tmpfs", 0, "size=1m"), 0);
    std::ofstream(home_ / "filler") << std::string(300'000, 'x');
    RegisterUntilFull(home_, [&] { fs::remove(home_ / "filler"); });
  }));
}

// The same without a mount: a file may not grow, and the registry's log is the first that would.
TEST_F(RegistryFaults, ALogThatCannotGrowIsToldAndGivesNoNumber) {
  EXPECT_TRUE(PassesInChild([&] {
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit before = limit;
    limit.rlim_cur = 200'000;
    setrlimit(RLIMIT_FSIZE, &limit);
    RegisterUntilFull(home_, [&] { setrlimit(RLIMIT_FSIZE, &before); });
  }));
}

// Eight processes register at once: every number is given once, and none is left out.
TEST_F(RegistryFaults, EightProcessesShareOneNumbering) {
  constexpr int kProcesses = 8;
  constexpr int kRegistrations = 25;
  os::Pipe pipe = *os::MakePipe();
  for (int process = 0; process < kProcesses; ++process) {
    if (fork() != 0) continue;
    Registry registry = *Registry::Open(home_);
    for (int i = 0; i < kRegistrations; ++i) {
      const Result<ModelVersion> version = registry.Register("churn", DraftOf(i), {});
      if (!version.ok() || !registry.Materialize(*version).ok()) _exit(1);
      const int64_t number = version->version;
      if (write(pipe.write.get(), &number, sizeof(number)) != sizeof(number)) _exit(2);
    }
    _exit(0);
  }
  pipe.write.Close();
  std::set<int64_t> numbers;
  for (int64_t number = 0; read(pipe.read.get(), &number, sizeof(number)) == sizeof(number);) {
    EXPECT_TRUE(numbers.insert(number).second) << number;
  }
  for (int process = 0; process < kProcesses; ++process) {
    int status = 0;
    ASSERT_GT(wait(&status), 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(numbers.size(), static_cast<size_t>(kProcesses * kRegistrations));
  EXPECT_EQ(*numbers.begin(), 1);
  EXPECT_EQ(*numbers.rbegin(), kProcesses * kRegistrations);
  EXPECT_TRUE(Registry::Open(home_)->Check().ok());
}

}  // namespace
}  // namespace penstock::registry
