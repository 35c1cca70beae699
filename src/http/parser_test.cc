// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace penstock::http {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;

constexpr Limits kSmall = {.request_line_bytes_max = 64,
                           .header_bytes_max = 256,
                           .header_count_max = 8,
                           .body_bytes_max = 64};

// What a parse says, in a form that can be compared and printed.
struct Outcome {
  int status = 0;  // 0 needs more, 200 done, else the error's
  std::string method, path, query, body;
  size_t consumed = 0;
  bool keep_alive = false;
  std::string detail;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& o) {
  return out << o.status << " " << o.method << " " << o.path << "?" << o.query << " [" << o.body
             << "] rest " << o.consumed << " keep_alive " << o.keep_alive << " " << o.detail;
}

// Feeds text in pieces of `piece` bytes, through a buffer that moves with each piece.
Outcome Feed(std::string_view text, size_t piece, const Limits& limits = kSmall) {
  Parser parser(limits);
  std::string buffer;
  size_t fed = 0;
  Parser::Outcome outcome = Parser::Outcome::kNeedMore;
  while (outcome == Parser::Outcome::kNeedMore && fed < text.size()) {
    const std::string_view next = text.substr(fed, piece);
    fed += next.size();
    std::string moved;
    moved.append(buffer).append(next);
    size_t size = moved.size();
    outcome = parser.Parse(moved.data(), size);
    moved.resize(size);
    buffer.swap(moved);
  }
  if (outcome == Parser::Outcome::kNeedMore) return {};
  if (outcome == Parser::Outcome::kFailed) {
    return {.status = parser.error().status, .detail = parser.error().detail};
  }
  const Request& r = parser.request();
  const std::string_view rest = text.substr(fed);
  return {.status = 200,
          .method = std::string(r.method),
          .path = std::string(r.path),
          .query = std::string(r.query),
          .body = std::string(r.body),
          .consumed = buffer.size() - parser.consumed() + rest.size(),
          .keep_alive = parser.keep_alive()};
}

Outcome Feed(std::string_view text) { return Feed(text, text.size()); }

struct Case {
  std::string name;
  std::string text;
  int status;
  std::string detail;  // a part of it, or for 200 the body
};

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n";
const std::string kPost = "POST /p HTTP/1.1\r\nHost: a\r\n";
const std::string kChunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";

