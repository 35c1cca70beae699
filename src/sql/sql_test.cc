// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/ids.h"
#include "sql/fake_disk.h"
#include "sql/file_system_kind.h"
#include "sql/migrations.h"
#include "sql/sqlite.h"

namespace penstock::sql {
namespace {

using testing::HasSubstr;

constexpr int32_t kOurs = 0x50454E53;

class SqlTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Session> Open() { return Session::Open(file_, {.application_id = kOurs}); }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("penstock-" + NewId());
  const std::filesystem::path file_ = folder_ / "test.db";
};

TEST_F(SqlTest, ValuesComeBackAsTheyWent) {
  Session session = *Open();
  ASSERT_TRUE(session.Execute("CREATE TABLE t(i INTEGER, d REAL, s TEXT, b BLOB, n TEXT)").ok());
  Statement insert = *session.Prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?)");
  const std::string with_nul("a\0b", 3);
  insert.Bind(0, int64_t{1} << 62).Bind(1, 0.1).Bind(2, with_nul).BindBlob(3, with_nul).BindNull(4);
  ASSERT_TRUE(insert.Run().ok());
  Statement select = *session.Prepare("SELECT i, d, s, b, n FROM t");
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Int(0), int64_t{1} << 62);
  EXPECT_EQ(select.Double(1), 0.1);
  EXPECT_EQ(select.Text(2), with_nul);
  EXPECT_EQ(select.Blob(3), with_nul);
  EXPECT_EQ(select.kind(4), Kind::kNull);
  EXPECT_EQ(select.declared_type(1), "REAL");
  EXPECT_FALSE(*select.Step());
}

TEST_F(SqlTest, AFileOfOursHasTheSettingsThatItsPromisesNeed) {
  Session session = *Open();
  const auto pragma = [&](std::string_view name) {
    Statement statement = *session.Prepare("PRAGMA " + std::string(name));
    return *statement.Step() ? std::string(statement.Text(0)) : "";
  };
  EXPECT_EQ(pragma("journal_mode"), "wal");
  EXPECT_EQ(pragma("synchronous"), "2") << "FULL: a commit in a log is synced before it is told";
  EXPECT_EQ(pragma("foreign_keys"), "1");
}

TEST_F(SqlTest, SqlThatDoesNotParseIsToldWithItsPlace) {
  Session session = *Open();
  const Status status = session.Prepare("SELECT 1 FRM t").status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("syntax error (at character 14: 't')"));
}

// The kernel's own constants on one side, what we refuse on the other.
TEST(FileSystemKind, TellsSharedFileSystemsFromLocalOnes) {
  for (const int64_t magic :
       {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, FUSE_SUPER_MAGIC, V9FS_MAGIC, CEPH_SUPER_MAGIC}) {
    EXPECT_NE(NetworkFileSystemName(magic), "") << magic;
  }
  EXPECT_EQ(NetworkFileSystemName(CIFS_SUPER_MAGIC), "CIFS");
  EXPECT_EQ(NetworkFileSystemName(SMB2_SUPER_MAGIC), "SMB");
  for (const int64_t magic :
       {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC}) {
    EXPECT_EQ(NetworkFileSystemName(magic), "") << magic;
  }
  EXPECT_EQ(NetworkFileSystemName(BTRFS_SUPER_MAGIC), "");
  EXPECT_EQ(FileSystemMagic("/proc"), PROC_SUPER_MAGIC);
  EXPECT_EQ(FileSystemMagic("/no/such/folder"), 0);
}

TEST_F(SqlTest, MoreThanOneStatementIsRefused) {
  Session session = *Open();
  const Status status = session.Prepare("SELECT 1; DROP TABLE t").status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(
      status.message(),
      "one SQL statement was expected, and another one begins at character 10: ' DROP TABLE t'");
  EXPECT_TRUE(session.Prepare("SELECT 1; -- and no more\n").ok());
}

TEST_F(SqlTest, ABrokenRuleIsNotAnExistingKey) {
  Session session = *Open();
  ASSERT_TRUE(session
                  .Execute("CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER NOT NULL); "
                           "CREATE TABLE u(k TEXT REFERENCES t(k)); INSERT INTO t VALUES ('a', 1)")
                  .ok());
  EXPECT_EQ(session.Execute("INSERT INTO t VALUES ('a', 2)").code(), Code::kAlreadyExists);
  EXPECT_EQ(session.Execute("INSERT INTO t VALUES ('b', NULL)").code(), Code::kFailedPrecondition);
  EXPECT_EQ(session.Execute("INSERT INTO u VALUES ('missing')").code(), Code::kFailedPrecondition);
}

TEST_F(SqlTest, ATransactionThatIsNotCommittedLeavesNothing) {
  Session session = *Open();
  ASSERT_TRUE(session.Execute("CREATE TABLE t(x)").ok());
  {
    Transaction transaction = *Transaction::Begin(session);
    ASSERT_TRUE(session.Execute("INSERT INTO t VALUES (1)").ok());
  }
  Statement count = *session.Prepare("SELECT count(*) FROM t");
  ASSERT_TRUE(*count.Step());
  EXPECT_EQ(count.Int(0), 0);
}

