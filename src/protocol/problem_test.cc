// SPDX-License-Identifier: Apache-2.0
#include "protocol/problem.h"

#include <gtest/gtest.h>

#include "protocol/request_id.h"

namespace penstock::protocol {
namespace {

// RFC 6901, section 5: the pointers to the members "a/b", "m~n", " " and "".
TEST(Problem, EscapesPointersAsRfc6901Does) {
  const auto token = [](std::string_view name) {
    std::string pointer;
    AppendPointerToken(pointer, name);
    return pointer;
  };
  EXPECT_EQ(token("a/b"), "/a~1b");
  EXPECT_EQ(token("m~n"), "/m~0n");
  EXPECT_EQ(token(" "), "/ ");
  EXPECT_EQ(token(""), "/");
}

TEST(Problem, IsTheJsonOfRfc9457) {
  const Problem problem =
      ProblemFromStatus(InvalidArgument("column \"a\" is\x01 bad").At("/features/0/a"));
  EXPECT_EQ(
      ProblemBody(problem),
      R"({"type":"about:blank","title":"Unprocessable Content","status":422,"detail":"column \"a\" is\u0001 bad",)"
      R"("pointer":"/features/0/a"})");
  EXPECT_EQ(ProblemBody({.http_status = 404, .detail = "no"}),
            R"({"type":"about:blank","title":"Not Found","status":404,"detail":"no"})");
}

// docs/reference/errors.md, the column HTTP.
TEST(Problem, MapsCodesAsTheDocumentedTable) {
  EXPECT_EQ(HttpStatus(Code::kOk), 200);
  EXPECT_EQ(HttpStatus(Code::kCancelled), 499);
  EXPECT_EQ(HttpStatus(Code::kUnknown), 500);
  EXPECT_EQ(HttpStatus(Code::kInvalidArgument), 422);
  EXPECT_EQ(HttpStatus(Code::kDeadlineExceeded), 504);
  EXPECT_EQ(HttpStatus(Code::kNotFound), 404);
  EXPECT_EQ(HttpStatus(Code::kAlreadyExists), 409);
  EXPECT_EQ(HttpStatus(Code::kPermissionDenied), 403);
  EXPECT_EQ(HttpStatus(Code::kResourceExhausted), 429);
  EXPECT_EQ(HttpStatus(Code::kFailedPrecondition), 409);
  EXPECT_EQ(HttpStatus(Code::kAborted), 409);
  EXPECT_EQ(HttpStatus(Code::kOutOfRange), 400);
  EXPECT_EQ(HttpStatus(Code::kUnimplemented), 501);
  EXPECT_EQ(HttpStatus(Code::kInternal), 500);
  EXPECT_EQ(HttpStatus(Code::kUnavailable), 503);
  EXPECT_EQ(HttpStatus(Code::kDataLoss), 500);
  EXPECT_EQ(HttpStatus(Code::kUnauthenticated), 401);
}

class FixedClock final : public Clock {
 public:
  int64_t NowUs() const override { return 0x0123456789abcdef; }
  int64_t MonotonicNs() const override { return 0; }
};

TEST(RequestIds, HoldTimeReplicaLoopAndCounter) {
  const FixedClock clock;
  RequestIds ids(clock, 0xfeedbeef, 7);
  EXPECT_EQ(ids.Next().text(), "0123456789abcdeffeedbeef07000000");
  EXPECT_EQ(ids.Next().text(), "0123456789abcdeffeedbeef07000001");
}

}  // namespace
}  // namespace penstock::protocol
