// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>

#include "base/digest.h"
#include "base/ids.h"
#include "base/names.h"
#include "base/result.h"
#include "base/utf8.h"

namespace penstock {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return InvalidArgument("odd");
  return n / 2;
}

Result<int> Quarter(int n) { return PENSTOCK_TRY(Half(PENSTOCK_TRY(Half(n)))); }

Status Check(int n) {
  PENSTOCK_TRY(Half(n));
  return {};
}

TEST(Result, TryPassesTheValueOnAndReturnsTheError) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
  EXPECT_TRUE(Check(2).ok());
  EXPECT_EQ(Check(1).code(), Code::kInvalidArgument);
}

TEST(ResultDeathTest, ReadingTheValueOfAnErrorEndsTheProcess) {
  EXPECT_DEATH(static_cast<void>(*Half(1)), "check failed");
}

TEST(Status, KeepsItsMessagePointerAndException) {
  const Status status = InvalidArgument("bad").At("/features/0").Prefixed("row 3");
  EXPECT_EQ(status.ToString(), "INVALID_ARGUMENT: row 3: bad");
  EXPECT_EQ(status.pointer(), "/features/0");
  const Status raised = Status::FromException(std::make_exception_ptr(7), "seven");
  EXPECT_THROW(std::rethrow_exception(raised.exception()), int);
}

TEST(Status, MapsErrnoToTheCodeACallerCanActOn) {
  EXPECT_EQ(FromErrno(ENOSPC, "write").code(), Code::kResourceExhausted);
  EXPECT_EQ(FromErrno(EROFS, "write").code(), Code::kPermissionDenied);
  EXPECT_EQ(FromErrno(ENOENT, "open 'x'").message(), "open 'x': No such file or directory");
}

// FIPS 180-4 examples, as NIST publishes them.
TEST(Digest, IsSha256) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  pieces.Update("a");
  pieces.Update("bc");
  EXPECT_EQ(pieces.FinishHex(), Sha256Hex("abc"));
  EXPECT_TRUE(IsSha256Hex(Sha256Hex("")));
  EXPECT_FALSE(IsSha256Hex("../../etc/passwd"));
}

TEST(Ids, DifferAndHave32HexDigits) {
  EXPECT_EQ(NewId().size(), 32u);
  EXPECT_NE(NewId(), NewId());
}

TEST(Names, SuggestsTheNearestWordOnly) {
  const std::vector<std::string> columns = {"age", "income", "tenure"};
  EXPECT_EQ(NearestName("incme", columns), "income");
  EXPECT_EQ(NearestName("zzzzzz", columns), "");
  EXPECT_EQ(DidYouMean("tenur", columns), " Did you mean 'tenure'?");
  EXPECT_EQ(QuotedList(columns, 2), "'age', 'income' and 1 more");
}

TEST(Names, SuggestNothingForAWordThatIsNoSlipOfTheHand) {
  const std::string column(300, 'a');
  EXPECT_EQ(NearestName(std::string(200, 'a'), {{std::string(200, 'a') + "b"}}),
            std::string(200, 'a') + "b");
  EXPECT_EQ(NearestName(column + "b", {&column, 1}), "");
}

TEST(Names, AreShownCutBetweenCharacters) {
  EXPECT_EQ(ShownName(std::string(200, 'a')), std::string(200, 'a'));
  EXPECT_EQ(ShownName(std::string(201, 'a')), std::string(200, 'a') + "...");
  EXPECT_EQ(ShownName(std::string(198, 'a') + "\u20ac!"), std::string(198, 'a') + "...");
  EXPECT_EQ(ShownName(std::string(197, 'a') + "\u20ac!"), std::string(197, 'a') + "\u20ac...");
}

// The table of Unicode, chapter 3.9, "Well-Formed UTF-8 Byte Sequences".
TEST(Utf8, SequencesAreThoseOfUnicode) {
  for (const std::string_view text : {"a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                      "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(Utf8SequenceLength(text), text.size()) << text;
    if (text.size() > 1) {
      EXPECT_EQ(Utf8SequenceLength(text.substr(0, text.size() - 1)), 0U) << text;
    }
  }
  for (const std::string_view text :
       {"\x80", "\xC1\xBF", "\xC2\x41", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(Utf8SequenceLength(text), 0U) << text;
  }
}

}  // namespace
}  // namespace penstock
