// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

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

// Comparing every name with every other would take a minute.
TEST(Parse, ReadsAnObjectOfManyMembersAndFindsTheOneThatStandsTwice) {
  std::string members;
  for (int i = 0; i < 300'000; ++i) members += "\"column" + std::to_string(i) + "\":1,";
  const auto begin = std::chrono::steady_clock::now();
  const auto value = Parse("{" + members + "\"last\":2}");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->if_object()->size(), 300'001U);
  EXPECT_EQ(*value->Int("last"), 2);
  EXPECT_EQ(Parse("{" + members + "\"column7\":2}").status().message(),
            "not valid JSON: member 'column7' stands twice in one object");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(Value, AMissingOrWrongMemberIsNamed) {
  const Value value = *Parse(R"({"a": "x"})");
  EXPECT_EQ(value.Int("a").status().message(), "member 'a' is a string; an integer was expected");
  EXPECT_EQ(value.Int("b").status().message(), "member 'b' is missing; an integer was expected");
}

TEST(Write, NumbersReadBackAsTheSameBits) {
  for (double number : {0.1, 1e300, 5e-324, -0.0, 123456789012345680.0, 1.0 / 3}) {
    const double read = Parse(Write(Value(number)))->number();
    EXPECT_EQ(std::bit_cast<uint64_t>(read), std::bit_cast<uint64_t>(number)) << number;
  }
  EXPECT_EQ(Write(Value(5.0)), "5.0");
  EXPECT_EQ(Write(Value(std::numeric_limits<double>::quiet_NaN())), "\"NaN\"");
  std::string single;
  AppendFloat(single, 0.1F);
  EXPECT_EQ(single, "0.1");
}

std::string Text(double number) {
  std::string text;
  AppendDouble(text, number);
  return text;
}

// The texts are what Python 3.11's repr gives.
TEST(Write, NumbersHaveTheFormOfPythonsRepr) {
  const std::vector<std::pair<double, std::string>> cases = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {5.0, "5.0"},
      {-2.5, "-2.5"},
      {100.0, "100.0"},
      {123456.789, "123456.789"},
      {0.3333333333333333, "0.3333333333333333"},
      {0.0001, "0.0001"},
      {0.00012345, "0.00012345"},
      {1e-05, "1e-05"},
      {1.5e-05, "1.5e-05"},
      {9007199254740992.0, "9007199254740992.0"},
      {9999999999999998.0, "9999999999999998.0"},
      {1e16, "1e+16"},
      {1.2345678901234568e17, "1.2345678901234568e+17"},
      {1e23, "1e+23"},
      {1e100, "1e+100"},
      {2.2250738585072014e-308, "2.2250738585072014e-308"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
  };
  for (const auto& [number, text] : cases) EXPECT_EQ(Text(number), text);
}

TEST(Write, NumbersAreAsShortAsTheStandardLibraryFindsThem) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const auto number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) continue;
    const std::string text = Text(number);
    double read = 0;
    std::from_chars(text.data(), text.data() + text.size(), read);
    ASSERT_EQ(std::bit_cast<uint64_t>(read), std::bit_cast<uint64_t>(number)) << text;
    std::array<char, 32> expected;
    const char* const end = std::to_chars(expected.data(), expected.data() + expected.size(),
                                          number, std::chars_format::scientific)
                                .ptr;
    const auto digits = [](std::string_view given) {
      given = given.substr(0, given.find('e'));
      return std::ranges::count_if(given, [](char c) { return c >= '0' && c <= '9'; });
    };
    const std::string_view shortest(expected.data(), end);
    const bool has_zeros_of_its_own = text.find('e') == std::string::npos;
    ASSERT_TRUE(has_zeros_of_its_own || digits(text) == digits(shortest)) << text;
  }
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
