// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <variant>

#include "base/ids.h"
#include "data/rows_writer.h"
#include "data/source.h"
#include "data/sqlite_database.h"
#include "os/process.h"
#include "sql/application_id.h"

// This program is also its own reader (read-rows) and the second writer (insert PATH): see main
// at the end.
namespace penstock::data {
namespace {

using table::ColumnType;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string SelfPath() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

// A connection of this process, with a SQLite that knows nothing of the reader.
class Database {
 public:
  explicit Database(const std::filesystem::path& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &handle_), SQLITE_OK) << path;
  }
  ~Database() { sqlite3_close(handle_); }

  int Try(const std::string& sql) {
    return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  }
  void Run(const std::string& sql) {
    EXPECT_EQ(Try(sql), SQLITE_OK) << sql << ": " << sqlite3_errmsg(handle_);
  }
  int64_t Number(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle_);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
  }

 private:
  sqlite3* handle_ = nullptr;
};

using Cell = std::variant<std::monostate, int64_t, double, bool, std::string>;

Cell CellAt(const ArrowArray& column, ColumnType type, int64_t row) {
  const auto* valid = static_cast<const uint8_t*>(column.buffers[0]);
  if (valid != nullptr && (valid[row / 8] >> (row % 8) & 1) == 0) return std::monostate();
  switch (type) {
    case ColumnType::kInt64:
      return static_cast<const int64_t*>(column.buffers[1])[row];
    case ColumnType::kFloat64:
      return static_cast<const double*>(column.buffers[1])[row];
    case ColumnType::kBool:
      return (static_cast<const uint8_t*>(column.buffers[1])[row / 8] >> (row % 8) & 1) != 0;
    default:
      break;
  }
  const auto* offsets = static_cast<const int32_t*>(column.buffers[1]);
  const auto* bytes = static_cast<const char*>(column.buffers[2]);
  return std::string(bytes + offsets[row], bytes + offsets[row + 1]);
}

struct Rows {
  std::vector<table::Field> fields;
  std::vector<std::vector<Cell>> cells;
};

Result<Rows> ReadRows(const std::string& uri, ReadOptions options = {}) {
  options.program = SelfPath();
  table::TableStream stream = PENSTOCK_TRY(Read(uri, options));
  Rows rows{.fields = PENSTOCK_TRY(stream.Fields())};
  while (true) {
    const table::Batch batch = PENSTOCK_TRY(stream.Next());
    if (batch.empty()) return rows;
    for (int64_t row = 0; row < batch.get()->length; ++row) {
      std::vector<Cell> cells;
      for (size_t i = 0; i < rows.fields.size(); ++i) {
        cells.push_back(CellAt(*batch.get()->children[i], rows.fields[i].type, row));
      }
      rows.cells.push_back(std::move(cells));
    }
  }
}

class SqliteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("penstock_data_" + NewId());
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "people.db";
  }
  void TearDown() override {
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
    std::filesystem::remove_all(folder_);
  }

  void Make(const std::string& sql) const { Database(path_).Run(sql); }
  std::string Uri(const std::string& rest) const { return "sqlite:///" + path_.string() + rest; }
  Result<Rows> Query(const std::string& sql) const { return ReadRows(Uri("?query=" + sql)); }
  Status Error(const std::string& rest) const { return ReadRows(Uri(rest)).status(); }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(SqliteTest, ReadsATableWithTheTypesOfItsDeclarations) {
  Make(
      "CREATE TABLE people(id INTEGER PRIMARY KEY, height REAL, name VARCHAR(20), photo BLOB, "
      "member BOOLEAN);"
      "INSERT INTO people VALUES (1, 1.75, 'Zürich', x'00FF', 1), (9007199254740993, 2, '', x'', "
      "0),"
      "(3, NULL, NULL, NULL, NULL)");
  const Result<Rows> rows = ReadRows(Uri("#people"));
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_THAT(rows->fields, ElementsAre(table::Field{"id", ColumnType::kInt64},
                                        table::Field{"height", ColumnType::kFloat64},
                                        table::Field{"name", ColumnType::kString},
                                        table::Field{"photo", ColumnType::kBinary},
                                        table::Field{"member", ColumnType::kBool}));
  const Cell null;
  EXPECT_THAT(rows->cells,
              ElementsAre(ElementsAre(int64_t{1}, 1.75, "Zürich", std::string("\x00\xFF", 2), true),
                          ElementsAre(int64_t{3}, null, null, null, null),
                          ElementsAre(int64_t{9007199254740993}, 2.0, "", "", false)));
}

