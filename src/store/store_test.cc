// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "base/ids.h"
#include "os/fake_file_system.h"
#include "store/object_store.h"

namespace penstock::store {
namespace {

using os::FakeFileSystem;
using testing::HasSubstr;

TEST(FileObjectStore, GivesBackWhatWasPut) {
  FakeFileSystem files;
  FileObjectStore store(files, "/home/objects");
  const std::string digest = *store.Put("abc");
  EXPECT_EQ(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*store.Get(digest), "abc");
  EXPECT_EQ(*store.Put("abc"), digest);
  EXPECT_EQ(store.Get(Sha256Hex("other")).status().code(), Code::kNotFound);
}

// Power is lost at every changing call of Put in turn; what Put reported must be there, and nothing
// is ever wrong.
TEST(FileObjectStore, WhatWasReportedSurvivesALossOfPowerAtEveryCall) {
  const std::string first(1000, 'a');
  const std::string second(1000, 'b');
  bool was_reported = false;
  for (int calls = 0; !was_reported; ++calls) {
    ASSERT_LT(calls, 100);
    FakeFileSystem files;
    FileObjectStore store(files, "/home/objects");
    ASSERT_TRUE(store.Put(first).ok());
    files.FailAfter(calls, FakeFileSystem::Fault::kPowerLoss);
    was_reported = store.Put(second).ok();
    files.Restart();
    EXPECT_EQ(*store.Get(Sha256Hex(first)), first) << calls;
    const Result<std::string> found = store.Get(Sha256Hex(second));
    EXPECT_TRUE(found.ok() || !was_reported) << calls;
    EXPECT_TRUE(!found.ok() || *found == second) << calls;
    EXPECT_TRUE(store.Put(second).ok()) << calls;
    EXPECT_EQ(*store.Get(Sha256Hex(second)), second) << calls;
  }
}

// Another process made the folder and has not come to its sync yet.
TEST(FileObjectStore, DoesNotTrustAFolderThatSomebodyElseMade) {
  FakeFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/home/objects/made").ok());
  const std::string digest = Sha256Hex("abc");
  ASSERT_TRUE(files.Rename("/home/objects/made", "/home/objects/" + digest.substr(0, 2)).ok());
  FileObjectStore store(files, "/home/objects");
  ASSERT_TRUE(store.Put("abc").ok());
  files.Restart();
  EXPECT_TRUE(store.Get(digest).ok()) << store.Get(digest).status().message();
}

// The fake itself: without the folder's sync a new name does not survive, so the test above can
// fail.
TEST(FakeFileSystem, ForgetsNamesAndBytesThatWereNotSynced) {
  FakeFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/d").ok());
  ASSERT_TRUE(files.Write("/d/kept", "x").ok());
  ASSERT_TRUE(files.SyncDirectory("/d").ok());
  ASSERT_TRUE(files.Write("/d/lost", "x").ok());
  ASSERT_TRUE(files.Rename("/d/kept", "/d/moved").ok());
  files.Restart();
  EXPECT_TRUE(files.Exists("/d/kept"));
  EXPECT_FALSE(files.Exists("/d/lost"));
  EXPECT_FALSE(files.Exists("/d/moved"));
}

TEST(FileObjectStore, AFullDiskIsToldAndLeavesNothing) {
  FakeFileSystem files;
  FileObjectStore store(files, "/home/objects");
  ASSERT_TRUE(files.CreateDirectories("/home/objects").ok());
  files.FailAfter(1, FakeFileSystem::Fault::kDiskFull);
  EXPECT_EQ(store.Put("abc").status().code(), Code::kResourceExhausted);
  EXPECT_FALSE(store.Exists(Sha256Hex("abc")));
  EXPECT_TRUE(store.Put("abc").ok());
}

class RealFiles : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("penstock-" + NewId());
};

TEST_F(RealFiles, AFlippedBitIsToldAndPutMendsIt) {
  FileObjectStore store(os::FileSystem::System(), folder_);
  const std::string digest = *store.Put("abc");
  std::filesystem::permissions(store.Path(digest), std::filesystem::perms::owner_all);
  std::ofstream(store.Path(digest)) << "abb";
  const Status status = store.Get(digest).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("restore it from a backup, or register the model again"));
  EXPECT_EQ(*store.Put("abc"), digest);
  EXPECT_EQ(*store.Get(digest), "abc");
}

// A file-size limit makes write(2) fail in the middle, as a full disk does.
TEST_F(RealFiles, AHalfWrittenFileIsRemoved) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &small);
  FileObjectStore store(os::FileSystem::System(), folder_);
  const std::string big(100'000, 'x');
  const Status status = store.Put(big).status();
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(status.code(), Code::kResourceExhausted) << status.message();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    EXPECT_FALSE(entry.is_regular_file()) << entry.path();
  }
  EXPECT_TRUE(store.Put(big).ok());
}

}  // namespace
}  // namespace penstock::store
