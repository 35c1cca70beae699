// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/ids.h"
#include "os/cpu.h"
#include "os/end_watch.h"
#include "os/executable.h"
#include "os/fake_file_system.h"
#include "os/file_lock.h"
#include "os/file_system.h"
#include "os/process.h"

namespace penstock::os {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class EndWatchTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(EndWatchTest, EndsTheProcessBeforeItIsReady) {
  const auto ask = [](int signal) {
    const auto ends = *EndWatch::Start(-1);
    kill(getpid(), signal);
    ends->Wait();
  };
  EXPECT_EXIT(ask(SIGTERM), testing::ExitedWithCode(kSignalExit + SIGTERM), "");
  EXPECT_EXIT(ask(SIGINT), testing::ExitedWithCode(kSignalExit + SIGINT), "");
}

TEST_F(EndWatchTest, GivesTheFirstSignalAndEndsTheProcessAtTheSecond) {
  const auto ask_twice = [] {
    const auto ends = *EndWatch::Start(-1);
    ends->Ready();
    kill(getpid(), SIGTERM);
    if (ends->Wait() != SIGTERM) std::_Exit(1);
    kill(getpid(), SIGINT);
    pause();
  };
  EXPECT_EXIT(ask_twice(), testing::ExitedWithCode(kSignalExit + SIGINT), "");
}

TEST_F(EndWatchTest, TakesTheEndOfThePipeForAnEndAndNotItsBytes) {
  const auto ask = [] {
    Pipe pipe = *MakePipe();
    const auto ends = *EndWatch::Start(pipe.read.get());
    ends->Ready();
    if (write(pipe.write.get(), "x", 1) != 1) std::_Exit(1);
    pipe.write.Close();
    if (ends->Wait() != 0) std::_Exit(2);
    kill(getpid(), SIGTERM);
    pause();
  };
  EXPECT_EXIT(ask(), testing::ExitedWithCode(kSignalExit + SIGTERM), "");
}

TEST(Process, GivesItsOutputAndExitCode) {
  Process process = *Process::Start({.program = "/bin/sh",
                                     .arguments = {"-c", "echo $WORD; echo oops >&2; exit 3"},
                                     .environment = {{"WORD", "hello"}},
                                     .pipe_stdout = true,
                                     .pipe_stderr = true});
  EXPECT_EQ(*ReadAll(process.stdout_pipe(), 100), "hello\n");
  EXPECT_EQ(*ReadAll(process.stderr_pipe(), 100), "oops\n");
  EXPECT_EQ(*process.Wait(), 3);
}

TEST(Process, GetsTheVariablesThatItMayHaveAndAStdinOfItsOwn) {
  setenv("KEPT_FROM_IT", "secret", 1);
  setenv("GIVEN_TO_IT", "plain", 1);
  SocketPair sockets = *MakeSocketPair();
  Process process = *Process::Start(
      {.program = "/bin/sh",
       .arguments = {"-c", "read WORD; echo $WORD$KEPT_FROM_IT$GIVEN_TO_IT; echo oops >&2"},
       .inherits_variable = [](std::string_view name,
                               std::string_view) { return name != "KEPT_FROM_IT"; },
       .stdin_descriptor = sockets.theirs.get(),
       .pipe_stderr = true,
       .joins_stdout = true});
  ASSERT_EQ(write(sockets.ours.get(), "hello\n", 6), 6);
  EXPECT_EQ(*ReadAll(process.stderr_pipe(), 100), "helloplain\noops\n");
  EXPECT_EQ(*process.Wait(), 0);
}

TEST(Process, AProgramThatIsNotThereIsToldAtStart) {
  const Status status = Process::Start({.program = "/nowhere/program"}).status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("cannot run '/nowhere/program'"));
}

TEST(Process, InheritsNoDescriptor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);  // without CLOEXEC, as a careless library opens it
  Process process =
      *Process::Start({.program = "/bin/ls", .arguments = {"/proc/self/fd"}, .pipe_stdout = true});
  EXPECT_EQ(*ReadAll(process.stdout_pipe(), 1000), "0\n1\n2\n3\n");  // 3 is ls reading the folder
  close(ends[0]);
  close(ends[1]);
}