TEST_F(SqlTest, SomebodyElsesFileIsNotTakenOver) {
  {
    Session theirs = *Session::Open(file_);
    ASSERT_TRUE(theirs.Execute("CREATE TABLE t(x)").ok());
  }
  EXPECT_THAT(Open().status().message(), HasSubstr("not one of Penstock's"));
  std::ofstream(folder_ / "text.db")
      << "this is a text file, long enough to be looked at as a database header.";
  const Status status = Session::Open(folder_ / "text.db", {.application_id = kOurs}).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("restore it from a backup"));
}

TEST_F(SqlTest, ReadOnlyChangesNothingAndNamesAMissingFile) {
  EXPECT_EQ(Session::OpenReadOnly(file_).status().code(), Code::kNotFound);
  ASSERT_TRUE(Open()->Execute("CREATE TABLE t(x)").ok());
  Session reader = *Session::OpenReadOnly(file_);
  EXPECT_EQ(reader.Execute("INSERT INTO t VALUES (1)").code(), Code::kPermissionDenied);
  EXPECT_EQ(*reader.ApplicationId(), kOurs);
}

TEST_F(SqlTest, ALockThatIsHeldIsToldAfterTheTimeout) {
  Session first = *Open();
  Session second = *Session::Open(
      file_, {.application_id = kOurs, .busy_timeout = std::chrono::milliseconds(20)});
  Transaction held = *Transaction::Begin(first);
  const Status status = Transaction::Begin(second).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("another process holds it locked"));
}

TEST_F(SqlTest, MigrationsRunOnceAndANewerSchemaIsRefused) {
  constexpr std::string_view kSteps[] = {"CREATE TABLE a(x)", "ALTER TABLE a ADD COLUMN y"};
  Session session = *Open();
  ASSERT_TRUE(Migrate(session, Migrations(kSteps, 1)).ok());
  ASSERT_TRUE(session.Execute("INSERT INTO a VALUES (7)").ok());
  ASSERT_TRUE(Migrate(session, kSteps).ok());
  ASSERT_TRUE(Migrate(session, kSteps).ok());
  Statement select = *session.Prepare("SELECT x, y FROM a");
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Int(0), 7);
  const Status newer = Migrate(session, Migrations(kSteps, 1));
  EXPECT_EQ(newer.code(), Code::kFailedPrecondition);
  EXPECT_THAT(newer.message(), HasSubstr("install a newer Penstock"));
}

TEST_F(SqlTest, AMigrationThatFailsLeavesTheSchemaBefore) {
  constexpr std::string_view kSteps[] = {"CREATE TABLE a(x)",
                                         "CREATE TABLE b(x); CREATE TABLE a(x)"};
  Session session = *Open();
  EXPECT_FALSE(Migrate(session, kSteps).ok());
  EXPECT_EQ(*session.UserVersion(), 1);
  EXPECT_FALSE(session.Prepare("SELECT * FROM b").ok());
}

TEST_F(SqlTest, PowerThatFailsTakesWhatWasNotSyncedAndNothingElse) {
  FakeDisk disk;
  {
    Session session = *Open();
    ASSERT_TRUE(session.Execute("CREATE TABLE t(x); INSERT INTO t VALUES ('synced')").ok());
    ASSERT_TRUE(session.Execute("PRAGMA synchronous=OFF; INSERT INTO t VALUES ('not')").ok());
    disk.FailAfter(0);
    EXPECT_EQ(session.Execute("INSERT INTO t VALUES ('too late')").code(), Code::kDataLoss);
  }
  EXPECT_TRUE(disk.is_off());
  disk.Restart(FakeDisk::UnsyncedWrites::kGone);
  Session session = *Open();
  Statement select = *session.Prepare("SELECT x FROM t");
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Text(0), "synced");
  EXPECT_FALSE(*select.Step());
}

// Each child makes the file, migrates it and commits its share; none may fail and no row may be
// lost.
TEST_F(SqlTest, EightProcessesTimesAThousandTransactions) {
  constexpr int kProcesses = 8;
  constexpr int kTransactions = 1000;
  constexpr std::string_view kSteps[] = {
      "CREATE TABLE counter(n INTEGER); INSERT INTO counter VALUES (0)"};
  const auto work = [&]() -> Status {
    Session session = PENSTOCK_TRY(Open());
    PENSTOCK_TRY(Migrate(session, kSteps));
    for (int i = 0; i < kTransactions; ++i) {
      Transaction transaction = PENSTOCK_TRY(Transaction::Begin(session));
      Statement read = PENSTOCK_TRY(session.Prepare("SELECT n FROM counter"));
      if (!PENSTOCK_TRY(read.Step())) return Internal("no row");
      Statement write = PENSTOCK_TRY(session.Prepare("UPDATE counter SET n = ?"));
      PENSTOCK_TRY(write.Bind(0, read.Int(0) + 1).Run());
      read.Reset();
      PENSTOCK_TRY(transaction.Commit());
    }
    return {};
  };
  for (int i = 0; i < kProcesses; ++i) {
    if (fork() == 0) {
      const Status status = work();
      if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
      _exit(status.ok() ? 0 : 1);
    }
  }
  for (int i = 0; i < kProcesses; ++i) {
    int status = 0;
    ASSERT_GT(wait(&status), 0);
    EXPECT_EQ(status, 0);
  }
  Session session = *Open();
  Statement select = *session.Prepare("SELECT n FROM counter");
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Int(0), kProcesses * kTransactions);
}

}  // namespace
}  // namespace penstock::sql
