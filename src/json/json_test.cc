// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "json/text.h"
#include "json/value.h"

namespace penstock::json {
namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendString(out, text);
  return out;
}

TEST(Parse, KeepsOrderAndExactIntegers) {
  const Value value = *Parse(R"({"b": 9007199254740993, "a": [1.5, null, true, "x"]})");
  EXPECT_EQ(*value.Int("b"), 9007199254740993);
  EXPECT_EQ(Write(value), R"({"b":9007199254740993,"a":[1.5,null,true,"x"]})");
}

TEST(Parse, RefusesWhatIsNotJson) {
  for (const char* text :
       {"", "{", "{\"a\":1,}", "[1 2]", "nul", "\"\xff\"", "1e999", "{\"a\":1,\"a\":2}", "[1] 2"}) {
    EXPECT_EQ(Parse(text).status().code(), Code::kInvalidArgument) << text;
  }
  EXPECT_FALSE(Parse(std::string(10000, '[') + std::string(10000, ']')).ok());
}

TEST(Value, AMissingOrWrongMemberIsNamed) {
  const Value value = *Parse(R"({"a": "x"})");
  EXPECT_EQ(value.Int("a").status().message(), "member 'a' is a string; an integer was expected");
  EXPECT_EQ(value.Int("b").status().message(), "member 'b' is missing; an integer was expected");
}

TEST(Write, NumbersReadBackAsTheSameBits) {
  for (double number : {0.1, 1e300, 5e-324, -0.0, 123456789012345680.0, 1.0 / 3}) {
    EXPECT_EQ(Parse(Write(Value(number)))->number(), number);
  }
  EXPECT_EQ(Write(Value(5.0)), "5.0");
  EXPECT_EQ(Write(Value(std::numeric_limits<double>::quiet_NaN())), "\"NaN\"");
  std::string single;
  AppendFloat(single, 0.1F);
  EXPECT_EQ(single, "0.1");
}

TEST(Write, StringsAreAlwaysValidJson) {
  EXPECT_EQ(Quoted("a\"\\\n\x01ü"), "\"a\\\"\\\\\\n\\u0001ü\"");
  EXPECT_EQ(Quoted("a\xff"), "\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(Quoted("\xed\xa0\x80"), Quoted("\xff\xff\xff"));
}

TEST(WritePretty, IndentsByTwo) {
  EXPECT_EQ(WritePretty(*Parse(R"({"a":[1],"b":{}})")),
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}\n");
}

}  // namespace
}  // namespace penstock::json
