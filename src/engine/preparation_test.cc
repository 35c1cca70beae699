// SPDX-License-Identifier: Apache-2.0
#include "engine/preparation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/own_program.h"

namespace penstock::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

template <typename T>
OwnArray Named(std::string name, ElementType type, std::vector<int64_t> shape,
               const std::vector<T>& values) {
  return {std::move(name),
          type,
          std::move(shape),
          {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)}};
}

// Arrays by which all steps below are written.
std::string FileOf(std::string_view steps) {
  static const std::vector<int64_t> kFirst = {0}, kSecond = {1}, kThird = {2}, kBeyond = {3},
                                    kHot = {0, 1, -1, 2}, kShortHot = {0, 1},
                                    kFarHot = {0, 3, 0, 0};
  static const std::vector<double> kKeys = {0, 1}, kOdd = {-2, 7.5}, kTwice = {1, 1},
                                   kRows = {10, 11, 20, 21, 30, 31, 40, 41}, kTwo = {5, 6};
  const std::vector<OwnArray> arrays = {Named("first", ElementType::kInt64, {1}, kFirst),
                                        Named("second", ElementType::kInt64, {1}, kSecond),
                                        Named("third", ElementType::kInt64, {1}, kThird),
                                        Named("beyond", ElementType::kInt64, {1}, kBeyond),
                                        Named("hot", ElementType::kInt64, {4}, kHot),
                                        Named("short hot", ElementType::kInt64, {2}, kShortHot),
                                        Named("far hot", ElementType::kInt64, {4}, kFarHot),
                                        Named("keys", ElementType::kFloat64, {2}, kKeys),
                                        Named("odd", ElementType::kFloat64, {2}, kOdd),
                                        Named("twice", ElementType::kFloat64, {2}, kTwice),
                                        Named("rows", ElementType::kFloat64, {4, 2}, kRows),
                                        Named("two", ElementType::kFloat64, {2}, kTwo)};
  return *WriteOwn(*json::Parse(steps), arrays);
}

struct Made {
  std::string bytes;
  OwnFile file;
  Result<Preparation> preparation;
};

Made Make(std::string_view steps, InputWidths inputs) {
  std::string bytes = FileOf(steps);
  OwnFile file = *ReadOwn(bytes);
  auto preparation = Preparation::Make(file, *file.steps.if_array(), inputs);
  return {std::move(bytes), std::move(file), std::move(preparation)};
}

std::vector<double> Prepared(std::string_view steps, std::vector<double> x) {
  const Made made = Make(steps, {.numbers = static_cast<int64_t>(x.size())});
  EXPECT_TRUE(made.preparation.ok()) << made.preparation.status().ToString();
  std::vector<double> cells(static_cast<size_t>(made.preparation->cells()));
  std::vector<double> out(static_cast<size_t>(made.preparation->width()));
  made.preparation->Apply(x.data(), nullptr, 0, cells.data(), out.data());
  return out;
}

std::string Refusal(std::string_view steps, InputWidths inputs = {.numbers = 3}) {
  return Make(steps, inputs).preparation.status().message();
}

TEST(Preparation, ATableHasARowForMissingValuesAndOneForOthers) {
  const std::string_view dense = R"([{"op":"look_up","columns":[{"keys":"keys","rows":"rows"}]}])";
  EXPECT_THAT(Prepared(dense, {0}), ElementsAre(10, 11));
  EXPECT_THAT(Prepared(dense, {1}), ElementsAre(20, 21));
  EXPECT_THAT(Prepared(dense, {kMissing}), ElementsAre(30, 31));
  for (const double other : {-1.0, 0.5, 2.0, 1e300, -1e300, static_cast<double>(INFINITY)})
    EXPECT_THAT(Prepared(dense, {other}), ElementsAre(40, 41)) << other;
  const std::string_view odd = R"([{"op":"look_up","columns":[{"keys":"odd","rows":"rows"}]}])";
  EXPECT_THAT(Prepared(odd, {7.5}), ElementsAre(20, 21));
  EXPECT_THAT(Prepared(odd, {7}), ElementsAre(40, 41));
  EXPECT_THAT(Prepared(odd, {kMissing}), ElementsAre(30, 31));
}

TEST(Preparation, OneOfManyIsHotOrNone) {
  const std::string_view steps =
      R"([{"op":"one_hot","columns":[{"keys":"keys","hot":"hot","width":3}]}])";
  EXPECT_THAT(Prepared(steps, {1}), ElementsAre(0, 1, 0));
  EXPECT_THAT(Prepared(steps, {kMissing}), ElementsAre(0, 0, 0));
  EXPECT_THAT(Prepared(steps, {9}), ElementsAre(0, 0, 1));
}