TEST_F(SqliteTest, LetsTheFirstValuesDecideWhereNoDeclarationDoes) {
  Make(
      "CREATE TABLE t(price DECIMAL(8,2), day DATE, epoch TIMESTAMP, bare, empty);"
      "INSERT INTO t VALUES (3, '2026-01-31', 1700000000, NULL, NULL), (2.5, NULL, NULL, x'01', "
      "NULL)");
  const Result<Rows> rows = ReadRows(Uri("#t"));
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_THAT(rows->fields, ElementsAre(table::Field{"price", ColumnType::kFloat64},
                                        table::Field{"day", ColumnType::kString},
                                        table::Field{"epoch", ColumnType::kInt64},
                                        table::Field{"bare", ColumnType::kBinary},
                                        table::Field{"empty", ColumnType::kFloat64}));
  EXPECT_EQ(rows->cells[0][0], Cell(3.0));
  const Result<Rows> query =
      Query("SELECT count(*) AS n, avg(price) AS mean, 'a' || 'b' AS text FROM t");
  ASSERT_TRUE(query.ok()) << query.status().ToString();
  EXPECT_THAT(query->cells, ElementsAre(ElementsAre(int64_t{2}, 2.75, "ab")));
}

TEST_F(SqliteTest, ReadsManyBatchesInOrder) {
  Make(
      "CREATE TABLE t(i INTEGER, e); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
      "n WHERE i < 200000)"
      "INSERT INTO t SELECT i, i * 2 FROM n");
  const Result<Rows> rows = ReadRows(Uri("#t"));
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  ASSERT_EQ(rows->cells.size(), 200'000U);
  for (size_t row = 0; row < rows->cells.size(); ++row) {
    const auto number = static_cast<int64_t>(row + 1);
    ASSERT_THAT(rows->cells[row], ElementsAre(number, number * 2));
  }
}

TEST_F(SqliteTest, ReadsAnEmptyTableAndAnEmptyResult) {
  Make("CREATE TABLE t(i INTEGER, x)");
  EXPECT_EQ(ReadRows(Uri("#t"))->cells.size(), 0U);
  const Result<Rows> rows = Query("SELECT * FROM t WHERE i > 5");
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(rows->fields.size(), 2U);
}

TEST_F(SqliteTest, TakesAQueryAsItStandsOrEncoded) {
  Make("CREATE TABLE t(a TEXT); INSERT INTO t VALUES ('5% ab#1?x&y=z'), ('q')");
  EXPECT_EQ(Query("SELECT a FROM t WHERE a LIKE '%ab#1?x&y=z%'")->cells.size(), 1U);
  EXPECT_EQ(Query("SELECT%20a%20FROM%20t%20WHERE%20a%20LIKE%20'%25ab%25'")->cells.size(), 1U);
  EXPECT_EQ(Query("SELECT a\nFROM t;  -- all of them")->cells.size(), 2U);
}

TEST_F(SqliteTest, ReadsPathsAndTablesWithSpecialCharacters) {
  path_ = folder_ / "100%? #1.db";
  Make("CREATE TABLE \"my \"\"table\"\"\"(i INTEGER); INSERT INTO \"my \"\"table\"\"\" VALUES (1)");
  const std::string uri = "sqlite:///" + folder_.string() + "/100%%3F %231.db#my%20\"table\"";
  const Result<Rows> rows = ReadRows(uri);
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(rows->cells.size(), 1U);
}

TEST_F(SqliteTest, ReadsAViewAndARelativePath) {
  Make(
      "CREATE TABLE t(i INTEGER); INSERT INTO t VALUES (4); CREATE VIEW v AS SELECT i * 2 AS twice "
      "FROM t");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  const Result<Rows> rows = ReadRows("sqlite:///people.db#v");
  std::filesystem::current_path(before);
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_THAT(rows->cells, ElementsAre(ElementsAre(int64_t{8})));
}

TEST_F(SqliteTest, NamesTheUriFormsForAUriItCannotUnderstand) {
  for (const char* uri :
       {"sqlite:people.db", "sqlite://people.db#t", "postgresql://host/db", "people.db",
        "sqlite:///#t", "sqlite:///x.db#", "sqlite:///x.db?query=", "sqlite:///x.db?query= ; "}) {
    const Status status = ReadRows(uri).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << uri;
    EXPECT_THAT(status.message(), HasSubstr("?query=SELECT ...")) << uri;
  }
  EXPECT_THAT(
      ReadRows("sqlite:///x.db?qurey=SELECT 1").status().message(),
      HasSubstr(
          "has the parameter 'qurey'; a SQLite source has only 'query'. Did you mean 'query'?"));
  EXPECT_THAT(ReadRows("sqlite:///x.db?query=" + std::string(200'000, ' ')).status().message(),
              HasSubstr("put the query into a view"));
}

TEST_F(SqliteTest, NamesADatabaseThatIsNotThere) {
  const Status status = Error("#t");
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("there is no database '" + path_.string() + "'"));
  EXPECT_FALSE(std::filesystem::exists(path_));  // reading must not make it
}

TEST_F(SqliteTest, ListsTheTablesWhenOneIsMissing) {
  Make("CREATE TABLE people(i); CREATE TABLE pets(i)");
  const Status status = Error("#peple");
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.message(),
            "the database '" + path_.string() +
                "' has no table 'peple'; it has 'people' and 'pets'. Did you mean 'people'?");
  EXPECT_THAT(
      Error("").message(),
      HasSubstr("names no table; add #TABLE or ?query=SELECT ...; it has 'people' and 'pets'"));
}

TEST_F(SqliteTest, SaysWhereAQueryDoesNotParse) {
  Make("CREATE TABLE people(age INTEGER, name TEXT)");
  EXPECT_EQ(Error("?query=SELECT age FORM people").message(),
            "the query on '" + path_.string() +
                "' does not work: near \"people\": syntax error, at character 17 (`people`); "
                "correct the SQL after ?query=");
  EXPECT_THAT(Error("?query=SELECT agee FROM people").message(),
              AllOf(HasSubstr("no such column: agee, at character 8 (`agee FROM people`)"),
                    HasSubstr("Did you mean 'age'?")));
  EXPECT_THAT(Error("?query=SELECT age FROM poeple").message(),
              AllOf(HasSubstr("no such table: poeple"), HasSubstr("Did you mean 'people'?")));
  // Without this, SQLite would answer with the text 'nmae' in every row.
  EXPECT_THAT(Error("?query=SELECT \"nmae\" FROM people").message(),
              HasSubstr("no such column: nmae"));
}

TEST_F(SqliteTest, RunsOneStatementThatReads) {
  Make("CREATE TABLE t(i INTEGER); INSERT INTO t VALUES (1)");
  EXPECT_THAT(Error("?query=SELECT 1; DROP TABLE t").message(),
              HasSubstr("more than one statement"));
  EXPECT_THAT(Error("?query=DELETE FROM t RETURNING i").message(),
              HasSubstr("does not only read rows"));
  EXPECT_THAT(Error("?query=DROP TABLE t").message(), HasSubstr("does not only read rows"));
  EXPECT_THAT(Error("?query=ATTACH 'other.db' AS o").message(),
              HasSubstr("does not only read rows"));
  EXPECT_THAT(Error("?query=SELECT i FROM t WHERE i = :limit").message(),
              HasSubstr("has the parameter ':limit'"));
  EXPECT_THAT(Error("?query=SELECT i, i FROM t").message(), HasSubstr("two columns named 'i'"));
  EXPECT_THAT(Error("?query=-- nothing").message(), HasSubstr("only a comment"));
  EXPECT_EQ(Database(path_).Number("SELECT count(*) FROM t"), 1);
}

TEST_F(SqliteTest, NamesTheRowOfAValueThatDoesNotFit) {
  Make(
      "CREATE TABLE t(age INTEGER, note TEXT, flag BOOLEAN, bare); INSERT INTO t VALUES (1, 'a', "
      "1, 2), (NULL, 'b', 0, 3)");
  Database database(path_);
  const auto error_with = [&](const std::string& values) {
    database.Run("INSERT INTO t VALUES (" + values + ")");
    const Status status = Error("#t");
    database.Run("DELETE FROM t WHERE rowid = 3");
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_EQ(error_with("'unknown', 'c', 1, 4"),
            "column 'age' is read as int64 (declared INTEGER), but row 3 holds the text 'unknown'; "
            "make it one type in a "
            "query, as in ?query=SELECT CAST(\"age\" AS TEXT) AS \"age\", ... FROM ...");
  EXPECT_THAT(error_with("2.5, 'c', 1, 4"),
              AllOf(HasSubstr("row 3 holds the number 2.5"), HasSubstr("AS REAL")));
  EXPECT_THAT(error_with("1, x'FF', 1, 4"), HasSubstr("row 3 holds a blob of 1 bytes"));
  EXPECT_THAT(error_with("1, CAST(x'FF' AS TEXT), 1, 4"), HasSubstr("text that is not UTF-8"));
  EXPECT_THAT(error_with("1, 'c', 2, 4"),
              HasSubstr("column 'flag' is read as bool (declared BOOLEAN), but row 3 holds"));
  EXPECT_THAT(error_with("1, 'c', 1, 'x'"),
              HasSubstr("column 'bare' is read as int64 (by its first values), but row 3"));
  EXPECT_TRUE(ReadRows(Uri("#t")).ok());
}

TEST_F(SqliteTest, FailsTheWholeReadForAValueFarBehind) {
  Make(
      "CREATE TABLE t(i INTEGER); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
      "WHERE i < 150000)"
      "INSERT INTO t SELECT i FROM n; INSERT INTO t VALUES ('late')");
  Result<table::TableStream> stream = Read(Uri("#t"), {.program = SelfPath()});
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  Result<table::Batch> batch = stream->Next();
  while (batch.ok() && !batch->empty()) batch = stream->Next();
  ASSERT_FALSE(batch.ok());
  EXPECT_THAT(batch.status().message(), HasSubstr("row 150001 holds the text 'late'"));
  EXPECT_FALSE(stream->Next().ok());  // and nothing after it
}

TEST_F(SqliteTest, RefusesIntegersThatADoubleCannotHold) {
  Make("CREATE TABLE t(x); INSERT INTO t VALUES (0.5), (9007199254740993)");
  EXPECT_THAT(Error("#t").message(), HasSubstr("row 2 holds the integer 9007199254740993"));
}

TEST_F(SqliteTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path_) << "age,name\n" << std::string(2000, 'x');
  const Status status = Error("#t");
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("is not a SQLite database"));
  EXPECT_THAT(ReadRows("sqlite:///" + folder_.string() + "#t").status().message(),
              HasSubstr("is not a file"));
}

