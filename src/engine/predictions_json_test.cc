// SPDX-License-Identifier: Apache-2.0
#include "engine/predictions_json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "json/value.h"

namespace penstock::engine {
namespace {

using package::Type;
using testing::HasSubstr;

class PredictionsJson : public testing::Test {
 protected:
  // The text of one value a row, or the error.
  std::string Write(Type type, std::vector<double> values, bool is_float32 = false) {
    const package::Signature signature{.task = package::Task::kRegression, .prediction_type = type};
    const auto rows = static_cast<int64_t>(values.size());
    const Predictions predictions{
        .rows = rows, .values = std::move(values), .is_float32 = is_float32};
    std::string out;
    const Status status = AppendPredictions(signature, {}, predictions, {.count = rows}, out);
    return status.ok() ? out : status.ToString();
  }
};

TEST_F(PredictionsJson, NumbersAreWrittenInThePrecisionInWhichTheyWereComputed) {
  EXPECT_EQ(Write(Type::kFloat64, {0.1F, 2}), "\"predictions\":[0.10000000149011612,2.0]");
  EXPECT_EQ(Write(Type::kFloat64, {0.1F, 2}, true), "\"predictions\":[0.1,2.0]");
  EXPECT_EQ(Write(Type::kInt64, {-3, 9007199254740992}), "\"predictions\":[-3,9007199254740992]");
}

TEST_F(PredictionsJson, ADoubleBeyondFloatIsInfiniteWhereFloatsAreWritten) {
  EXPECT_EQ(Write(Type::kFloat64, {1e300}), "\"predictions\":[1e+300]");
  EXPECT_THAT(Write(Type::kFloat64, {1, 1e300}, true),
              HasSubstr("INVALID_ARGUMENT: the model's answer for row 1 is infinite"));
}

package::Signature Classifier(std::string_view output) {
  package::Signature signature{.task = package::Task::kClassification,
                               .classes = std::vector<std::string>{"a", "b", "c"},
                               .has_probabilities = true};
  if (!output.empty()) signature.output = *package::Output::FromJson(*json::Parse(output), 3, true);
  return signature;
}

// What is answered to two rows: class c, 0.5, 0.25, 0.5 and class a, 1, 0, 0.
std::string Answer(std::string_view output,
                   std::vector<double> probabilities = {0.5, 0.25, 0.5, 1, 0, 0}) {
  const package::Signature signature = Classifier(output);
  const Predictions predictions{
      .rows = 2, .class_index = {2, 0}, .probabilities = std::move(probabilities)};
  std::string out;
  const Status status =
      AppendPredictions(signature, AnswerTexts(signature), predictions, {.count = 2}, out);
  return status.ok() ? out.substr(0, out.find(",\"probabilities\"")) : status.ToString();
}

TEST(Output, StandsInPlaceOfTheLabel) {
  EXPECT_EQ(Answer(""), R"("predictions":["c","a"])");
  EXPECT_EQ(Answer(R"({"kind": "labels", "values": [1, 2.0, null]})"), R"("predictions":[null,1])");
  EXPECT_EQ(Answer(R"({"kind": "probability", "class": 1})"), R"("predictions":[0.25,0.0])");
  EXPECT_EQ(Answer(R"({"kind": "probabilities"})"),
            R"("predictions":[[0.5,0.25,0.5],[1.0,0.0,0.0]])");
  EXPECT_EQ(Answer(R"({"kind": "probabilities", "values": ["x", "y\"", "z"]})"),
            R"("predictions":[{"x":0.5,"y\"":0.25,"z":0.5},{"x":1.0,"y\"":0.0,"z":0.0}])");
}

TEST(Output, AThresholdIncludesItself) {
  const auto at = [](double threshold) {
    return Answer(fmt::format(
        R"({{"kind": "threshold", "class": 0, "threshold": {}, "values": [false, "high"]}})",
        threshold));
  };
  EXPECT_EQ(at(0.5), R"("predictions":["high","high"])");
  EXPECT_EQ(at(std::nextafter(0.5, 1)), R"("predictions":[false,"high"])");
  EXPECT_EQ(at(0), R"("predictions":["high","high"])");
}

