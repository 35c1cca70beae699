// SPDX-License-Identifier: Apache-2.0
#include "package/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "package/features.h"

namespace penstock::package {
namespace {

using testing::HasSubstr;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  explicit Case(std::vector<Input> inputs, std::vector<Type> tensor_types,
                Limits limits = Limits::kRefuse)
      : signature{.inputs = std::move(inputs)},
        tensors((Plan(tensor_types), &signature), &encoding, limits) {
    tensors.Resize(1);
  }

  void Plan(const std::vector<Type>& types) {
    for (size_t i = 0; i < types.size(); ++i) {
      encoding.tensors.push_back({signature.inputs[i].name, types[i], {static_cast<int>(i)}});
    }
  }

  Signature signature;
  Encoding encoding;
  Tensors tensors;
};

Case OneColumn(Input input, Type tensor, Limits limits = Limits::kRefuse) {
  return Case({std::move(input)}, {tensor}, limits);
}

TEST(Tensors, NumbersAreConvertedToTheTensorsType) {
  Case test({{.name = "a"},
             {.name = "b"},
             {.name = "c", .type = Type::kInt64},
             {.name = "d", .type = Type::kFloat32}},
            {Type::kFloat64, Type::kFloat32, Type::kInt64, Type::kFloat64});
  for (int column : {0, 1, 3}) ASSERT_TRUE(test.tensors.SetNumber(0, column, 0.1).ok());
  ASSERT_TRUE(test.tensors.SetNumber(0, 2, 5.0).ok());
  EXPECT_EQ(test.tensors.tensors()[0].float64[0], 0.1);
  EXPECT_EQ(test.tensors.tensors()[1].float32[0], 0.1F);
  EXPECT_EQ(test.tensors.tensors()[2].int64[0], 5);
  EXPECT_EQ(test.tensors.tensors()[3].float64[0], static_cast<double>(0.1F))
      << "the original was given a float32";
}

TEST(Tensors, IntegersBeyondDoubleStayExactInIntegerTensors) {
  Case test({{.name = "n", .type = Type::kInt64}, {.name = "x"}, {.name = "f"}},
            {Type::kInt64, Type::kFloat64, Type::kFloat32});
  constexpr int64_t kBig = 9007199254740993;  // 2^53 + 1
  for (int column : {0, 1, 2}) ASSERT_TRUE(test.tensors.SetInteger(0, column, kBig).ok());
  EXPECT_EQ(test.tensors.tensors()[0].int64[0], kBig);
  EXPECT_EQ(test.tensors.tensors()[1].float64[0], 9007199254740992.0);
  EXPECT_EQ(test.tensors.tensors()[2].float32[0], 9007199254740992.0F);
}

TEST(Tensors, AFractionIsNoInteger) {
  for (const Type tensor : {Type::kInt64, Type::kFloat64, Type::kFloat32}) {
    Case test = OneColumn({.name = "n", .type = Type::kInt64}, tensor);
    EXPECT_EQ(test.tensors.SetNumber(0, 0, 5.5).message(),
              "column 'n' is 5.5; an integer was expected");
    EXPECT_EQ(test.tensors.SetNumber(0, 0, 1e300).message(),
              "column 'n' is 1e+300; an integer from -2^63 to 2^63 - 1 was expected");
    EXPECT_TRUE(test.tensors.SetNumber(0, 0, -3.0).ok());
  }
}

TEST(Tensors, MissingIsRefusedOrStoredAsNaN) {
  Case refuses = OneColumn({.name = "age", .missing_reason = "the original: Input X contains NaN."},
                           Type::kFloat64);
  EXPECT_EQ(refuses.tensors.SetMissing(0, 0).message(),
            "column 'age' is missing (null); a number was expected (the original: Input X contains "
            "NaN.)");
  EXPECT_EQ(refuses.tensors.SetNumber(0, 0, kNan).code(), Code::kInvalidArgument);
  for (const Type type : {Type::kFloat64, Type::kFloat32}) {
    Case allows = OneColumn({.name = "age", .type = type, .allows_missing = true}, Type::kFloat64);
    ASSERT_TRUE(allows.tensors.SetMissing(0, 0).ok());
    EXPECT_TRUE(std::isnan(allows.tensors.tensors()[0].float64[0]));
  }
  Case integers =
      OneColumn({.name = "n", .type = Type::kInt64, .allows_missing = true}, Type::kInt64);
  EXPECT_THAT(integers.tensors.SetMissing(0, 0).message(),
              HasSubstr("the engine has no missing integers"));
  Case strings =
      OneColumn({.name = "s", .type = Type::kString, .allows_missing = true}, Type::kString);
  ASSERT_TRUE(strings.tensors.SetString(0, 0, "x").ok());
  ASSERT_TRUE(strings.tensors.SetMissing(0, 0).ok());
  EXPECT_EQ(strings.tensors.tensors()[0].strings[0], "");
}

TEST(Tensors, ABoundTellsItsReason) {
  const Input original{
      .name = "x",
      .abs_max = Bound{3.4e38, true, "the original refuses it (Input X contains infinity)"}};
  Case refused = OneColumn(original, Type::kFloat64, Limits::kAnswerBeyond);
  EXPECT_EQ(refused.tensors.SetNumber(0, 0, -1e39).message(),
            "column 'x' is -1e+39: the original refuses it (Input X contains infinity)");
  Case raw = OneColumn(original, Type::kFloat64, Limits::kNone);
  EXPECT_TRUE(raw.tensors.SetNumber(0, 0, 1e39).ok());
  EXPECT_EQ(raw.tensors.tensors()[0].float64[0], 1e39);
}

TEST(Tensors, ABoundOfTheEngineCanBeLifted) {
  const Input input{.name = "x", .type = Type::kInt64, .abs_max = Bound{16777216, false, ""}};
  Case strict = OneColumn(input, Type::kFloat32);
  EXPECT_TRUE(strict.tensors.SetInteger(0, 0, 16777216).ok());
  EXPECT_EQ(strict.tensors.SetInteger(0, 0, 1700000000).message(),
            "column 'x' is 1700000000: beyond 16777216 the engine cannot vouch for its answer; "
            "send smaller values, or "
            "start the server with --beyond-limits answer");
  EXPECT_FALSE(strict.tensors.SetInteger(0, 0, int64_t{1} << 60).ok());
  Case lax = OneColumn(input, Type::kFloat32, Limits::kAnswerBeyond);
  EXPECT_TRUE(lax.tensors.SetInteger(0, 0, 1700000000).ok());
  EXPECT_EQ(lax.tensors.tensors()[0].float32[0], 1700000000.0F);
}

TEST(Tensors, InfinityOnlyWhereTheOriginalTakesIt) {
  Case refuses = OneColumn({.name = "x"}, Type::kFloat64);
  EXPECT_EQ(refuses.tensors.SetNumber(0, 0, -kInfinity).message(),
            "column 'x' is -infinity; a finite number was expected");
  Case allows = OneColumn({.name = "x", .allows_infinity = true}, Type::kFloat64);
  EXPECT_TRUE(allows.tensors.SetNumber(0, 0, kInfinity).ok());
  Case raw = OneColumn({.name = "x"}, Type::kFloat32, Limits::kNone);
  EXPECT_TRUE(raw.tensors.SetNumber(0, 0, kInfinity).ok());
  EXPECT_EQ(raw.tensors.tensors()[0].float32[0], std::numeric_limits<float>::infinity());
}

TEST(Tensors, WhatFloat32CannotHoldIsNotTurnedIntoInfinity) {
  Case test = OneColumn({.name = "x"}, Type::kFloat32);
  EXPECT_EQ(test.tensors.SetNumber(0, 0, 1e39).message(),
            "column 'x' is 1e+39; a number that float32 can hold, up to 3.4e38, was expected");
}

TEST(Tensors, AStringThatTheOriginalRefusesIsRefused) {
  const Input region{.name = "region",
                     .type = Type::kString,
                     .categories = {"north", "south"},
                     .categories_reason = "the original refuses what it does not know"};
  Case test = OneColumn(region, Type::kString);
  EXPECT_TRUE(test.tensors.SetString(0, 0, "south").ok());
  EXPECT_EQ(test.tensors.SetString(0, 0, "east").message(),
            "column 'region' is \"east\": the original refuses what it does not know; one of "
            "'north' and 'south' was "
            "expected");
  Case unlimited = OneColumn(region, Type::kString, Limits::kNone);
  EXPECT_TRUE(unlimited.tensors.SetString(0, 0, "east").ok());
  const Signature signature{.inputs = {region}};
  EXPECT_EQ(Signature::FromJson(signature.ToJson())->inputs[0].categories, region.categories);
}

TEST(Tensors, OtherTypesAreNamed) {
  Case test(
      {{.name = "x"}, {.name = "s", .type = Type::kString}, {.name = "b", .type = Type::kBool}},
      {Type::kFloat64, Type::kString, Type::kString});
  EXPECT_EQ(test.tensors.SetString(0, 0, "abc").message(),
            "column 'x' is \"abc\"; a number was expected");
  EXPECT_EQ(test.tensors.SetBool(0, 0, true).message(),
            "column 'x' is true; a number was expected");
  EXPECT_EQ(test.tensors.SetNumber(0, 1, 5).message(), "column 's' is 5; a string was expected");
  EXPECT_EQ(test.tensors.SetInteger(0, 1, int64_t{1} << 60).code(), Code::kInvalidArgument);
  EXPECT_EQ(test.tensors.SetNumber(0, 2, 2).message(),
            "column 'b' is 2; true or false was expected");
  ASSERT_TRUE(test.tensors.SetBool(0, 2, true).ok());
  EXPECT_EQ(test.tensors.tensors()[2].strings[0], "True");
  ASSERT_TRUE(test.tensors.SetInteger(0, 2, 0).ok());
  EXPECT_EQ(test.tensors.tensors()[2].strings[0], "False");
  const std::string umlauts = "x" + std::string(100, '\xc3');
  EXPECT_LT(test.tensors.SetString(0, 0, umlauts).message().size(), 100U) << "long values are cut";
}

TEST(Tensors, ManyRowsAndColumnsFindTheirPlaces) {
  Signature signature{.inputs = {{.name = "a"}, {.name = "b"}, {.name = "c"}}};
  Encoding encoding{.tensors = {{"X", Type::kFloat32, {2, 0}}, {"Y", Type::kFloat64, {1}}}};
  Tensors tensors(&signature, &encoding);
  for (const int64_t rows : {2, 500, 3}) {
    tensors.Resize(rows);
    for (int64_t row = 0; row < rows; ++row) {
      for (int column = 0; column < 3; ++column) {
        ASSERT_TRUE(tensors.SetNumber(row, column, static_cast<double>(10 * row + column)).ok());
      }
    }
    EXPECT_EQ(tensors.tensors()[0].float32.size(), static_cast<size_t>(2 * rows));
    EXPECT_EQ(tensors.tensors()[0].float32[static_cast<size_t>(2 * rows - 2)],
              static_cast<float>(10 * rows - 8));
    EXPECT_EQ(tensors.tensors()[0].float32[static_cast<size_t>(2 * rows - 1)],
              static_cast<float>(10 * rows - 10));
    EXPECT_EQ(tensors.tensors()[1].float64[static_cast<size_t>(rows - 1)],
              static_cast<double>(10 * rows - 9));
  }
}

TEST(Tensors, HaveNoRowsWhereMemoryRanOut) {
  const Signature signature{.inputs = {{.name = "a"}}};
  const Encoding encoding{.tensors = {{"X", Type::kFloat64, {0}}}};
  Tensors tensors(&signature, &encoding);
  tensors.Resize(1);
  EXPECT_THROW(tensors.Resize(int64_t{1} << 61), std::length_error);
  EXPECT_EQ(tensors.rows(), 0);
  tensors.Resize(2);
  EXPECT_TRUE(tensors.SetNumber(1, 0, 5).ok());
  EXPECT_EQ(tensors.tensors()[0].float64[1], 5);
}

TEST(Tensors, AColumnMustFitItsTensor) {
  Signature signature{.inputs = {{.name = "s", .type = Type::kString}}};
  EXPECT_EQ(CheckEncoding(signature, {.tensors = {{"X", Type::kFloat64, {0}}}}).message(),
            "column 's' of type string cannot stand in tensor 'X' of type float64");
  EXPECT_EQ(CheckEncoding(signature, {}).message(),
            "column 's' stands in 0 tensors; exactly one was expected");
}

// What a server does with one request of 64 numbers; the time is printed, not judged.
TEST(Tensors, SettingARowOfNumbersIsCheap) {
  Signature signature;
  Encoding encoding{.tensors = {{"X", Type::kFloat64, {}}}};
  for (int i = 0; i < 64; ++i) {
    signature.inputs.push_back({.name = std::to_string(i), .abs_max = Bound{1e30, true, ""}});
    encoding.tensors[0].columns.push_back(i);
  }
  Tensors tensors(&signature, &encoding);
  tensors.Resize(1);
  constexpr int kRounds = 20000;
  const auto start = std::chrono::steady_clock::now();
  for (int round = 0; round < kRounds; ++round) {
    for (int column = 0; column < 64; ++column) {
      ASSERT_TRUE(tensors.SetNumber(0, column, static_cast<double>(round + column)).ok());
    }
  }
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  RecordProperty("ns_per_row_of_64", static_cast<int>(spent.count() / kRounds));
  EXPECT_EQ(tensors.tensors()[0].float64[63], kRounds + 62.0);
}

class Features : public testing::Test {
 protected:
  Status Set(std::string_view text) {
    return SetFeatures(*json::Parse(text), columns_, "/features", tensors_);
  }
  std::vector<double> Numbers() { return tensors_.tensors()[0].float64; }