TEST_F(SqliteTest, TellsThatADatabaseIsDamaged) {
  Make(
      "CREATE TABLE t(x TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
      "WHERE i < 2000)"
      "INSERT INTO t SELECT printf('%0200d', i) FROM n");
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  const Status status = Error("#t");
  EXPECT_EQ(status.code(), Code::kDataLoss) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr("is damaged"));
}

TEST_F(SqliteTest, RefusesTheRegistryItself) {
  Make("CREATE TABLE t(i); PRAGMA application_id=" + std::to_string(sql::kRegistryApplicationId));
  const Status status = Error("#t");
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("is Penstock's own registry"));
}

TEST_F(SqliteTest, LeavesTheFileAsItIs) {
  Make("CREATE TABLE t(i INTEGER); INSERT INTO t VALUES (1)");
  const auto bytes = [&] {
    std::ifstream file(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string before = bytes();
  ASSERT_TRUE(ReadRows(Uri("#t")).ok());
  EXPECT_EQ(bytes(), before);
  size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder_)) ++files;
  EXPECT_EQ(files, 1U);
}

// POSIX drops all locks of a process on a file when the process closes any descriptor of it. With a
// reader in this process, the second writer below would get in, and our commit would overwrite its
// row.
class SqliteLocks : public SqliteTest, public ::testing::WithParamInterface<const char*> {
 protected:
  // Inserts from another process; SQLITE_OK or SQLITE_BUSY.
  int InsertElsewhere() const {
    os::Process process =
        *os::Process::Start({.program = SelfPath(), .arguments = {"insert", path_.string()}});
    return *process.Wait();
  }
};