TEST(Preparation, PartsWorkOnCopiesAndStandInOrder) {
  EXPECT_THAT(Prepared(R"([{"op":"columns","parts":[
                 {"columns":"second","steps":[{"op":"is_missing"}]},
                 {"columns":"second","steps":[]},
                 {"columns":"first","steps":[{"op":"is_missing","marker":4}]}]}])",
                       {4, kMissing}),
              ElementsAre(1, testing::IsNan(), 1));
}

TEST(Preparation, WhatIsMissingIsFilled) {
  EXPECT_THAT(Prepared(R"([{"op":"fill","values":"two"}])", {kMissing, 0}), ElementsAre(5, 0));
  EXPECT_THAT(Prepared(R"([{"op":"fill","values":"two","marker":0}])", {1, 0}), ElementsAre(1, 6));
}

TEST(Preparation, AMissingTextIsNotTheEmptyOne) {
  const Made made = Make(R"([{"op":"text","texts":[["", "a"]]}])", {.texts = 1});
  package::Tensor tensor{.type = package::Type::kString, .width = 1};
  tensor.strings = {"", "", "a", "b"};
  tensor.missing = {0, 1, 0, 0};
  std::vector<double> cells(1);
  std::vector<double> codes;
  for (int64_t row = 0; row < 4; ++row) {
    double out = 9;
    made.preparation->Apply<double>(nullptr, &tensor, row, cells.data(), &out);
    codes.push_back(out);
  }
  EXPECT_THAT(codes, ElementsAre(0, testing::IsNan(), 1, -1));
}

TEST(Preparation, StepsThatMakeNoSenseAreNamed) {
  EXPECT_EQ(Refusal("[]", {.texts = 1}),
            "step 0 of the evaluator: a step 'text' was expected first");
  EXPECT_THAT(Refusal(R"([{"op":"fill"}])", {.texts = 1}), HasSubstr("'text' was expected first"));
  EXPECT_THAT(Refusal(R"([{"op":"text","texts":[]}])", {.texts = 1}), HasSubstr("has 0 lists"));
  EXPECT_THAT(Refusal(R"([{"op":"text","texts":[[1]]}])", {.texts = 1}), HasSubstr("is no text"));
  EXPECT_THAT(Refusal(R"([{"op":"text","texts":[["a","a"]]}])", {.texts = 1}),
              HasSubstr("'a' twice in a column"));
  EXPECT_THAT(Refusal(R"([{"op":"columns","parts":[{"columns":"beyond","steps":[]}]}])"),
              HasSubstr("has the index 3; one from 0 to 2"));
  EXPECT_THAT(Refusal(R"([{"op":"look_up","columns":[]}])"),
              HasSubstr("has 0 entries; one for each of 3 columns"));
  const InputWidths one = {.numbers = 1};
  EXPECT_THAT(Refusal(R"([{"op":"look_up","columns":[{"keys":"twice","rows":"rows"}]}])", one),
              HasSubstr("not numbers in ascending order"));
  EXPECT_THAT(Refusal(R"([{"op":"look_up","columns":[{"keys":"keys","rows":"two"}]}])", one),
              HasSubstr("is no matrix with 4 rows"));
  for (const std::string_view hot : {"short hot", "far hot"}) {
    const std::string steps = R"([{"op":"one_hot","columns":[{"keys":"keys","width":3,"hot":")" +
                              std::string(hot) + "\"}]}]";
    EXPECT_THAT(Refusal(steps, one), HasSubstr("'hot' is no list of 4 places from -1 to 2"));
  }
  EXPECT_THAT(
      Refusal(R"([{"op":"one_hot","columns":[{"keys":"keys","hot":"hot","width":9000000}]}])", one),
      HasSubstr("more than 1048576 columns"));
  EXPECT_THAT(
      Refusal(R"([{"op":"one_hot","columns":[{"keys":"keys","hot":"hot","width":-1}]}])", one),
      HasSubstr("more than 1048576 columns"));
  EXPECT_THAT(Refusal(R"([{"op":"linear"}])"),
              HasSubstr("'linear' is no operation before a model"));
}

TEST(Preparation, AModelNeedsAColumn) {
  const std::string bytes = FileOf(R"([{"op":"columns","parts":[]},{"op":"linear"}])");
  EXPECT_THAT(OwnProgram::FromBytes(bytes, {.numbers = 2}).status().message(),
              HasSubstr("no column is left for the model"));
}

}  // namespace
}  // namespace penstock::engine
