// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/file_uri.h"
#include "data/source.h"
#include "data/sql_text.h"
#include "table/cells.h"
#include "table/gather.h"

namespace penstock::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(FileUri, TellsTheFormatByTheEnding) {
  for (const auto& [uri, format] : std::vector<std::pair<std::string, FileFormat>>{
           {"data/*.csv", FileFormat::kCsv},
           {"A.CSV.GZ", FileFormat::kCsv},
           {"x.tsv", FileFormat::kCsv},
           {"/srv/x.parquet", FileFormat::kParquet},
           {"x.json", FileFormat::kJson},
           {"x.jsonl.gz", FileFormat::kJson},
           {"csv:x.dat", FileFormat::kCsv},
           {"parquet:///srv/x", FileFormat::kParquet}}) {
    const Result<FileUri> parsed = ParseFileUri(uri);
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    EXPECT_EQ(parsed->format, format) << uri;
  }
  EXPECT_THAT(ParseFileUri("x.ndjson")->options, ElementsAre(Pair("format", "newline_delimited")));
}

TEST(FileUri, TakesPathOptionsAndQueryApart) {
  const Result<FileUri> plain =
      ParseFileUri("part-?.csv?delim=%26&header=false&query=SELECT '?a=1&b' AS x FROM data");
  ASSERT_TRUE(plain.ok()) << plain.status().ToString();
  EXPECT_EQ(plain->path, "part-?.csv");
  EXPECT_THAT(plain->options, ElementsAre(Pair("delim", "&"), Pair("header", "false")));
  EXPECT_EQ(plain->query, "SELECT '?a=1&b' AS x FROM data");
  EXPECT_EQ(ParseFileUri("50%25.csv")->path, "50%25.csv");  // a bare path is taken as it is
  EXPECT_EQ(ParseFileUri("file:///srv/50%25.csv")->path, "/srv/50%.csv");
  EXPECT_EQ(ParseFileUri("csv:a%20b")->path, "a b");
  EXPECT_EQ(ParseFileUri("a.csv?query=SELECT%201")->query, "SELECT 1");
}

TEST(FileUri, KnowsDuckdb) {
  EXPECT_EQ(ParseFileUri("duckdb:?query=SELECT 1 ")->query, "SELECT 1 ");
  EXPECT_EQ(ParseFileUri("duckdb:///x.duckdb#t")->database, "x.duckdb");
  EXPECT_EQ(ParseFileUri("duckdb:////srv/x.duckdb#a%23b")->table, "a#b");
  EXPECT_EQ(ParseFileUri("duckdb:////srv/x.duckdb?query=SELECT 1 ")->database, "/srv/x.duckdb");
}

TEST(FileUri, TellsWhatItCannotUnderstand) {
  const auto told = [](std::string_view uri) { return ParseFileUri(uri).status().message(); };
  EXPECT_THAT(told("rows.dat"), HasSubstr("write csv:rows.dat, parquet:rows.dat"));
  EXPECT_THAT(told("parqet:x"), HasSubstr("Did you mean 'parquet'?"));
  EXPECT_THAT(told("file://host/x.csv"), HasSubstr("names the host 'host'"));
  EXPECT_THAT(told("a.csv?query="), HasSubstr("empty query"));
  EXPECT_THAT(told("a.csv?header=true&delim"), HasSubstr("option=value"));
  EXPECT_THAT(told("duckdb:///x.duckdb"), HasSubstr("duckdb:///PATH#TABLE"));
  EXPECT_THAT(told("duckdb:?qury=SELECT 1"), HasSubstr("Did you mean 'query'?"));
  EXPECT_THAT(told("/"), HasSubstr("'/' is a directory"));
  EXPECT_EQ(ParseFileUri("s3://bucket/x.csv").status().code(), Code::kUnimplemented);
}

