// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/ids.h"
#include "os/cpu.h"
#include "os/executable.h"
#include "os/file_system.h"
#include "os/process.h"

namespace penstock::os {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

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

TEST(Process, AProgramThatIsNotThereIsToldAtStart) {
  const Status status = Process::Start({.program = "/nowhere/program"}).status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("cannot run '/nowhere/program'"));
}

TEST(Process, InheritsNoDescriptor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);  // without CLOEXEC, as a careless library opens it
  Process process = *Process::Start({.program = "/bin/ls", .arguments = {"/proc/self/fd"}, .pipe_stdout = true});
  EXPECT_EQ(*ReadAll(process.stdout_pipe(), 1000), "0\n1\n2\n3\n");  // 3 is ls reading the folder
  close(ends[0]);
  close(ends[1]);
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
  Process process = *Process::Start({.program = "/bin/sh", .arguments = {"-c", "yes"}, .pipe_stdout = true});
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
  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("penstock-" + NewId());
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

TEST_F(Files, ErrorsNameThePath) {
  EXPECT_THAT(files_.Read(folder_ / "none").status().message(), HasSubstr((folder_ / "none").string()));
  EXPECT_EQ(files_.Read(folder_).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(files_.Write(folder_ / "no" / "folder", "x").code(), Code::kNotFound);
}

}  // namespace
}  // namespace penstock::os