TEST_P(SqliteLocks, AreKeptInThisProcess) {
  Make(std::string("PRAGMA journal_mode=") + GetParam() +
       "; CREATE TABLE t(i INTEGER); INSERT INTO t VALUES (1)");
  Database ours(path_);
  ours.Run("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)");

  const Result<Rows> rows = ReadRows(Uri("#t"));
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(rows->cells.size(), 1U);  // what is committed

  EXPECT_EQ(InsertElsewhere(), SQLITE_BUSY);
  ours.Run("COMMIT");
  EXPECT_EQ(InsertElsewhere(), SQLITE_OK);
  EXPECT_EQ(ours.Number("SELECT count(*) FROM t"), 3);
  EXPECT_EQ(ReadRows(Uri("#t"))->cells.size(), 3U);
  Database check(path_);
  EXPECT_EQ(
      check.Number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

TEST_P(SqliteLocks, LetAnotherProcessWriteDuringARead) {
  Make(std::string("PRAGMA journal_mode=") + GetParam() +
       "; CREATE TABLE t(i INTEGER); INSERT INTO t VALUES (1)");
  Database ours(path_);
  EXPECT_EQ(ours.Number("SELECT count(*) FROM t"), 1);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(InsertElsewhere(), SQLITE_OK);
    EXPECT_EQ(ReadRows(Uri("#t"))->cells.size(), static_cast<size_t>(2 + i));
  }
  EXPECT_EQ(ours.Number("SELECT count(*) FROM t"), 21);
}

INSTANTIATE_TEST_SUITE_P(JournalModes, SqliteLocks, ::testing::Values("DELETE", "WAL"));

// What the two tests above would miss if it were not so.
TEST_F(SqliteTest, WouldLoseLocksToAReaderInThisProcess) {
  Make("CREATE TABLE t(i INTEGER)");
  Database ours(path_);
  ours.Run("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)");
  close(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  os::Process process =
      *os::Process::Start({.program = SelfPath(), .arguments = {"insert", path_.string()}});
  EXPECT_EQ(*process.Wait(), SQLITE_OK);  // in spite of our open transaction
}

TEST_F(SqliteTest, ReadsAWalDatabaseWhoseLastChangesAreInTheLog) {
  Make("PRAGMA journal_mode=WAL; CREATE TABLE t(i INTEGER)");
  Database writer(path_);
  writer.Run("PRAGMA wal_autocheckpoint=0; INSERT INTO t VALUES (7)");
  EXPECT_THAT(ReadRows(Uri("#t"))->cells, ElementsAre(ElementsAre(int64_t{7})));
}

TEST_F(SqliteTest, RefusesAWalDatabaseOnANetworkFileSystem) {
  constexpr int64_t kNfs = 0x6969;  // statfs(2)
  constexpr int64_t kExt4 = 0xEF53;
  const auto header_of = [&] {
    std::ifstream file(path_, std::ios::binary);
    std::string header(100, '\0');
    file.read(header.data(), 100);
    return header;
  };
  Make("CREATE TABLE t(i INTEGER)");
  EXPECT_TRUE(CheckLogIsLocal("t.db", header_of(), kNfs).ok());
  Make("PRAGMA journal_mode=WAL");
  EXPECT_TRUE(CheckLogIsLocal("t.db", header_of(), kExt4).ok());
  const Status status = CheckLogIsLocal("t.db", header_of(), kNfs);
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("in WAL mode on NFS"), HasSubstr("copy it to a local disk")));
}

