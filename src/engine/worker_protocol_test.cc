// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace penstock::engine {
namespace {

using package::Type;
using testing::HasSubstr;

constexpr uint64_t kBytesMax = 1 << 20;

// An answer of two rows: labels and probabilities of two classes.
std::string Answer() {
  std::string bytes;
  FrameWriter writer(FrameKind::kAnswer, 7, 2, 2, bytes);
  writer.AddStrings(std::vector<std::string>{"no", "é"}, std::vector<uint8_t>{0, 1});
  writer.AddFloat64(std::vector<double>{0.75, 0.25, -0.0, 1});
  writer.Finish();
  return bytes;
}

Result<std::vector<FrameColumn>> Parse(std::string_view bytes) {
  const FrameHeader header = PENSTOCK_TRY(ParseFrameHeader(bytes, kBytesMax));
  return ParseFramePayload(header, bytes.substr(kFrameHeaderBytes));
}

template <typename T>
std::string With(std::string bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
  return bytes;
}

TEST(WorkerProtocol, AFrameIsTheBytesOfThePage) {
  std::string bytes;
  FrameWriter writer(FrameKind::kPredict, 0x0102030405060708, 2, 1, bytes);
  writer.AddInt64(std::vector<int64_t>{-1, 3}, std::vector<uint8_t>{0, 1});
  writer.Finish();
  using std::string_literals::operator""s;
  EXPECT_EQ(bytes,
            "PSWK\1\0\1\0\x08\7\6\5\4\3\2\1\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x30\0\0\0\0\0\0\0"s
            "\2\1\0\0\0\0\0\0\2\0\0\0\0\0\0\0\x12\0\0\0\0\0\0\0"s
            "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\3\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0"s);
}

TEST(WorkerProtocol, WhatWasWrittenIsRead) {
  const std::string bytes = Answer();
  const FrameHeader header = *ParseFrameHeader(bytes, kBytesMax);
  EXPECT_EQ(header.kind, FrameKind::kAnswer);
  EXPECT_EQ(header.id, 7U);
  EXPECT_EQ(header.rows, 2U);
  const std::vector<FrameColumn> columns = *Parse(bytes);
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(columns[0].type(), Type::kString);
  EXPECT_EQ(columns[0].String(0), "no");
  EXPECT_FALSE(columns[0].is_missing(0));
  EXPECT_EQ(columns[0].String(1), "é");
  EXPECT_TRUE(columns[0].is_missing(1));
  EXPECT_EQ(columns[1].count(), 4U);
  EXPECT_EQ(columns[1].Number(0), 0.75);
  EXPECT_TRUE(std::signbit(columns[1].Number(2)));
}

TEST(WorkerProtocol, NumbersOfEveryTypeAreRead) {
  std::string bytes;
  FrameWriter writer(FrameKind::kAnswer, 1, 1, 4, bytes);
  writer.AddBool(std::vector<int64_t>{1});
  writer.AddInt64(std::vector<int64_t>{std::numeric_limits<int64_t>::min()});
  writer.AddFloat32(std::vector<float>{0.1F});
  writer.AddStrings({});
  writer.Finish();
  const std::vector<FrameColumn> columns = *Parse(bytes);
  EXPECT_EQ(columns[0].Integer(0), 1);
  EXPECT_EQ(columns[1].Integer(0), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(columns[2].Number(0), static_cast<double>(0.1F));
  EXPECT_EQ(columns[3].count(), 0U);
}

TEST(WorkerProtocol, EveryShorterFrameIsRefused) {
  const std::string bytes = Answer();
  for (size_t size = kFrameHeaderBytes; size < bytes.size(); ++size) {
    EXPECT_FALSE(Parse(std::string_view(bytes).substr(0, size)).ok()) << size;
    // And where the header says that it is whole.
    const uint64_t payload = size - kFrameHeaderBytes;
    EXPECT_FALSE(Parse(With(bytes.substr(0, size), 32, payload)).ok()) << size;
  }
}

TEST(WorkerProtocol, AHeaderThatLiesIsRefused) {
  const std::string bytes = Answer();
  const auto refusal = [](const std::string& lie) { return Parse(lie).status().message(); };
  EXPECT_THAT(refusal(With(bytes, 0, 'X')), HasSubstr("does not begin with 'PSWK'"));
  EXPECT_THAT(refusal(With<uint16_t>(bytes, 4, 2)), HasSubstr("version 2; 1 was expected"));
  EXPECT_THAT(refusal(With<uint16_t>(bytes, 6, 0)), HasSubstr("kind is 0"));
  EXPECT_THAT(refusal(With<uint16_t>(bytes, 6, 6)), HasSubstr("kind is 6"));
  EXPECT_THAT(refusal(With<uint32_t>(bytes, 28, 1)), HasSubstr("reserved"));
  EXPECT_THAT(refusal(With<uint64_t>(bytes, 32, ~0ULL)), HasSubstr("at most 1048576"));
  EXPECT_THAT(refusal(With<uint32_t>(bytes, 24, ~0U)), HasSubstr("4294967295 columns"));
  EXPECT_THAT(refusal(With<uint32_t>(bytes, 24, 1)), HasSubstr("column 0"));
  EXPECT_THAT(refusal(With<uint32_t>(bytes, 24, 0)), HasSubstr("stand behind its columns"));
}

TEST(WorkerProtocol, AColumnThatLiesIsRefused) {
  const std::string bytes = Answer();
  const size_t entry = kFrameHeaderBytes;
  const size_t offsets = kFrameHeaderBytes + 2 * 24;
  const auto refusal = [](const std::string& lie) { return Parse(lie).status().message(); };
  EXPECT_THAT(refusal(With<uint8_t>(bytes, entry, 0)),
              HasSubstr("column 0: not a frame: its type"));
  EXPECT_THAT(refusal(With<uint8_t>(bytes, entry, 6)), HasSubstr("its type is 6"));
  EXPECT_THAT(refusal(With<uint8_t>(bytes, entry + 1, 2)), HasSubstr("a flag"));
  EXPECT_THAT(refusal(With<uint8_t>(bytes, entry + 7, 1)), HasSubstr("reserved"));
  for (const uint64_t count : {uint64_t{3}, uint64_t{5}, uint64_t{1} << 61, ~uint64_t{0}}) {
    EXPECT_FALSE(Parse(With(bytes, entry + 8, count)).ok()) << count;
    EXPECT_FALSE(Parse(With(bytes, entry + 24 + 8, count)).ok()) << count;
  }
  for (const uint64_t size : {uint64_t{0}, uint64_t{28}, uint64_t{1} << 40, ~uint64_t{0}})
    EXPECT_FALSE(Parse(With(bytes, entry + 16, size)).ok()) << size;
  EXPECT_THAT(refusal(With<uint64_t>(bytes, offsets, 1)), HasSubstr("offset of text 0 is 1"));
  EXPECT_THAT(refusal(With<uint64_t>(bytes, offsets + 8, 5)), HasSubstr("offset of text 1 is 5"));
  EXPECT_THAT(refusal(With<uint64_t>(bytes, offsets + 16, 1)), HasSubstr("offset of text 2 is 1"));
  EXPECT_THAT(refusal(With<uint64_t>(bytes, offsets + 16, 3)), HasSubstr("behind its last text"));
  EXPECT_THAT(refusal(With<uint8_t>(bytes, offsets + 24 + 3, 'x')), HasSubstr("is not UTF-8"));
}

TEST(WorkerProtocol, RowsAreWrittenColumnByColumnWithWhatIsMissing) {
  package::Signature signature{
      .task = package::Task::kRegression,
      .inputs = {{.name = "age", .type = Type::kInt64, .allows_missing = true},
                 {.name = "plan", .type = Type::kString, .allows_missing = true},
                 {.name = "is_new", .type = Type::kBool, .allows_missing = true},
                 {.name = "score", .type = Type::kFloat32, .allows_missing = true}}};
  package::Encoding encoding;
  const Type types[] = {Type::kInt64, Type::kString, Type::kInt64, Type::kFloat32};
  for (int i = 0; i < 4; ++i) {
    encoding.tensors.push_back({.name = signature.inputs[static_cast<size_t>(i)].name,
                                .type = types[i],
                                .columns = {i},
                                .marks_missing = true});
  }
  package::Tensors tensors(&signature, &encoding);
  tensors.Resize(2);
  for (int column = 0; column < 4; ++column) ASSERT_TRUE(tensors.SetMissing(0, column).ok());
  ASSERT_TRUE(tensors.SetInteger(1, 0, (int64_t{1} << 53) + 1).ok());
  ASSERT_TRUE(tensors.SetString(1, 1, "").ok());
  ASSERT_TRUE(tensors.SetBool(1, 2, true).ok());
  ASSERT_TRUE(tensors.SetNumber(1, 3, 0.1).ok());
  std::string bytes;
  WritePredictFrame(1, tensors, bytes);
  std::vector<FrameColumn> columns = *Parse(bytes);
  ASSERT_EQ(columns.size(), 4U);
  for (size_t column = 0; column < 3; ++column) {
    EXPECT_TRUE(columns[column].is_missing(0)) << column;
    EXPECT_FALSE(columns[column].is_missing(1)) << column;
  }
  EXPECT_TRUE(std::isnan(columns[3].Number(0)));
  EXPECT_EQ(columns[0].Integer(1), (int64_t{1} << 53) + 1);
  EXPECT_EQ(columns[1].String(1), "");
  EXPECT_EQ(columns[2].type(), Type::kBool);
  EXPECT_EQ(columns[3].Number(1), static_cast<double>(0.1F));

  // What was missing in the call before is not in this one.
  ASSERT_TRUE(tensors.SetNumber(0, 0, 3).ok());
  ASSERT_TRUE(tensors.SetString(0, 1, "basic").ok());
  ASSERT_TRUE(tensors.SetBool(0, 2, false).ok());
  WritePredictFrame(2, tensors, bytes);
  columns = *Parse(bytes);
  for (size_t column = 0; column < 3; ++column) EXPECT_FALSE(columns[column].is_missing(0));
}

}  // namespace
}  // namespace penstock::engine