// Reads files of a folder that is gone after the test.
class FilesTest : public ::testing::Test {
 protected:
  FilesTest() : folder_(std::filesystem::path(::testing::TempDir()) / std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~FilesTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  std::string Path(std::string_view name) const { return (folder_ / name).string(); }

  static Status Error(const std::string& uri) {
    Result<table::TableStream> stream = Read(uri);
    if (!stream.ok()) return stream.status();
    while (true) {
      const Result<table::Batch> batch = stream->Next();
      if (!batch.ok()) return batch.status();
      if (batch->empty()) return {};
    }
  }

  std::filesystem::path folder_;
};

TEST(FirstStatement, EndsAtASemicolonThatIsNotInLiteralsNamesOrComments) {
  const auto first = [](std::string_view sql) { return std::string(FirstStatement(sql)); };
  EXPECT_EQ(first("SELECT 1"), "SELECT 1");
  EXPECT_EQ(first("SELECT 1; -- that's all"), "SELECT 1");
  for (const std::string sql :
       {"SELECT 'a;''b;'", R"(SELECT "a;""b;")", "SELECT 1 -- one; 'two\n + 1",
        "SELECT 1 /* ; /* ' */ ; */", R"(SELECT E'a\';b')", "SELECT e'a\\\\'",
        "SELECT $$;$$ || $tag$ $$;' $tag$", "SELECT a$b, '\\'", "SELECT name'x'", "SELECT 'open",
        "SELECT /* open"}) {
    EXPECT_EQ(first(sql), sql);
    EXPECT_EQ(first(sql + "\n; /* end */"),
              sql.find("open") == sql.npos ? sql + "\n" : sql + "\n; /* end */");
  }
}

// Columns of such types are cast by a query around the query.
TEST_F(FilesTest, AQueryMayEndInASemicolonAndComments) {
  for (const char* end :
       {"", ";", " ; ", "; -- note", ";\n-- it's\n", "; /* a ; b */ ;", " -- note"}) {
    const std::string uri =
        fmt::format("duckdb:?query=SELECT 12::HUGEINT AS big, ';--' AS text {}", end);
    Result<table::TableStream> stream = Read(uri);
    ASSERT_TRUE(stream.ok()) << uri << stream.status().ToString();
    const Result<table::Batch> batch = stream->Next();
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    EXPECT_EQ(table::CellAt(*batch, table::ColumnType::kString, 1, 0), table::Cell(";--"));
  }
}

TEST_F(FilesTest, InfiniteTimesAreShownAsSuch) {
  Result<table::TableStream> stream = Read(
      "duckdb:?query=SELECT 'infinity'::TIMESTAMP AS a, '-infinity'::TIMESTAMPTZ AS b, "
      "'infinity'::DATE AS c");
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  const std::vector<table::Field> fields = *stream->Fields();
  const Result<table::Batch> batch = stream->Next();
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  EXPECT_EQ(table::CellAt(*batch, fields[0].type, 0, 0), table::Cell("infinity"));
  EXPECT_EQ(table::CellAt(*batch, fields[1].type, 1, 0), table::Cell("-infinity"));
  EXPECT_EQ(table::CellAt(*batch, fields[2].type, 2, 0), table::Cell("infinity"));
}

TEST_F(FilesTest, GivesTypedRowsOfAFile) {
  Result<table::TableStream> stream = Read(Write("a.csv", "n,s,d\n1,x,2024-02-29\n,y,\n"));
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  const std::vector<table::Field> fields = {{"n", table::ColumnType::kInt64},
                                            {"s", table::ColumnType::kString},
                                            {"d", table::ColumnType::kDate32}};
  EXPECT_EQ(*stream->Fields(), fields);
  const Result<table::Batch> batch = stream->Next();
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  ASSERT_EQ(batch->get()->length, 2);
  EXPECT_EQ(table::CellAt(*batch, fields[0].type, 0, 0), table::Cell(int64_t{1}));
  EXPECT_EQ(table::CellAt(*batch, fields[0].type, 0, 1), table::Cell());
  EXPECT_EQ(table::CellAt(*batch, fields[1].type, 1, 1), table::Cell("y"));
  EXPECT_EQ(table::CellAt(*batch, fields[2].type, 2, 0), table::Cell("2024-02-29"));
  EXPECT_TRUE(stream->Next()->empty());
  EXPECT_TRUE(stream->Next()->empty());
}

TEST_F(FilesTest, StreamsInBatchesOrGathersThem) {
  constexpr int64_t kRows = 200'000;
  const std::string uri = "duckdb:?query=SELECT range AS r FROM range(200000)";
  table::TableStream stream = *Read(uri);
  int64_t next = 0;
  while (true) {
    const Result<table::Batch> batch = stream.Next();
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    if (batch->empty()) break;
    EXPECT_LE(batch->get()->length, table::kBatchRowsMax + 2048);
    for (int64_t row = 0; row < batch->get()->length; ++row)
      ASSERT_EQ(table::CellAt(*batch, table::ColumnType::kInt64, 0, row), table::Cell(next++));
  }
  EXPECT_EQ(next, kRows);
  table::TableStream gathered = table::Gather(*Read(uri));
  EXPECT_EQ(gathered.Next()->get()->length, kRows);
  EXPECT_TRUE(gathered.Next()->empty());
}

TEST_F(FilesTest, EndsWithAnErrorInTheMiddleInsteadOfFewerRows) {
  const Status status = Error(
      "duckdb:?query=SELECT CASE WHEN range = 900000 THEN error('row ' || range) ELSE range "
      "END AS r FROM range(1000000)");
  EXPECT_THAT(status.message(), HasSubstr("row 900000"));
}

TEST_F(FilesTest, NamesWhatIsWrongWithAFile) {
  std::string rows = "a,b\n";
  for (int row = 0; row < 30'000; ++row) rows += "1,x\n";
  EXPECT_THAT(Error(Write("wide.csv", rows + "1,2,3\n")).message(),
              AllOf(HasSubstr("wide.csv', line 30002: 2 columns were expected, and 3 were found"),
                    HasSubstr("null_padding=true")));
  EXPECT_THAT(Error(Write("type.csv", rows + "hello,x\n")).message(),
              AllOf(HasSubstr("line 30002, column 'a': 'hello' is not a BIGINT"),
                    HasSubstr("types={'a': 'VARCHAR'}")));
  EXPECT_THAT(Error(Write("latin.csv", "a,b\n1,Z\xFCrich\n")).message(),
              HasSubstr("line 2: the text is not UTF-8"));
  EXPECT_THAT(Error(Write("empty.csv", "")).message(), HasSubstr("is empty"));
  EXPECT_THAT(Error(Write("bad.json", "{\"a\":1}\n{\"a\":2\n")).message(),
              HasSubstr("Malformed JSON"));
  const Status parquet = Error(Write("cut.parquet", "PAR1 and no more"));
  EXPECT_EQ(parquet.code(), Code::kDataLoss);
  EXPECT_THAT(parquet.message(), HasSubstr("cut off"));
}

TEST_F(FilesTest, NamesWhatIsNotThere) {
  Write("prices.csv", "item,price\ntea,2.5\n");
  EXPECT_EQ(Error(Path("pricse.csv")).code(), Code::kNotFound);
  EXPECT_THAT(Error(Path("pricse.csv")).message(), HasSubstr("Did you mean 'prices.csv'?"));
  EXPECT_EQ(Error(Path("*.parquet")).code(), Code::kNotFound);
  EXPECT_THAT(Error(Path("prices.csv?query=SELECT prise FROM data")).message(),
              AllOf(HasSubstr("'prise'"), HasSubstr("Did you mean 'price'?")));
  EXPECT_THAT(Error(Path("prices.csv?query=SELECT price FROM prices")).message(),
              HasSubstr("the table 'data'"));
  EXPECT_THAT(Error(Path("prices.csv?deliim=;")).message(), HasSubstr("Did you mean 'delim'?"));
}

TEST_F(FilesTest, RefusesWhatIsNotAQueryThatReads) {
  for (const char* query :
       {"COPY (SELECT 1) TO 'penstock_test.csv'", "CREATE TABLE t (a INT)", "SET threads = 1 ",
        "ATTACH 'x.db' AS x ", "INSTALL httpfs ", "LOAD 'x' ", "SELECT 1; SELECT 2", "SELECT ? "}) {
    EXPECT_EQ(Error(std::string("duckdb:?query=") + query).code(), Code::kInvalidArgument) << query;
  }
  EXPECT_FALSE(std::filesystem::exists("penstock_test.csv"));
}

TEST_F(FilesTest, NeitherDownloadsNorLoadsExtensions) {
  const Status status = Error("duckdb:?query=SELECT * FROM 'https://example.invalid/x.csv'");
  EXPECT_EQ(status.code(), Code::kUnimplemented) << status.ToString();
  Result<table::TableStream> settings = Read(
      "duckdb:?query=SELECT count(*) AS n FROM duckdb_settings() WHERE name IN "
      "('autoinstall_known_extensions', 'autoload_known_extensions') AND value = 'false'");
  EXPECT_EQ(table::CellAt(*settings->Next(), table::ColumnType::kInt64, 0, 0),
            table::Cell(int64_t{2}));
}

TEST_F(FilesTest, StopsWhenThePollSaysSo) {
  std::atomic<bool> is_over = false;
  Result<table::TableStream> stream = Read(
      "duckdb:?query=SELECT count(*) AS n FROM range(1000000) a, range(1000000) b WHERE a.range + "
      "b.range = -1",
      {.poll = [&] { return is_over ? Status(Code::kCancelled, "enough") : Status(); }});
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  is_over = true;
  EXPECT_EQ(stream->Next().status().message(), "enough");  // and returns at all
}

TEST_F(FilesTest, MayBeLetGoWithoutReadingIt) {
  Result<table::TableStream> unread = Read("duckdb:?query=SELECT range FROM range(100000000000)");
  ASSERT_TRUE(unread.ok());
  Result<table::TableStream> begun = Read("duckdb:?query=SELECT range FROM range(100000000000)");
  EXPECT_GT(begun->Next()->get()->length, 0);
}

TEST_F(FilesTest, TakesTheSitesOwnDuckdb) {
  setenv("PENSTOCK_DUCKDB", "/nowhere/libduckdb.so", 1);
  const Status status = Error("duckdb:?query=SELECT 1 ");
  unsetenv("PENSTOCK_DUCKDB");
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("'/nowhere/libduckdb.so'"), HasSubstr("PENSTOCK_DUCKDB")));
}

}  // namespace
}  // namespace penstock::data
