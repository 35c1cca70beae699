// SPDX-License-Identifier: Apache-2.0
#include "engine/predictions_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