TEST(Output, OfEqualProbabilitiesTheFirstOrTheLastComesFirst) {
  const auto top = [](int count, bool last) {
    return Answer(fmt::format(
        R"({{"kind": "top_k", "count": {}, "last_of_ties": {}, "values": ["A", "B", "C"]}})", count,
        last));
  };
  EXPECT_EQ(top(2, false), R"("predictions":[["A","C"],["A","B"]])");
  EXPECT_EQ(top(2, true), R"("predictions":[["C","A"],["A","C"]])");
  EXPECT_EQ(top(3, false), R"("predictions":[["A","C","B"],["A","B","C"]])");
}

TEST(Output, AProbabilityThatIsNoNumberIsNotWritten) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const char* output :
       {R"({"kind": "probability", "class": 0})",
        R"({"kind": "threshold", "class": 0, "threshold": 0.5, "values": [0, 1]})",
        R"({"kind": "top_k", "count": 1, "last_of_ties": false, "values": [0, 1, 2]})"}) {
    EXPECT_THAT(Answer(output, {1, 0, 0, 0, nan, 0}), HasSubstr("probability for row 1")) << output;
  }
}

TEST(Output, WhatFitsNoModelIsRefused) {
  const auto refused = [](std::string_view output, size_t classes, bool has_probabilities) {
    return package::Output::FromJson(*json::Parse(output), classes, has_probabilities)
        .status()
        .message();
  };
  EXPECT_THAT(refused(R"({"kind": "best"})", 3, true), HasSubstr("'best' is no kind of output"));
  EXPECT_THAT(refused(R"({"kind": "probabilities"})", 0, false), HasSubstr("without classes"));
  EXPECT_THAT(refused(R"({"kind": "probability", "class": 0})", 3, false),
              HasSubstr("needs a model with probabilities"));
  EXPECT_THAT(refused(R"({"kind": "probability", "class": 3})", 3, true), HasSubstr("of class 3"));
  EXPECT_THAT(refused(R"({"kind": "probability", "class": -1})", 3, true), HasSubstr("class -1"));
  EXPECT_THAT(refused(R"({"kind": "labels", "values": [1]})", 3, true),
              HasSubstr("1 values; 3 were expected"));
  EXPECT_THAT(refused(R"({"kind": "labels", "values": [1, [2], 3]})", 3, true),
              HasSubstr("scalar"));
  EXPECT_THAT(refused(R"({"kind": "probabilities", "values": ["x", "x", "y"]})", 3, true),
              HasSubstr("'x' of a probability stands twice"));
  EXPECT_THAT(
      refused(R"({"kind": "threshold", "class": 0, "threshold": 1.5, "values": [0, 1]})", 3, true),
      HasSubstr("0 to 1 was expected"));
  EXPECT_THAT(
      refused(R"({"kind": "top_k", "count": 4, "last_of_ties": false, "values": [0, 1, 2]})", 3,
              true),
      HasSubstr("1 to 3 was expected"));
}

TEST(Output, IsReadAsItWasWritten) {
  for (const char* text :
       {R"({"kind":"labels","values":[1,2.0,"x"]})", R"({"kind":"probability","class":2})",
        R"({"kind":"threshold","values":[false,true],"class":1,"threshold":0.37})",
        R"({"kind":"top_k","values":["a","b","c"],"count":2,"last_of_ties":true})"}) {
    EXPECT_EQ(json::Write(package::Output::FromJson(*json::Parse(text), 3, true)->ToJson()), text);
  }
}

TEST_F(PredictionsJson, WhatIsNoIntegerIsNotWrittenAsOne) {
  for (const double value : {1e300, -1e300, 9223372036854775808.0, 0.5}) {
    EXPECT_THAT(Write(Type::kInt64, {1, value}),
                HasSubstr("INTERNAL: the engine's answer for row 1 is"))
        << value;
  }
  EXPECT_EQ(Write(Type::kInt64, {-9223372036854775808.0}),
            "\"predictions\":[-9223372036854775808]");
}

}  // namespace
}  // namespace penstock::engine
