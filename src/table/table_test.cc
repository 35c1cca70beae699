// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <thread>

#include "table/batch.h"
#include "table/cells.h"
#include "table/gather.h"
#include "table/ipc.h"
#include "table/stream.h"

namespace penstock::table {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<Field> kFields = {{"i", ColumnType::kInt64},
                                    {"f", ColumnType::kFloat64},
                                    {"b", ColumnType::kBool},
                                    {"s", ColumnType::kString},
                                    {"z", ColumnType::kBinary}};

std::string FileBytes(const std::string& name) {
  std::ifstream file(std::string(PENSTOCK_TESTDATA) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Gives the bytes a few at a time, as a pipe may.
ReadBytes From(std::string bytes, size_t at_once = 7) {
  return [bytes = std::move(bytes), at_once,
          at = size_t{0}](std::span<uint8_t> into) mutable -> Result<size_t> {
    const size_t count = std::min({into.size(), at_once, bytes.size() - at});
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(at), count, into.begin());
    at += count;
    return count;
  };
}

TableStream Stream(std::string bytes) {
  return TableStream(std::make_unique<IpcReader>(From(std::move(bytes))));
}

template <typename T>
T ValueAt(const Batch& batch, int64_t column, int64_t row) {
  return static_cast<const T*>(batch.get()->children[column]->buffers[1])[row];
}

bool IsNull(const Batch& batch, int64_t column, int64_t row) {
  const auto* bits = static_cast<const uint8_t*>(batch.get()->children[column]->buffers[0]);
  return bits != nullptr && (bits[row / 8] >> (row % 8) & 1) == 0;
}

std::string BytesAt(const Batch& batch, int64_t column, int64_t row) {
  const ArrowArray& array = *batch.get()->children[column];
  const auto* offsets = static_cast<const int32_t*>(array.buffers[1]);
  const auto* bytes = static_cast<const char*>(array.buffers[2]);
  return {bytes + offsets[row], bytes + offsets[row + 1]};
}

// The three rows that testdata/pyarrow_26.arrows holds.
Batch ThreeRows(BatchBuilder& builder) {
  builder.AppendInt64(0, 1);
  builder.AppendFloat64(1, 0.5);
  builder.AppendBool(2, true);
  builder.AppendBytes(3, "Zürich");
  builder.AppendBytes(4, std::string_view("\x00\xff", 2));
  builder.EndRow();
  for (size_t column = 0; column < 5; ++column) builder.AppendNull(column);
  builder.EndRow();
  builder.AppendInt64(0, std::numeric_limits<int64_t>::min());
  builder.AppendFloat64(1, std::numeric_limits<double>::infinity());
  builder.AppendBool(2, false);
  builder.AppendBytes(3, "");
  builder.AppendBytes(4, "");
  builder.EndRow();
  Result<Batch> batch = builder.Finish();
  EXPECT_TRUE(batch.ok()) << batch.status().ToString();
  return *std::move(batch);
}

void ExpectThreeRows(const Batch& batch) {
  ASSERT_EQ(batch.get()->length, 3);
  ASSERT_EQ(batch.get()->n_children, 5);
  for (int64_t column = 0; column < 5; ++column) {
    EXPECT_FALSE(IsNull(batch, column, 0)) << column;
    EXPECT_TRUE(IsNull(batch, column, 1)) << column;
    EXPECT_FALSE(IsNull(batch, column, 2)) << column;
    EXPECT_EQ(batch.get()->children[column]->null_count, 1) << column;
  }
  EXPECT_EQ(ValueAt<int64_t>(batch, 0, 0), 1);
  EXPECT_EQ(ValueAt<int64_t>(batch, 0, 2), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(ValueAt<double>(batch, 1, 0), 0.5);
  EXPECT_EQ(ValueAt<double>(batch, 1, 2), std::numeric_limits<double>::infinity());
  EXPECT_EQ(ValueAt<uint8_t>(batch, 2, 0) & 0b101, 0b001);
  EXPECT_EQ(BytesAt(batch, 3, 0), "Zürich");
  EXPECT_EQ(BytesAt(batch, 3, 2), "");
  EXPECT_EQ(BytesAt(batch, 4, 0), std::string("\x00\xff", 2));
}

TEST(BatchBuilder, MakesColumnsWithNulls) {
  BatchBuilder builder(kFields);
  ExpectThreeRows(ThreeRows(builder));
  EXPECT_EQ(builder.rows(), 0);
  ExpectThreeRows(ThreeRows(builder));  // and is ready for the next
}

TEST(BatchBuilder, IsFullByRowsOrByBytes) {
  BatchBuilder rows({{"i", ColumnType::kInt64}});
  for (int64_t row = 0; row + 1 < kBatchRowsMax; ++row) {
    rows.AppendInt64(0, row);
    rows.EndRow();
  }
  EXPECT_FALSE(rows.is_full());
  rows.AppendInt64(0, 0);
  rows.EndRow();
  EXPECT_TRUE(rows.is_full());

  BatchBuilder bytes({{"s", ColumnType::kString}});
  bytes.AppendBytes(0, std::string(static_cast<size_t>(kBatchBytesMax), 'x'));
  bytes.EndRow();
  EXPECT_TRUE(bytes.is_full());
}

// Whether each of the first `rows` values is there, as a text of 0 and 1.
std::string Presence(const Batch& batch, int64_t column, int64_t rows) {
  std::string text;
  for (int64_t row = 0; row < rows; ++row) text += IsNull(batch, column, row) ? '0' : '1';
  return text;
}

TEST(BatchBuilder, TakesColumnsByTheChunk) {
  BatchBuilder builder(
      {{"i", ColumnType::kInt32}, {"b", ColumnType::kBool}, {"s", ColumnType::kString}});
  const int32_t numbers[] = {1, 2, 3};
  const bool bools[] = {true, false, true};
  const std::string_view texts[] = {"", "", "Zürich"};
  const uint8_t bits[] = {0b1010'1000};  // from bit 3 on: 1, 0, 1
  const Validity some{.bits = bits, .offset = 3};
  for (const Validity& validity : {Validity{}, some, Validity{}, some}) {
    builder.AppendValues(0, numbers, validity, 3);
    builder.AppendBools(1, bools, validity, 3);
    builder.AppendTexts(2, texts, Validity{});
    builder.EndRows(3);
  }
  const Result<Batch> batch = builder.Finish();
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  EXPECT_EQ(batch->get()->length, 12);
  EXPECT_EQ(Presence(*batch, 0, 12), "111101111101");
  EXPECT_EQ(Presence(*batch, 1, 12), "111101111101");
  EXPECT_EQ(batch->get()->children[0]->null_count, 2);
  EXPECT_EQ(batch->get()->children[2]->null_count, 0);
  EXPECT_EQ(ValueAt<int32_t>(*batch, 0, 11), 3);
  EXPECT_EQ(ValueAt<uint8_t>(*batch, 1, 0), 0b0110'1101);
  EXPECT_EQ(ValueAt<uint8_t>(*batch, 1, 1), 0b0000'1011);
  EXPECT_EQ(BytesAt(*batch, 2, 11), "Zürich");
}

TEST(Gather, MakesOneBatchOfMany) {
  TableStream stream = Gather(Stream(FileBytes("pyarrow_26.arrows")));
  EXPECT_EQ(*stream.Fields(), kFields);
  Result<Batch> all = stream.Next();
  ASSERT_TRUE(all.ok()) << all.status().ToString();
  EXPECT_EQ(all->get()->length, 4);
  EXPECT_TRUE(stream.Next()->empty());
  EXPECT_EQ(Presence(*all, 3, 3), "101");
  EXPECT_EQ(BytesAt(*all, 3, 0), "Zürich");
  EXPECT_EQ(ValueAt<double>(*all, 1, 2), std::numeric_limits<double>::infinity());
}

TEST(Gather, PassesOnAnErrorInsteadOfAShorterTable) {
  std::string bytes = FileBytes("pyarrow_26.arrows");
  TableStream stream = Gather(Stream(bytes.substr(0, bytes.size() - 8)));
  EXPECT_EQ(stream.Next().status().code(), Code::kDataLoss);
  EXPECT_EQ(stream.Next().status().code(), Code::kDataLoss);
}

TEST(IpcReader, ReadsWhatPyarrowWrote) {
  TableStream stream = Stream(FileBytes("pyarrow_26.arrows"));
  EXPECT_EQ(*stream.Fields(), kFields);
  const Result<Batch> first = stream.Next();
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  ExpectThreeRows(*first);
  EXPECT_EQ(stream.Next()->get()->length, 1);
  EXPECT_TRUE(stream.Next()->empty());
}

TEST(IpcReader, NamesTheColumnOfATypeItDoesNotKnow) {
  TableStream stream = Stream(FileBytes("pyarrow_26_duration.arrows"));
  EXPECT_THAT(stream.Fields().status().message(),
              StartsWith("column 'd' has the Arrow format 'tDu'; 'int64', 'float64', 'bool'"));
}

TEST(IpcReader, RefusesAStreamThatIsCutOffAnywhere) {
  const std::string whole = FileBytes("pyarrow_26.arrows");
  for (size_t size = 0; size < whole.size(); ++size) {
    TableStream stream = Stream(whole.substr(0, size));
    Result<Batch> batch = stream.Next();
    while (batch.ok() && !batch->empty()) batch = stream.Next();
    ASSERT_FALSE(batch.ok()) << "cut off at " << size;
    EXPECT_EQ(batch.status().code(), Code::kDataLoss) << batch.status().ToString();
  }
}

TEST(IpcReader, PassesOnTheErrorOfWhatItReadsFrom) {
  TableStream stream(std::make_unique<IpcReader>([](std::span<uint8_t>) -> Result<size_t> {
    return Unavailable("the pipe is out of order");
  }));
  EXPECT_EQ(stream.Fields().status().message(), "the pipe is out of order");
}

TEST(IpcWriter, WritesWhatTheReaderReads) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::jthread writer([descriptor = ends[1]] {
    Result<IpcWriter> out = IpcWriter::Open(descriptor, kFields);
    BatchBuilder builder(kFields);
    EXPECT_TRUE(out->Write(ThreeRows(builder)).ok());
    EXPECT_TRUE(out->Write(ThreeRows(builder)).ok());
    EXPECT_TRUE(out->Finish().ok());
    close(descriptor);
  });
  TableStream stream(std::make_unique<IpcReader>(
      [descriptor = ends[0]](std::span<uint8_t> into) -> Result<size_t> {
        return static_cast<size_t>(read(descriptor, into.data(), into.size()));
      }));
  EXPECT_EQ(*stream.Fields(), kFields);
  ExpectThreeRows(*stream.Next());
  ExpectThreeRows(*stream.Next());
  EXPECT_TRUE(stream.Next()->empty());
  close(ends[0]);
}

TEST(IpcWriter, TellsThatTheReaderWentAway) {
  signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  const Result<IpcWriter> writer = IpcWriter::Open(ends[1], kFields);
  EXPECT_EQ(writer.status().code(), Code::kCancelled);
  close(ends[1]);
}

TEST(IpcWriter, TellsThatTheDiskIsFull) {
  const int descriptor = open("/dev/full", O_WRONLY | O_CLOEXEC);
  const Result<IpcWriter> writer = IpcWriter::Open(descriptor, kFields);
  EXPECT_EQ(writer.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(writer.status().message(), HasSubstr("No space left on device"));
  close(descriptor);
}

TEST(TableStream, IsExportedThroughTheCInterface) {
  TableStream stream = Stream(FileBytes("pyarrow_26.arrows"));
  const auto outcome = stream.outcome();
  ArrowArrayStream exported;
  std::move(stream).Export(&exported);

  OwnedSchema schema;
  ASSERT_EQ(exported.get_schema(&exported, schema.get()), 0);
  EXPECT_STREQ(schema.get()->format, "+s");
  EXPECT_STREQ(schema.get()->children[3]->format, "u");
  EXPECT_EQ(schema.get()->children[3]->flags & ARROW_FLAG_NULLABLE, ARROW_FLAG_NULLABLE);
  Batch first;
  ASSERT_EQ(exported.get_next(&exported, first.get()), 0);
  exported.release(&exported);
  EXPECT_EQ(exported.release, nullptr);
  ExpectThreeRows(first);  // outlives its stream
  EXPECT_TRUE(outcome->status().ok());
}

TEST(TableStream, KeepsTheStatusOfAnExportedStreamThatFails) {
  std::string bytes = FileBytes("pyarrow_26.arrows");
  TableStream stream = Stream(bytes.substr(0, bytes.size() - 8));
  const auto outcome = stream.outcome();
  ArrowArrayStream exported;
  std::move(stream).Export(&exported);
  for (int i = 0; i < 2; ++i) {
    Batch batch;
    ASSERT_EQ(exported.get_next(&exported, batch.get()), 0);
  }
  for (int i = 0; i < 2; ++i) {  // the error stays
    Batch batch;
    EXPECT_EQ(exported.get_next(&exported, batch.get()), EIO);
    EXPECT_STREQ(exported.get_last_error(&exported),
                 "the Arrow stream is cut off or damaged: it has no end");
  }
  exported.release(&exported);
  EXPECT_EQ(outcome->status().code(), Code::kDataLoss);
}

TEST(CellAt, GivesDatesAndTimesInIsoForm) {
  const std::vector<Field> fields = {{"d", ColumnType::kDate32},
                                     {"t", ColumnType::kTimestampUs},
                                     {"n", ColumnType::kTimestampNs},
                                     {"z", ColumnType::kTimestampUsUtc},
                                     {"o", ColumnType::kTimeUs}};
  BatchBuilder builder(fields);
  const int32_t days[] = {-1};
  const int64_t counts[] = {-500'000};
  const int64_t time_of_day[] = {3'723'000'001};
  builder.AppendValues(0, days, Validity{}, 1);
  builder.AppendValues(1, counts, Validity{}, 1);
  builder.AppendValues(2, counts, Validity{}, 1);
  builder.AppendValues(3, counts, Validity{}, 1);
  builder.AppendValues(4, time_of_day, Validity{}, 1);
  builder.EndRows(1);
  const Batch batch = *builder.Finish();
  const auto text = [&](size_t column) {
    return std::get<std::string>(
        CellAt(batch, fields[column].type, static_cast<int64_t>(column), 0));
  };
  EXPECT_EQ(text(0), "1969-12-31");
  EXPECT_EQ(text(1), "1969-12-31T23:59:59.5");
  EXPECT_EQ(text(2), "1969-12-31T23:59:59.9995");
  EXPECT_EQ(text(3), "1969-12-31T23:59:59.5Z");
  EXPECT_EQ(text(4), "01:02:03.000001");
}

// What a database may hold is shown, and never beyond what arithmetic bears.
TEST(CellAt, GivesInfiniteAndFarDatesAndTimes) {
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  constexpr int32_t kLastDay = std::numeric_limits<int32_t>::max();
  const auto text = []<typename T>(ColumnType type, T count) {
    BatchBuilder builder({{"c", type}});
    builder.AppendValues(0, &count, Validity{}, 1);
    builder.EndRows(1);
    return std::get<std::string>(CellAt(*builder.Finish(), type, 0, 0));
  };
  for (const ColumnType type :
       {ColumnType::kTimestampUs, ColumnType::kTimestampNs, ColumnType::kTimestampUsUtc}) {
    EXPECT_EQ(text(type, kLast), "infinity");
    EXPECT_EQ(text(type, -kLast), "-infinity");
  }
  EXPECT_EQ(text(ColumnType::kTimestampUs, kLast - 1), "294247-01-10T04:00:54.775806");
  EXPECT_EQ(text(ColumnType::kTimestampUs, -kLast - 1), "-290308-12-21T19:59:05.224192");
  EXPECT_EQ(text(ColumnType::kTimestampNs, -kLast - 1), "1677-09-21T00:12:43.145224192");
  EXPECT_EQ(text(ColumnType::kDate32, kLastDay), "infinity");
  EXPECT_EQ(text(ColumnType::kDate32, -kLastDay), "-infinity");
  EXPECT_EQ(text(ColumnType::kDate32, kLastDay - 1), "5881580-07-10");
  EXPECT_EQ(text(ColumnType::kDate32, 2'932'896 + 1), "10000-01-01");
  EXPECT_EQ(text(ColumnType::kDate32, -719'528), "0000-01-01");
}

// Table 3-7 of the Unicode standard.
TEST(Utf8, KnowsWellFormedSequences) {
  for (const char* text : {"", "plain ASCII, long enough for a word", "\xC2\x80", "\xDF\xBF",
                           "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "12345678\xC3\xBC"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  for (const char* text :
       {"\x80", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xEF\xBF", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "1234567\xFC"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
  EXPECT_TRUE(IsUtf8(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace penstock::table