  Signature signature_{.inputs = {{.name = "age"}, {.name = "a/b~c", .allows_missing = true}}};
  Encoding encoding_{.tensors = {{"X", Type::kFloat64, {0, 1}}}};
  Columns columns_{signature_};
  Tensors tensors_{&signature_, &encoding_};
};

TEST_F(Features, FourShapesGiveTheSameTensors) {
  for (const char* text : {R"([{"a/b~c": 2, "age": 1.5}, {"age": 3, "a/b~c": 4}])",
                           "[[1.5, 2], [3, 4]]", R"({"a/b~c": [2, 4], "age": [1.5, 3]})"}) {
    ASSERT_TRUE(Set(text).ok()) << text;
    EXPECT_EQ(tensors_.rows(), 2);
    EXPECT_THAT(Numbers(), testing::ElementsAre(1.5, 2, 3, 4)) << text;
  }
  ASSERT_TRUE(Set(R"({"age": 7, "a/b~c": 8})").ok());
  EXPECT_THAT(Numbers(), testing::ElementsAre(7, 8));
}

TEST_F(Features, ErrorsPointToTheValue) {
  const auto pointer = [&](std::string_view text) { return Set(text).pointer(); };
  EXPECT_EQ(pointer(R"([{"age": 1, "a/b~c": 2}, {"age": 1, "a/b~c": "x"}])"),
            "/features/1/a~1b~0c");
  EXPECT_EQ(pointer("[[1, 2], [null, 2]]"), "/features/1/0");
  EXPECT_EQ(pointer(R"({"age": [1, 2, "x"], "a/b~c": [1, 2, 3]})"), "/features/age/2");
  EXPECT_EQ(pointer(R"({"age": 1, "a/b~c": 2, "agee": 3})"), "/features/agee");
  EXPECT_EQ(pointer(R"([{"age": 1}])"), "/features/0");
  EXPECT_EQ(pointer("[[1]]"), "/features/0");
  EXPECT_EQ(pointer("[]"), "/features");
  EXPECT_EQ(pointer("[[1, {}]]"), "/features/0/1");
}

TEST_F(Features, ErrorsSayWhatWasExpected) {
  const auto message = [&](std::string_view text) { return Set(text).message(); };
  EXPECT_EQ(
      message(R"([{"agee": 1}])"),
      "the model has no column 'agee'; its columns are 'age' and 'a/b~c'. Did you mean 'age'?");
  EXPECT_EQ(message(R"([{"age": 1}])"),
            "column 'a/b~c' is not given; the model needs all of its 2 columns");
  EXPECT_EQ(message(R"([{}])"),
            "columns 'age' and 'a/b~c' are not given; the model needs all of its 2 columns");
  EXPECT_EQ(message("[[1, 2, 3]]"),
            "the row has 3 values; 2 were expected, in the order 'age' and 'a/b~c'");
  EXPECT_EQ(message("[]"), "features have no rows; at least one was expected");
  EXPECT_EQ(message(R"({"age": [], "a/b~c": []})"),
            "features have no rows; at least one was expected");
  EXPECT_EQ(message("[1, 2]"),
            "the first element is a number; a record or a row was expected (one row is a list in a "
            "list: [[1, 2]])");
  EXPECT_EQ(message(R"([[1, 2], {"age": 1}])"),
            "element 1 is an object; a row, as the elements before it, was expected");
  EXPECT_EQ(message(R"({"age": [1, 2], "a/b~c": [1]})"),
            "column 'a/b~c' has 1 values; 2, as in the columns before it, were expected");
  EXPECT_EQ(message(R"({"age": [1, 2], "a/b~c": 1})"),
            "column 'a/b~c' is a number; a list, as in the other columns, was expected");
  EXPECT_EQ(
      message("3"),
      "features are a number; a list of records or rows, one record, or columns were expected");
  EXPECT_EQ(message("[[null, 1]]"), "column 'age' is missing (null); a number was expected");
}

}  // namespace
}  // namespace penstock::package