// In a process whose standard descriptors were closed, as daemons do, the pipes must not become
// them.
TEST(Process, StartsFromAProcessWithoutStandardDescriptors) {
  const pid_t child = fork();
  if (child == 0) {
    for (int fd = 0; fd < 3; ++fd) close(fd);
    auto process =
        Process::Start({.program = "/bin/echo", .arguments = {"hello"}, .pipe_stdout = true});
    const bool is_missing_told =
        Process::Start({.program = "/nowhere"}).status().code() == Code::kNotFound;
    _exit(is_missing_told && process.ok() && *ReadAll(process->stdout_pipe(), 100) == "hello\n"
              ? 0
              : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Process, EndsWithTheThreadThatStartedIt) {
  Pipe pipe = *MakePipe();
  const pid_t parent = fork();
  if (parent == 0) {
    Process process =
        *Process::Start({.program = "/bin/sleep", .arguments = {"1000"}, .dies_with_thread = true});
    const pid_t pid = process.pid();
    [[maybe_unused]] const ssize_t written = write(pipe.write.get(), &pid, sizeof(pid));
    kill(getpid(), SIGKILL);
  }
  pid_t orphan = 0;
  ASSERT_EQ(read(pipe.read.get(), &orphan, sizeof(orphan)), static_cast<ssize_t>(sizeof(orphan)));
  const FileDescriptor watched(static_cast<int>(syscall(SYS_pidfd_open, orphan, 0)));
  ASSERT_EQ(waitpid(parent, nullptr, 0), parent);
  pollfd ended{.fd = watched.get(), .events = POLLIN, .revents = 0};
  EXPECT_TRUE(!watched.is_open() || poll(&ended, 1, 60'000) == 1);
}

TEST(Process, IsKilledAndReapedWithItsHandle) {
  pid_t pid = 0;
  {
    Process process = *Process::Start({.program = "/bin/sleep", .arguments = {"1000"}});
    pid = process.pid();
    EXPECT_FALSE((*process.WaitFor(milliseconds(1))).has_value());
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(Process, ASignalIsAnExitCodeAbove128) {
  Process process = *Process::Start({.program = "/bin/sleep", .arguments = {"1000"}});
  process.Kill(SIGTERM);
  EXPECT_EQ((*process.WaitFor(milliseconds(60'000))).value_or(-1), 128 + SIGTERM);
}

TEST(ReadAll, StopsAtItsLimit) {
  Process process =
      *Process::Start({.program = "/bin/sh", .arguments = {"-c", "yes"}, .pipe_stdout = true});
  EXPECT_EQ(ReadAll(process.stdout_pipe(), 100'000).status().code(), Code::kResourceExhausted);
}

TEST(Cpus, FollowTheQuotaRoundedUp) {
  EXPECT_EQ(CpusOfQuota("150000 100000"), 2);
  EXPECT_EQ(CpusOfQuota("50000 100000"), 1);
  EXPECT_EQ(CpusOfQuota("max 100000"), 0);
  EXPECT_EQ(CpusOfQuota("-1 100000"), 0);
  EXPECT_EQ(CpusOfQuota(""), 0);
  EXPECT_GE(AvailableCpus(), 1);
}

// The files of a service with CPUQuota=150% under systemd, and of a container's parent on a version
// 1 hierarchy.
TEST(Cpus, FollowTheQuotasOfParentCgroups) {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("penstock-" + NewId());
  const auto put = [&](const std::string& path, std::string_view text) {
    std::filesystem::create_directories((root / path).parent_path());
    ASSERT_TRUE(FileSystem::System().Write(root / path, text).ok());
  };
  put("system.slice/penstock.service/cpu.max", "150000 100000\n");
  put("system.slice/penstock.service/inner/cpu.max", "max 100000\n");
  put("cpu,cpuacct/docker/cpu.cfs_quota_us", "300000\n");
  put("cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
  put("cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
  put("cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupCpus(root, "0::/system.slice/penstock.service/inner\n"), 2);
  EXPECT_EQ(CgroupCpus(root, "5:memory:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n"), 3);
  EXPECT_EQ(CgroupCpus(root, "4:cpuset:/docker\n0::/not/here\n"), 0);
  std::filesystem::remove_all(root);
}

TEST(Executable, FindsWhatStandsBesideIt) {
  EXPECT_EQ(DirectoryOfThisBinary(), std::filesystem::canonical("/proc/self/exe").parent_path());
  EXPECT_TRUE(ProgramBeside("os_test").ok());
  EXPECT_THAT(ProgramBeside("no-such-program").status().message(), HasSubstr("./dev build"));
}

class Files : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(files_.CreateDirectories(folder_ / "a" / "b").ok()); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  FileSystem& files_ = FileSystem::System();
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("penstock-" + NewId());
};

TEST_F(Files, KeepBytesAndNames) {
  const std::string bytes("a\0b", 3);
  ASSERT_TRUE(files_.Write(folder_ / "x", bytes).ok());
  EXPECT_EQ(*files_.Read(folder_ / "x"), bytes);
  ASSERT_TRUE(files_.Rename(folder_ / "x", folder_ / "a" / "y").ok());
  ASSERT_TRUE(files_.Link(folder_ / "a" / "y", folder_ / "z").ok());
  EXPECT_EQ(files_.Link(folder_ / "a" / "y", folder_ / "z").code(), Code::kAlreadyExists);
  EXPECT_EQ(*files_.Read(folder_ / "z"), bytes);
  EXPECT_EQ(files_.List(folder_)->size(), 2u);
  EXPECT_TRUE(files_.SyncDirectory(folder_).ok());
}

// What a file system promises, on the fake: a folder takes what is durable in it along, whatever
// its name becomes.
TEST(FakeFileSystem, AFolderTakesItsContentsAlong) {
  FakeFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/d/tmp").ok());
  ASSERT_TRUE(files.Write("/d/tmp/synced", "x").ok());
  ASSERT_TRUE(files.SyncDirectory("/d/tmp").ok());
  ASSERT_TRUE(files.Write("/d/tmp/not", "x").ok());
  ASSERT_TRUE(files.Rename("/d/tmp", "/d/final").ok());
  ASSERT_TRUE(files.SyncDirectory("/d").ok());
  files.Restart();
  EXPECT_FALSE(files.Exists("/d/tmp"));
  EXPECT_EQ(*files.Read("/d/final/synced"), "x");
  EXPECT_FALSE(files.Exists("/d/final/not"));
}

TEST(FakeFileSystem, TearsWhatWasBeingWritten) {
  FakeFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/d").ok());
  files.FailAfter(0, FakeFileSystem::Fault::kPowerLoss);
  EXPECT_FALSE(files.Write("/d/x", "12345678").ok());
  EXPECT_FALSE(files.Write("/d/y", "x").ok());
  EXPECT_FALSE(files.Read("/d/x").ok());
  files.Restart(FakeFileSystem::UnsyncedNames::kKept);
  EXPECT_LT(files.Read("/d/x")->size(), 8u);
  EXPECT_FALSE(files.Exists("/d/y"));
}

TEST_F(Files, ALockIsFreeAgainWhenItsHolderIsKilled) {
  const std::filesystem::path path = folder_ / "lock";
  int told[2];
  ASSERT_EQ(pipe(told), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = FileLock::Try(path);
    if (!held.ok() || !held->has_value() || write(told[1], "x", 1) != 1) _exit(1);
    pause();
  }
  char byte = 0;
  ASSERT_EQ(read(told[0], &byte, 1), 1);
  EXPECT_FALSE(FileLock::Try(path)->has_value());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileLock::Try(path)->has_value());
  EXPECT_THAT(FileLock::Try(folder_ / "no" / "lock").status().message(), HasSubstr("no/lock"));
  close(told[0]);
  close(told[1]);
}

TEST_F(Files, ErrorsNameThePath) {
  EXPECT_THAT(files_.Read(folder_ / "none").status().message(),
              HasSubstr((folder_ / "none").string()));
  EXPECT_EQ(files_.Read(folder_).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(files_.Write(folder_ / "no" / "folder", "x").code(), Code::kNotFound);
}

}  // namespace
}  // namespace penstock::os
