// SPDX-License-Identifier: Apache-2.0
#include "protocol/json_cursor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>

namespace penstock::protocol {
namespace {

JsonNumber Number(const std::string& text) {
  JsonCursor cursor(text);
  JsonNumber number;
  EXPECT_TRUE(cursor.ReadNumber(number)) << text << ": " << cursor.fault();
  EXPECT_TRUE(cursor.is_at_end()) << text;
  return number;
}

TEST(JsonCursor, KeepsIntegersExact) {
  for (int64_t value :
       {int64_t{0}, int64_t{7}, int64_t{-1}, int64_t{9007199254740993}, int64_t{999999999999999999},
        std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    const JsonNumber number = Number(std::to_string(value));
    EXPECT_TRUE(number.is_integer);
    EXPECT_EQ(number.integer, value);
  }
}

TEST(JsonCursor, TakesIntegersBeyondInt64AsDoubles) {
  const JsonNumber number = Number("9223372036854775808");
  EXPECT_FALSE(number.is_integer);
  EXPECT_EQ(number.value, 9223372036854775808.0);
  EXPECT_EQ(Number("-123456789012345678901234567890").value, -123456789012345678901234567890.0);
}

TEST(JsonCursor, KeepsTheSignOfZero) {
  for (const char* text : {"-0", "-0.0", "-0e5", "-1e-400"}) {
    const JsonNumber number = Number(text);
    EXPECT_FALSE(number.is_integer) << text;
    EXPECT_TRUE(number.value == 0 && std::signbit(number.value)) << text;
  }
}

TEST(JsonCursor, TellsOverflowFromUnderflow) {
  for (const char* text : {"1e309", "-1e999", "1e99999999999", "17976931348623159e292",
                           "0.00001e400", "100000000000000000000000e300"}) {
    EXPECT_FALSE(Number(text).is_finite) << text;
  }
  for (const char* text : {"1e-400", "0e999999", "0.0000e99999", "1e-99999999999", "0.001e-330"}) {
    const JsonNumber number = Number(text);
    EXPECT_TRUE(number.is_finite && number.value == 0) << text;
  }
  EXPECT_EQ(Number("5e-324").value, 5e-324);
  EXPECT_EQ(Number("1.7976931348623157e308").value, 1.7976931348623157e308);
}

// The C library rounds correctly: every number must be the one that it reads.
TEST(JsonCursor, RoundsAsTheCLibraryDoes) {
  std::mt19937_64 random(7);
  std::string text;
  int quick_count = 0;
  for (int i = 0; i < 200'000; ++i) {
    text = random() % 2 ? "-" : "";
    const auto digits = [&](uint64_t count) {
      for (uint64_t d = 0; d < count; ++d) text += static_cast<char>('0' + random() % 10);
    };
    text += static_cast<char>('1' + random() % 9);
    digits(random() % 22);
    if (random() % 4) {
      text += '.';
      digits(1 + random() % 24);
    }
    if (random() % 3 == 0) text += "e" + std::to_string(static_cast<int>(random() % 640) - 330);
    const JsonNumber number = Number(text);
    const double expected = std::strtod(text.c_str(), nullptr);
    const std::string followed = text + ",";
    if (double quick = 0; JsonCursor(followed).ReadQuickNumber(quick)) {
      ++quick_count;
      EXPECT_EQ(quick, expected) << text;
    }
    if (number.is_integer) {
      EXPECT_EQ(number.integer, std::strtoll(text.c_str(), nullptr, 10)) << text;
    } else if (std::isinf(expected)) {
      EXPECT_FALSE(number.is_finite) << text;
    } else {
      EXPECT_EQ(number.value, expected) << text;
    }
  }
  EXPECT_GT(quick_count, 10'000);  // else nothing was compared
}

TEST(JsonCursor, LeavesWhatIsNotQuickToTheOtherReader) {
  for (const char* text : {"", "-", "-,", "01,", "1.,", ".5,", "1e5,", "1.5E5,",
                           "9007199254740993,", "x,", "\"1\",", "0.12345678901234567890,", "1"}) {
    double value = 7;
    JsonCursor cursor(text);
    EXPECT_FALSE(cursor.ReadQuickNumber(value)) << text;
    EXPECT_EQ(cursor.offset(), 0u);
  }
  double value = 0;
  EXPECT_TRUE(JsonCursor("-0,").ReadQuickNumber(value));
  EXPECT_TRUE(value == 0 && std::signbit(value));
  EXPECT_TRUE(JsonCursor("9007199254740992]").ReadQuickNumber(value));
  EXPECT_EQ(value, 9007199254740992.0);
}

std::string String(const std::string& text) {
  JsonCursor cursor(text);
  std::string_view value;
  std::string scratch;
  EXPECT_TRUE(cursor.ReadString(value, scratch)) << text << ": " << cursor.fault();
  return std::string(value);
}

TEST(JsonCursor, UndoesEscapes) {
  EXPECT_EQ(String(R"("plain")"), "plain");
  EXPECT_EQ(String(R"("a\"\\\/\b\f\n\r\tz")"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(String(R"("\u00e9\u20ac\uD834\uDD1E")"), "é€𝄞");
  EXPECT_EQ(String("\"é€𝄞\\u0041é\""), "é€𝄞Aé");
}

bool IsJson(std::string_view text) {
  JsonCursor cursor(text);
  return cursor.SkipValue(64) && cursor.is_at_end();
}

// Cases of JSONTestSuite (github.com/nst/JSONTestSuite), by its names y_ (must be read) and n_
// (must not).
constexpr const char* kJson[] = {"[123e65]",
                                 "[0e+1]",
                                 "[0e1]",
                                 "[ 4]",
                                 "[-0.000000000000000000000000000001]",
                                 "[20e1]",
                                 "[-0]",
                                 "[1E22]",
                                 "[1E-2]",
                                 "[123.456e78]",
                                 "{\"a\":\"b\",\"a\":\"b\"}",
                                 "{}",
                                 "{\"\":0}",
                                 "[[]   ]",
                                 "[null, 1, \"1\", {}]",
                                 "[1\n]",
                                 " [1]",
                                 "[1,null,null,null,2]",
                                 "[2] ",
                                 "[\"\\uDBFF\\uDFFF\"]",
                                 "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
                                 "[\"\\u0000\"]",
                                 "[\"\x7f\"]",
                                 "\"\"",
                                 "false",
                                 "42",
                                 "null",
                                 "[\"a\"]\n",
                                 "[\"\xe2\x80\xa8\"]",
                                 "[\"\xf4\x8f\xbf\xbf\"]"};

TEST(JsonCursor, ReadsWhatJsonTestSuiteSaysIsJson) {
  for (const char* text : kJson) {
    EXPECT_TRUE(IsJson(text)) << text;
  }
}

constexpr const char* kNotJson[] = {"[1 true]",
                                    "[a\xe5]",
                                    "[\"\": 1]",
                                    "[\"\"],",
                                    "[,1]",
                                    "[1,,2]",
                                    "[\"x\",,]",
                                    "[\"x\"]]",
                                    "[\"\",]",
                                    "[\"x\"",
                                    "[x",
                                    "[3[4]]",
                                    "[\xff]",
                                    "[1:2]",
                                    "[,]",
                                    "[-]",
                                    "[   , \"\"]",
                                    "[\"a\",\n4\n,1,",
                                    "[1,]",
                                    "[1,\n1\n,1",
                                    "[{}",
                                    "[fals]",
                                    "[nul]",
                                    "[tru]",
                                    "[++1234]",
                                    "[+1]",
                                    "[+Inf]",
                                    "[-01]",
                                    "[-1.0.]",
                                    "[-2.]",
                                    "[-NaN]",
                                    "[.-1]",
                                    "[.2e-3]",
                                    "[0.1.2]",
                                    "[0.3e+]",
                                    "[0.3e]",
                                    "[0.e1]",
                                    "[0E+]",
                                    "[0E]",
                                    "[0e+]",
                                    "[0e]",
                                    "[1.0e+]",
                                    "[1.0e-]",
                                    "[1.0e]",
                                    "[1 000.0]",
                                    "[1eE2]",
                                    "[2.e+3]",
                                    "[2.e-3]",
                                    "[2.e3]",
                                    "[9.e+]",
                                    "[Inf]",
                                    "[NaN]",
                                    "[1+2]",
                                    "[0x1]",
                                    "[0x42]",
                                    "[Infinity]",
                                    "[0e+-1]",
                                    "[-123.123foo]",
                                    "[-Infinity]",
                                    "[-foo]",
                                    "[- 1]",
                                    "[-012]",
                                    "[-.123]",
                                    "[-1x]",
                                    "[1ea]",
                                    "[1.]",
                                    "[.123]",
                                    "[1.2a-3]",
                                    "[1.8011670033376514H-308]",
                                    "[012]",
                                    "[\"x\", truth]",
                                    "{[: \"x\"}\n",
                                    "{\"x\", null}",
                                    "{\"x\"::\"b\"}",
                                    "{\"a\":\"a\" 123}",
                                    "{key: 'value'}",
                                    "{\"a\" b}",
                                    "{:\"b\"}",
                                    "{\"a\" \"b\"}",
                                    "{\"a\":",
                                    "{\"a\"",
                                    "{1:1}",
                                    "{null:null,null:null}",
                                    "{\"id\":0,,,,,}",
                                    "{'a':0}",
                                    "{\"id\":0,}",
                                    "{\"a\":\"b\"}/**/",
                                    "{\"a\":\"b\",,\"c\":\"d\"}",
                                    "{a: \"b\"}",
                                    "{\"a\":\"a",
                                    "{ \"foo\" : \"bar\", \"a\" }",
                                    "{\"a\":\"b\"}#",
                                    " ",
                                    "[\"\\uD800\\\"]",
                                    "[\"\\uD800\\u\"]",
                                    "[\"\\uD800\\u1x\"]",
                                    "[\"\\x00\"]",
                                    "[\"\\\\\\\"]",
                                    "[\"\\\t\"]",
                                    "[\"\\\"]",
                                    "[\"\\u00A\"]",
                                    "[\"\\uD834\\uDd\"]",
                                    "[\"\\uD800\\uD800\\x\"]",
                                    "[\"\\a\"]",
                                    "[\"\\uqqqq\"]",
                                    "[\"\\\xe5\"]",
                                    "[\\u0020\"asd\"]",
                                    "[\\n]",
                                    "\"",
                                    "['single quote']",
                                    "abc",
                                    "[\"\\",
                                    "[\"a\na\"]",
                                    "\"\\UA66D\"",
                                    "\"\"x",
                                    "[\"\t\"]",
                                    "<.>",
                                    "[<null>]",
                                    "[1]x",
                                    "[1]]",
                                    "[\"asd]",
                                    "a\xc3\xa5",
                                    "[True]",
                                    "1]",
                                    "{\"x\": true,",
                                    "[][]",
                                    "]",
                                    "{}}",
                                    "{\"\":",
                                    "{",
                                    "[",
                                    "*",
                                    "{\"a\":\"b\"}#{}",
                                    "[\"\\u00",
                                    "\xef\xbb\xbf{}",
                                    "[\"\xed\xa0\x80\"]",
                                    "[\"\xf4\xbf\xbf\xbf\"]",
                                    "[\"\xc0\xaf\"]",
                                    "[\"\x81\"]",
                                    "[\"\xe0\xff\"]",
                                    ""};

TEST(JsonCursor, RefusesWhatJsonTestSuiteSaysIsNot) {
  for (const char* text : kNotJson) {
    EXPECT_FALSE(IsJson(text)) << text;
  }
}

TEST(JsonCursor, BoundsDepthWithoutTheStack) {
  EXPECT_TRUE(IsJson(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(IsJson(std::string(65, '[') + std::string(65, ']')));
  EXPECT_FALSE(IsJson(std::string(1'000'000, '[')));
}

// Every prefix is read at most to its end: the sanitizers watch.
TEST(JsonCursor, NeverReadsBeyondTheEnd) {
  const std::string text = R"([{"a\u00e9€":[-1.5e+10,0.1,12,true,false,null,"\ud834\udd1e"]}])";
  for (size_t size = 0; size < text.size(); ++size) {
    const std::vector<char> copy(text.begin(), text.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(IsJson({copy.data(), copy.size()})) << size;
  }
  EXPECT_TRUE(IsJson(text));
}

}  // namespace
}  // namespace penstock::protocol