// Sources: RFC 9110, RFC 9112 by section, and the request smuggling set of PortSwigger ("HTTP
// desync attacks").
const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"Get", kGet + "\r\n", 200, ""},
      {"SizedBody", kPost + "Content-Length: 5\r\n\r\nhello", 200, "hello"},
      {"EmptyLineBefore", "\r\n" + kGet + "\r\n", 200, ""},
      {"TwoEmptyLinesBefore", "\r\n\r\n" + kGet + "\r\n", 400, "empty line"},
      {"LowerCaseNames", "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi", 200, "hi"},
      {"WhiteSpaceAroundValues", "POST / HTTP/1.1\r\nHost:\t a \r\nContent-Length:  2 \t\r\n\r\nhi",
       200, "hi"},
      {"EmptyHeaderValue", kGet + "X:\r\n\r\n", 200, ""},
      {"ObsoleteText", kGet + "X: caf\xe9\r\n\r\n", 200, ""},
      {"OptionsStar", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200, ""},
      {"Http10WithoutHost", "GET / HTTP/1.0\r\n\r\n", 200, ""},
      {"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 200, ""},
      {"IncompleteLine", "GET / HT", 0, ""},
      {"IncompleteHeaders", kGet, 0, ""},
      {"IncompleteBody", kPost + "Content-Length: 5\r\n\r\nhell", 0, ""},

      // Request line (9112, section 3)
      {"BareLfAfterRequestLine", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "LF alone"},
      {"BareLfAfterHeader", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "LF alone"},
      {"BareLfAtEnd", kGet + "\n", 400, "LF alone"},
      {"BareCrInRequestLine", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
      {"BareCrInHeader", kGet + "X: a\rb\r\n\r\n", 400, "control character"},
      {"TwoSpaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
      {"NoVersion", "GET /\r\nHost: a\r\n\r\n", 400, "single spaces"},
      {"SpaceAtEnd", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "HTTP version"},
      {"LowerCaseVersion", "GET / http/1.1\r\nHost: a\r\n\r\n", 400, "HTTP version"},
      {"LongVersion", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400, "HTTP version"},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1"},
      {"Http12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"},
      {"Http09", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"},
      {"MethodWithColon", "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method"},
      {"LeadingSpace", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "does not begin with a method"},
      {"TlsHello", "\x16\x03\x01\x02\x00\x01"s, 400, "TLS"},
      {"TargetWithNul", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"s, 400, "target"},
      {"TargetWithHighByte", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
      {"TargetWithFragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
      {"TargetWithoutSlash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "'/'"},
      {"StarForGet", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "OPTIONS"},
      {"AbsoluteWithUser", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400,
       "host in the request target"},
      {"AbsoluteWithoutHost", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400,
       "host in the request target"},
      {"OtherScheme", "GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400, "'/'"},
      {"Connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, "CONNECT"},

      // Headers (9112, section 5; 9110, section 5.5)
      {"SpaceBeforeColon", kGet + "X : a\r\n\r\n", 400, "name: value"},
      {"NoColon", kGet + "X\r\n\r\n", 400, "name: value"},
      {"EmptyName", kGet + ": a\r\n\r\n", 400, "name: value"},
      {"NameWithBrackets", kGet + "X[]: a\r\n\r\n", 400, "name: value"},
      {"Folding", kGet + "X: a\r\n b\r\n\r\n", 400, "folding"},
      {"FoldedFirstLine", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "folding"},
      {"NulInValue", kGet + "X: a\0b\r\n\r\n"s, 400, "control character"},
      {"DeleteInValue", kGet + "X: a\x7f\r\n\r\n", 400, "control character"},
      {"ControlInLongValue", kGet + "X: aaaaaaaaaaaaaaaa\x01\r\n\r\n", 400, "control character"},
      {"NoHost", "GET / HTTP/1.1\r\n\r\n", 400, "Host header is missing"},
      {"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "two Host"},
      {"HostWithSlash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host header"},
      {"HostWithUser", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "Host header"},
      {"OtherExpectation", kGet + "Expect: tea\r\n\r\n", 417, "100-continue"},

      // Framing (9112, section 6)
      {"TwoLengths", kPost + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400,
       "two Content-Length"},
      {"TwoEqualLengths", kPost + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400,
       "two Content-Length"},
      {"LengthList", kPost + "Content-Length: 5, 5\r\n\r\nhello", 400, "decimal digits"},
      {"SignedLength", kPost + "Content-Length: +5\r\n\r\nhello", 400, "decimal digits"},
      {"NegativeLength", kPost + "Content-Length: -1\r\n\r\n", 400, "decimal digits"},
      {"HexLength", kPost + "Content-Length: 0x5\r\n\r\nhello", 400, "decimal digits"},
      {"FractionLength", kPost + "Content-Length: 5.0\r\n\r\nhello", 400, "decimal digits"},
      {"EmptyLength", kPost + "Content-Length:\r\n\r\n", 400, "decimal digits"},
      {"LengthOverflow", kPost + "Content-Length: 18446744073709551617\r\n\r\n", 413,
       "body_bytes_max = 64"},
      {"LengthAboveLimit", kPost + "Content-Length: 65\r\n\r\n", 413, "body_bytes_max = 64"},
      {"LengthAtLimit", kPost + "Content-Length: 64\r\n\r\n" + std::string(64, 'x'), 200,
       std::string(64, 'x')},
      {"BothLengths", kPost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400, "ambiguous"},
      {"BothLengthsTurned",
       kPost + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400,
       "ambiguous"},
      {"ChunkedIn10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
       "HTTP/1.0"},
      {"Gzip", kPost + "Transfer-Encoding: gzip\r\n\r\n", 501, "transfer coding"},
      {"GzipChunked", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer coding"},
      {"Identity", kPost + "Transfer-Encoding: identity\r\n\r\n", 501, "transfer coding"},
      {"ChunkedNotLast", kPost + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400, "not the last"},
      {"ChunkedTwice", kPost + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, "not the last"},
      {"TwoTransferEncodings",
       kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "two"},
      {"TransferEncodingVerticalTab",
       kPost + "Transfer-Encoding: \x0b"
               "chunked\r\n\r\n",
       400, "control character"},
      {"TransferEncodingSpaceBeforeColon", kPost + "Transfer-Encoding : chunked\r\n\r\n", 400,
       "name: value"},
      {"ChunkedUpperCase", kPost + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200, ""},

      // Chunks (9112, section 7.1)
      {"Chunks", kChunked + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 200, "hello world"},
      {"ChunkUpperHex", kChunked + "A\r\n0123456789\r\n0\r\n\r\n", 200, "0123456789"},
      {"ChunkLeadingZeros", kChunked + "0005\r\nhello\r\n000\r\n\r\n", 200, "hello"},
      {"ChunkExtension", kChunked + "5;a=b;c=\"d;e\"\r\nhello\r\n0;x\r\n\r\n", 200, "hello"},
      {"ChunkSpaceExtension", kChunked + "5 ; a\r\nhello\r\n0\r\n\r\n", 200, "hello"},
      {"ChunkTrailers", kChunked + "5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n", 200,
       "hello"},
      {"ChunkedIncomplete", kChunked + "5\r\nhello\r\n0\r\n", 0, ""},
      {"ChunkNoSize", kChunked + "\r\nhello\r\n0\r\n\r\n", 400, "hexadecimal"},
      {"ChunkPrefixed", kChunked + "0x5\r\nhello\r\n0\r\n\r\n", 400, "hexadecimal"},
      {"ChunkNegative", kChunked + "-5\r\nhello\r\n0\r\n\r\n", 400, "hexadecimal"},
      {"ChunkTrailingWord", kChunked + "5 a\r\nhello\r\n0\r\n\r\n", 400, "hexadecimal"},
      {"ChunkSpaceBefore", kChunked + " 5\r\nhello\r\n0\r\n\r\n", 400, "hexadecimal"},
      {"ChunkManyDigits", kChunked + "FFFFFFFFFFFFFFFFF\r\n", 400, "too many digits"},
      {"ChunkSizeTooSmall", kChunked + "4\r\nhello\r\n0\r\n\r\n", 400, "not followed by CRLF"},
      {"ChunkSizeTooLarge", kChunked + "6\r\nhello\r\n0\r\n\r\n", 400, "not followed by CRLF"},
      {"ChunkBareLf", kChunked + "5\nhello\r\n0\r\n\r\n", 400, "LF alone"},
      {"ChunkDataBareLf", kChunked + "5\r\nhello\n0\r\n\r\n", 400, "not followed by CRLF"},
      {"ChunkExtensionControl", kChunked + "5;a\x01\r\nhello\r\n0\r\n\r\n", 400, "hexadecimal"},
      {"ChunksAboveLimit", kChunked + "30\r\n" + std::string(0x30, 'x') + "\r\n11\r\n", 413,
       "body_bytes_max = 64"},
      {"ChunkHuge", kChunked + "FFFFFFFFFFFFFFF\r\n", 413, "body_bytes_max = 64"},
      {"TrailerFolded", kChunked + "0\r\n X: 1\r\n\r\n", 400, "folding"},
      {"TrailerBareLf", kChunked + "0\r\nX: 1\n\r\n", 400, "LF alone"},

      // Limits
      {"LineAtLimit", "GET /" + std::string(50, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 200, ""},
      {"LineAboveLimit", "GET /" + std::string(51, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414,
       "request_line_bytes_max = 64"},
      {"LineWithoutEnd", "GET /" + std::string(500, 'a'), 414, "request_line_bytes_max = 64"},
      // "Host: a\r\n" has 9 bytes, "X: \r\n" 5
      {"HeadersAtLimit", kGet + "X: " + std::string(242, 'a') + "\r\n\r\n", 200, ""},
      {"HeadersAboveLimit", kGet + "X: " + std::string(243, 'a') + "\r\n\r\n", 431,
       "header_bytes_max = 256"},
      {"HeaderWithoutEnd", kGet + "X: " + std::string(500, 'a'), 431, "header_bytes_max = 256"},
      {"HeadersInManyLines",
       kGet + "X: " + std::string(120, 'a') + "\r\nY: " + std::string(120, 'a') + "\r\n\r\n", 431,
       "header_bytes_max = 256"},
      {"CountAtLimit", kGet + "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\n\r\n", 200, ""},
      {"CountAboveLimit", kGet + "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\n\r\n", 431,
       "header_count_max = 8"},
      {"TrailersAboveLimit", kChunked + "0\r\nX: " + std::string(300, 'a') + "\r\n\r\n", 431,
       "header_bytes_max = 256"},
      {"TrailerCount", kChunked + "0\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\n\r\n", 431,
       "header_count_max = 8"},
  };
  return cases;
}

class ParserCase : public ::testing::TestWithParam<Case> {};

TEST_P(ParserCase, HasTheExpectedOutcome) {
  const Outcome outcome = Feed(GetParam().text);
  EXPECT_EQ(outcome.status, GetParam().status) << outcome;
  if (outcome.status == 200) {
    EXPECT_EQ(outcome.body, GetParam().detail);
  } else {
    EXPECT_THAT(outcome.detail, HasSubstr(GetParam().detail));
  }
}

TEST_P(ParserCase, DoesNotDependOnHowTheBytesArrive) {
  const std::string text =
      GetParam().text + (GetParam().status == 200 ? "GET /next HTTP/1.1\r\n" : "");
  const Outcome whole = Feed(text);
  for (const size_t piece : {1, 2, 3, 7, 31})
    EXPECT_EQ(Feed(text, piece), whole) << "in pieces of " << piece;
}

INSTANTIATE_TEST_SUITE_P(Cases, ParserCase, ::testing::ValuesIn(Cases()),
                         [](const auto& test) { return test.param.name; });

TEST(Parser, SplitsTheTarget) {
  const Outcome outcome = Feed("GET /a/b%20c?x=1?y=/2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(outcome.path, "/a/b%20c");
  EXPECT_EQ(outcome.query, "x=1?y=/2");
}

TEST(Parser, AcceptsAbsoluteTargets) {
  EXPECT_EQ(Feed("GET HTTP://a:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n").path, "/x");
  EXPECT_EQ(Feed("GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n").path, "/");
  EXPECT_EQ(Feed("GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n").query, "y");
}

TEST(Parser, KnowsWhetherTheConnectionStays) {
  const std::string get10 = "GET / HTTP/1.0\r\n";
  EXPECT_TRUE(Feed(kGet + "\r\n").keep_alive);
  EXPECT_FALSE(Feed(kGet + "Connection: Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(Feed(kGet + "Connection: x , close\r\n\r\n").keep_alive);
  EXPECT_FALSE(Feed(kGet + "Connection: x\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_TRUE(Feed(kGet + "Connection: closed\r\n\r\n").keep_alive);
  EXPECT_FALSE(Feed(get10 + "\r\n").keep_alive);
  EXPECT_TRUE(Feed(get10 + "Connection: keep-alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(Feed(get10 + "Connection: keep-alive, close\r\n\r\n").keep_alive);
}

TEST(Parser, LeavesTheNextRequestInPlace) {
  std::string data = kChunked + "3\r\nabc\r\n0\r\n\r\n" + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
  size_t size = data.size();
  Parser parser(kSmall);
  ASSERT_EQ(parser.Parse(data.data(), size), Parser::Outcome::kDone);
  EXPECT_EQ(parser.request().body, "abc");
  const size_t consumed = parser.consumed();
  parser.Reset();
  size -= consumed;
  ASSERT_EQ(parser.Parse(data.data() + consumed, size), Parser::Outcome::kDone);
  EXPECT_EQ(parser.request().path, "/second");
  EXPECT_EQ(parser.consumed(), size);
}

TEST(Parser, RefusesMoreFramingThanData) {
  std::string text = kChunked;
  for (int i = 0; i < 60; ++i) text += "1;" + std::string(900, 'x') + "\r\na\r\n";
  EXPECT_THAT(Feed(text).detail, HasSubstr("far more framing than data"));
  EXPECT_EQ(Feed(text, 100), Feed(text));
  EXPECT_THAT(Feed(kChunked + "1;" + std::string(1100, 'x')).detail, HasSubstr("1024 bytes"));
}

TEST(Parser, KeepsAChunkedBodyInLittleMemory) {
  const Limits limits = {.body_bytes_max = 100'000};
  Parser parser(limits);
  std::string buffer = kChunked;
  buffer.reserve(600'000);
  size_t size = buffer.size();
  size_t size_max = 0;
  Parser::Outcome outcome = parser.Parse(buffer.data(), size);
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_EQ(outcome, Parser::Outcome::kNeedMore);
    constexpr std::string_view kChunk = "1\r\na\r\n";
    kChunk.copy(buffer.data() + size, kChunk.size());
    size += kChunk.size();
    outcome = parser.Parse(buffer.data(), size);
    size_max = std::max(size_max, size);
  }
  EXPECT_LT(size_max, 50'000 + 200U);
  EXPECT_EQ(parser.body_bytes(), 50'000U);
}

TEST(Parser, FindsHeadersWithoutCase) {
  std::string data = kGet + "X-Request-Id:  7 \r\nx-request-id: 8\r\n\r\n";
  size_t size = data.size();
  Parser parser(kSmall);
  ASSERT_EQ(parser.Parse(data.data(), size), Parser::Outcome::kDone);
  EXPECT_EQ(parser.request().Header("x-REQUEST-id"), "7");
  EXPECT_EQ(parser.request().Header("x-request"), std::nullopt);
}

TEST(PercentDecode, UndoesEscapesAndRefusesWhatIsNone) {
  std::string out;
  EXPECT_TRUE(PercentDecode("a%2Fb%c3%A4+c", out));
  EXPECT_EQ(out, "a/b\xc3\xa4+c");
  for (const std::string_view bad : {"%", "%2", "%2g", "a%00b", "%%41"})
    EXPECT_FALSE(PercentDecode(bad, out)) << bad;
}

}  // namespace
}  // namespace penstock::http