TEST_F(SqliteTest, GivesUpOnADatabaseThatStaysLocked) {
  Make("CREATE TABLE t(i INTEGER)");
  Database ours(path_);
  ours.Run("BEGIN EXCLUSIVE");
  const Status status = Error("#t");
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(),
              HasSubstr("was locked by another process for 5 s; end its transaction"));
}

// Root may write anywhere by a capability. Without it modes hold for root too, and for the programs
// that it starts.
bool ObeyModes() {
  if (geteuid() != 0) return true;
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return false;
  for (const unsigned capability : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return false;
    sets[0].effective &= ~(1U << capability);
    sets[0].permitted &= ~(1U << capability);
    sets[0].inheritable &= ~(1U << capability);
  }
  return syscall(SYS_capset, &header, sets.data()) == 0;
}

// Runs `check` in a process that may write nothing here, with the folder made read-only.
void InReadOnlyFolder(const std::filesystem::path& folder, const std::function<bool()>& check) {
  std::filesystem::permissions(folder, std::filesystem::perms(0555));
  const pid_t child = fork();
  if (child == 0) {
    if (!ObeyModes()) _exit(2);
    _exit(check() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(SqliteTest, ReadsInAFolderThatCannotBeWritten) {
  Make("CREATE TABLE t(i INTEGER); INSERT INTO t VALUES (1)");
  InReadOnlyFolder(folder_, [&] { return ReadRows(Uri("#t")).ok(); });
}

TEST_F(SqliteTest, ReadsAWalDatabaseInAFolderThatCannotBeWritten) {
  Make("PRAGMA journal_mode=WAL; CREATE TABLE t(i INTEGER); INSERT INTO t VALUES (1)");
  ASSERT_FALSE(std::filesystem::exists(path_.string() + "-wal"));
  InReadOnlyFolder(folder_, [&] {
    const Result<Rows> rows = ReadRows(Uri("#t"));
    if (!rows.ok()) std::fprintf(stderr, "%s\n", rows.status().ToString().c_str());
    return rows.ok() && rows->cells.size() == 1;
  });
}

TEST_F(SqliteTest, FailsWhenTheReaderIsKilled) {
  Make(
      "CREATE TABLE t(x TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
      "WHERE i < 100000)"
      "INSERT INTO t SELECT printf('%0200d', i) FROM n");
  std::atomic<bool> is_killed = false;
  // The child blocks on the full pipe until it is read; /proc names it.
  const auto kill_children = [&]() -> Status {
    if (is_killed.exchange(true)) return {};
    std::ifstream children("/proc/self/task/" + std::to_string(gettid()) + "/children");
    for (pid_t pid = 0; children >> pid;) kill(pid, SIGKILL);
    return {};
  };
  const Status status = ReadRows(Uri("#t"), {.poll = kill_children}).status();
  EXPECT_EQ(status.code(), Code::kDataLoss) << status.ToString();
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("was killed by signal 9"), HasSubstr("nothing of it is used")));
}

TEST_F(SqliteTest, LeavesCtrlCToTheProcessThatReads) {
  Make(
      "CREATE TABLE t(x TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
      "WHERE i < 100000)"
      "INSERT INTO t SELECT printf('%0200d', i) FROM n");
  const auto interrupt_children = []() -> Status {
    std::ifstream children("/proc/self/task/" + std::to_string(gettid()) + "/children");
    for (pid_t pid = 0; children >> pid;) kill(pid, SIGINT);
    return {};
  };
  const Result<Rows> rows = ReadRows(Uri("#t"), {.poll = interrupt_children});
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(rows->cells.size(), 100'000U);
}

TEST_F(SqliteTest, EndsALongReadWhenAskedTo) {
  Make("CREATE TABLE t(i INTEGER)");
  int asked = 0;
  const Status status =
      ReadRows(
          Uri("?query=WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
              "max(i) AS m FROM n"),
          {.poll = [&] { return ++asked < 3 ? Status() : Status(Code::kCancelled, "Ctrl-C"); }})
          .status();
  EXPECT_EQ(status.code(), Code::kCancelled);
  EXPECT_EQ(status.message(), "Ctrl-C");
}

TEST_F(SqliteTest, EndsTheChildWhenTheStreamIsLetGo) {
  Make(
      "CREATE TABLE t(x TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
      "WHERE i < 100000)"
      "INSERT INTO t SELECT printf('%0200d', i) FROM n");
  {
    ASSERT_TRUE(Read(Uri("#t"), {.program = SelfPath()}).ok());
  }
  Database(path_).Run("INSERT INTO t VALUES ('the lock is gone')");
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child is left
}

TEST(ErrorFromChild, FindsTheLastLineOfJson) {
  EXPECT_EQ(ErrorFromChild("a warning\n{\"code\":5,\"message\":\"none\"}\n").ToString(),
            "NOT_FOUND: none");
  EXPECT_TRUE(ErrorFromChild("just words\n").ok());
  EXPECT_TRUE(ErrorFromChild("").ok());
  EXPECT_TRUE(ErrorFromChild("{\"code\":99,\"message\":\"x\"}").ok());
}

TEST(Read, NamesTheProgramThatIsNotThere) {
  const Status status = Read("sqlite:///x.db#t", {.program = "/nowhere/penstock"}).status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("/nowhere/penstock"));
}

int Insert(const char* path) {
  sqlite3* database = nullptr;
  if (sqlite3_open(path, &database) != SQLITE_OK) return SQLITE_CANTOPEN;
  const int code = sqlite3_exec(database, "INSERT INTO t VALUES (99)", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  return code;
}

}  // namespace
}  // namespace penstock::data

int main(int argc, char** argv) {
  if (argc == 3 && argv[1] == penstock::data::kReadRowsCommand)
    return penstock::data::RunReadRows(argv[2]);
  if (argc == 3 && argv[1] == std::string("insert")) return penstock::data::Insert(argv[2]);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
