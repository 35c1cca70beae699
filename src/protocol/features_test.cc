// SPDX-License-Identifier: Apache-2.0
#include "protocol/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>

#include "base/names.h"
#include "serve/fake_model.h"

namespace penstock::protocol {
namespace {

using package::Type;
using serve::FakeModel;
using testing::ElementsAre;
using testing::HasSubstr;

class FeaturesTest : public testing::Test {
 protected:
  FeaturesTest() {
    package::Signature signature = FakeModel::SignatureOf({{"age", Type::kInt64},
                                                           {"income", Type::kFloat64},
                                                           {"plan", Type::kString},
                                                           {"vip", Type::kBool}});
    signature.inputs[1].allows_missing = true;
    signature.inputs[1].abs_max =
        package::Bound{.value = 1e30, .reason = "beyond 1e30 the engine cannot vouch"};
    Use(std::move(signature));
  }

  void Use(package::Signature signature) {
    snapshot_ = *serve::Snapshot::Make(std::make_unique<FakeModel>(std::move(signature)), {"m", 1},
                                       {}, Clock::System(), metrics_);
    workspace_ = *snapshot_->TakeWorkspace();
  }

  std::optional<Problem> Decode(std::string_view body) {
    // A copy of exactly this size, so that the sanitizers see a read beyond it.
    const std::vector<char> copy(body.begin(), body.end());
    return DecodeFeatures({copy.data(), copy.size()}, *snapshot_, limits_, *workspace_);
  }

  void ExpectRefused(std::string_view body, int http_status, std::string_view pointer,
                     std::string_view sentence) {
    const std::optional<Problem> problem = Decode(body);
    ASSERT_TRUE(problem.has_value()) << body;
    EXPECT_EQ(problem->http_status, http_status) << body << " " << problem->detail;
    EXPECT_THAT(problem->detail, HasSubstr(std::string(sentence))) << body;
    EXPECT_EQ(problem->pointer, pointer) << body;
    EXPECT_EQ(problem->has_pointer, http_status == 422) << body;
  }

  const std::vector<double>& Numbers() const { return workspace_->input.tensors()[0].float64; }
  std::vector<std::string> Strings() const {
    const auto& strings = workspace_->input.tensors()[1].strings;
    return {strings.begin(), strings.begin() + workspace_->input.rows()};
  }

  observe::Metrics metrics_{1};
  std::shared_ptr<const serve::Snapshot> snapshot_;
  std::unique_ptr<serve::Workspace> workspace_;
  FeatureLimits limits_;
};

TEST_F(FeaturesTest, ReadsTheFourShapesToTheSameRows) {
  for (
      std::string_view body : {
          R"({"features":[{"age":30,"income":1.5,"plan":"a","vip":true},{"age":40.0,"income":2e3,"plan":"b","vip":false}]})",
          R"({"features":[[30,1.5,"a",true],[40.0,2000,"b",false]]})",
          R"({"features":{"age":[30,40],"income":[1.5,2000.0],"plan":["a","b"],"vip":[true,false]}})",
          R"({"features":{"vip":[1,0],"plan":["a","b"],"income":[1.5,2000],"age":[30,40]}})",
          R"( { "features" : [ { "vip" : true , "plan" : "a" , "income" : 1.5 , "age" : 30 } ,
              {"age":40,"vip":0,"plan":"\u0062","\u0069ncome":2000} ] } )",
      }) {
    const std::optional<Problem> problem = Decode(body);
    ASSERT_FALSE(problem.has_value()) << body << problem->detail;
    EXPECT_EQ(workspace_->input.rows(), 2);
    EXPECT_THAT(Numbers(), ElementsAre(30, 1.5, 1, 40, 2000, 0)) << body;
    EXPECT_THAT(Strings(), ElementsAre("a", "b")) << body;
  }
}

TEST_F(FeaturesTest, ReadsOneRecord) {
  ASSERT_FALSE(
      Decode(R"({"features":{"plan":"x","age":-3,"vip":false,"income":null}})").has_value());
  EXPECT_EQ(workspace_->input.rows(), 1);
  EXPECT_EQ(Numbers()[0], -3);
  EXPECT_TRUE(std::isnan(Numbers()[1]));
}

TEST_F(FeaturesTest, ForgetsTheRowsOfTheRequestBefore) {
  ASSERT_FALSE(
      Decode(R"({"features":[[1,1,"a",true],[2,2,"b",true],[3,3,"c",true]]})").has_value());
  ASSERT_FALSE(Decode(R"({"features":[[4,4,"d",true]]})").has_value());
  EXPECT_EQ(workspace_->input.rows(), 1);
  ASSERT_FALSE(Decode(R"({"features":{"age":5,"income":5,"plan":"e","vip":true}})").has_value());
  EXPECT_THAT(Numbers(), ElementsAre(5, 5, 1));
}

TEST_F(FeaturesTest, LearnsTheOrderInWhichACallerNamesColumns) {
  ASSERT_FALSE(Decode(R"({"features":{"plan":"x","age":1,"vip":false,"income":2}})").has_value());
  EXPECT_THAT(workspace_->column_order, ElementsAre(2, 0, 3, 1));
  ASSERT_FALSE(Decode(R"({"features":{"plan":"y","age":3,"vip":true,"income":4}})").has_value());
  EXPECT_THAT(Numbers(), ElementsAre(3, 4, 1));
  // A refused record must leave the order whole.
  ExpectRefused(R"({"features":{"age":3,"income":4}})", 422, "/features", "'plan' and 'vip'");
  ASSERT_FALSE(Decode(R"({"features":{"plan":"y","age":3,"vip":true,"income":4}})").has_value());
}

struct Misfit {
  std::string_view body;
  std::string_view pointer;
  std::string_view sentence;
};

constexpr Misfit kMisfits[] = {
    {R"([])", "", "the body is a list; an object with the one member 'features' was expected"},
    {R"("x")", "", "the body is a string"},
    {R"(17)", "", "the body is a number"},
    {R"(null)", "", "the body is null"},
    {R"({})", "", "member 'features' is missing"},
    {R"({"feature":[]})", "/feature",
     "member 'feature' is not known; the one member of a request is 'features'. Did you mean "
     "'features'?"},
    {R"({"features":[[1,1,"a",true]],"id":7})", "/id", "member 'id' is not known"},
    {R"({"a/b~c":1})", "/a~1b~0c", "member 'a/b~c' is not known"},
    {R"({"features":[[1,1,"a",true]],"features":[[1,1,"a",true]]})", "/features", "stands twice"},
    {R"({"features":[]})", "/features",
     "'features' is an empty list; at least one row was expected"},
    {R"({"features":{"age":[],"income":[],"plan":[],"vip":[]}})", "/features",
     "the columns are empty"},
    {R"({"features":3})", "/features", "'features' is a number; a list of records"},
    {R"({"features":null})", "/features", "'features' is null"},
    {R"({"features":[1,2,3,4]})", "/features/0",
     "row 0 is a number; a record or a row (one row is a list in a list: [[1, 2]]) was expected"},
    {R"({"features":[[1,1,"a",true],{"age":1}]})", "/features/1",
     "row 1 is an object; a list, as the first row is one"},
    {R"({"features":[{"age":1,"income":1,"plan":"a","vip":true},[1]]})", "/features/1",
     "row 1 is a list; an object"},
    {R"({"features":[[1,1,"a",true],[1,1,"a"]]})", "/features/1", "3"},
    {R"({"features":[[1,1,"a",true,5,6]]})", "/features/0", "6"},
    {R"({"features":[[]]})", "/features/0", "0"},
    {R"({"features":[{"age":1,"income":1,"plan":"a"}]})", "/features/0", "'vip'"},
    {R"({"features":[{}]})", "/features/0", "'age'"},
    {R"({"features":{}})", "/features", "'age'"},
    {R"({"features":[{"agee":1}]})", "/features/0/agee", "'agee'"},
    {R"({"features":[{"agee":1}]})", "/features/0/agee", "Did you mean 'age'?"},
    {R"({"features":[{"age":1,"age":2,"income":1,"plan":"a","vip":true}]})", "/features/0/age",
     "'age'"},
    {R"({"features":[{"age":1,"income":1,"plan":"a","vip":true,"age":1}]})", "/features/0/age",
     "'age'"},
    {R"({"features":{"age":[1],"age":[1]}})", "/features/age", "'age'"},
    {R"({"features":[{"age":"30","income":1,"plan":"a","vip":true}]})", "/features/0/age",
     "column 'age' is \"30\"; an integer was expected"},
    {R"({"features":{"age":"30"}})", "/features/age", "column 'age' is \"30\""},
    {R"({"features":[[30,true,"a",true]]})", "/features/0/1",
     "column 'income' is true; a number was expected"},
    {R"({"features":[[5.5,1,"a",true]]})", "/features/0/0",
     "column 'age' is 5.5; an integer was expected"},
    {R"({"features":[[null,1,"a",true]]})", "/features/0/0", "column 'age' is"},
    {R"({"features":[[1,1e999,"a",true]]})", "/features/0/1",
     "column 'income' is a number beyond the range of double"},
    {R"({"features":[[1,1e31,"a",true]]})", "/features/0/1", "beyond 1e30 the engine cannot vouch"},
    {R"({"features":[[1,1,7,true]]})", "/features/0/2",
     "column 'plan' is 7; a string was expected"},
    {R"({"features":[[1,1,"a",2]]})", "/features/0/3",
     "column 'vip' is 2; true or false was expected"},
    {R"({"features":[[[1],1,"a",true]]})", "/features/0/0",
     "column 'age' is a list; one value was expected"},
    {R"({"features":{"age":1,"income":{"x":1}}})", "/features/income",
     "column 'income' is an object"},
    {R"({"features":{"age":[1,2],"income":[1]}})", "/features/income",
     "column 'income' has 1 values, column 'age' has 2"},
    {R"({"features":{"age":[1],"income":[1,2]}})", "/features/income",
     "column 'income' has more than the 1 values of column 'age'"},
    {R"({"features":{"age":[1,2],"income":3}})", "/features/income",
     "column 'income' is a number; a list was expected"},
    {R"({"features":{"age":[1,"x"]}})", "/features/age/1", "column 'age' is \"x\""},
    {R"({"features":{"age":[1]}})", "/features", "'income'"},
};

TEST_F(FeaturesTest, RefusesWhatDoesNotFitWithThePlace) {
  for (const Misfit& test : kMisfits) ExpectRefused(test.body, 422, test.pointer, test.sentence);
}

TEST_F(FeaturesTest, ShowsOnlyTheStartOfANameThatIsTooLong) {
  const std::string name(60'000, 'a');
  const std::string shown = "'" + name.substr(0, kShownNameBytesMax) + "...'";
  ExpectRefused("{\"" + name + "\":1}", 422, "", "member " + shown + " is not known");
  ExpectRefused("{\"features\":[{\"" + name + "\":1}]}", 422, "/features/0",
                "the model has no column " + shown);
  ExpectRefused("{\"features\":{\"" + name + "\":[1]}}", 422, "/features",
                "the model has no column " + shown);
}

TEST_F(FeaturesTest, SaysThatABodyIsNotJsonEvenWhenItAlsoWouldNotFit) {
  for (std::string_view body :
       {"{", "{\"features\":[[1,1,\"a\",true]]", "{\"features\":[[1,1,\"a\",true]]}}",
        "{features:[]}", "{\"features\":[[\"x\",1,\"a\",true]]",
        "{\"features\":[[01,1,\"a\",true]]}", "{\"features\":[[1,1,\"a\",true],]}",
        "{\"features\":[[NaN,1,\"a\",true]]}", "{\"features\":[[1,1,\"\xff\",true]]}",
        "{\"id\":1,}", "[1,2", "{\"features\":[[Infinity]]}", "{\"features\":[[1,1,\"a\",true]]} x",
        "\xef\xbb\xbf{}", "{\"features\":[[1 1]]}"}) {
    ExpectRefused(body, 400, "", "the body is not JSON: at byte ");
  }
  ExpectRefused("", 400, "", "the body is empty");
  ExpectRefused(" \n", 400, "", "the body is empty");
}

TEST_F(FeaturesTest, RefusesDepthWithoutACrash) {
  const std::string deep(10'000, '[');
  // The object is level 1, the list at byte 12 is level 2.
  const std::string sentence =
      "objects and lists are nested too deep: level 65 opens at byte 75, and kJsonDepthMax = 64 "
      "are read; send one value a column, which takes 3 levels";
  ExpectRefused("{\"features\":" + deep + std::string(10'000, ']') + "}", 400, "", sentence);
  ExpectRefused("{\"features\":" + deep, 400, "", sentence);
  EXPECT_EQ(Decode("{\"features\":" + deep)->detail, sentence) << "it may well be JSON";
  // A row with more values than columns is read by another way.
  ExpectRefused("{\"features\":[[1,1,\"a\",true," + deep, 400, "", "level 65 opens at byte");
  std::string objects = "{\"features\":";
  for (int i = 0; i < 10'000; ++i) objects += "{\"a\":";
  ExpectRefused(objects, 400, "", "level 65 opens at byte");
}

TEST_F(FeaturesTest, WhatIsJustNotTooDeepIsToldAsWhatDoesNotFit) {
  const auto nested = [](size_t levels) {
    return "{\"features\":" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  EXPECT_EQ(Decode(nested(64))->http_status, 422);
  EXPECT_EQ(Decode(nested(65))->http_status, 400);
}

TEST_F(FeaturesTest, BoundsTheRowsOfARequest) {
  limits_.batch_rows_max = 2;
  EXPECT_FALSE(Decode(R"({"features":[[1,1,"a",true],[1,1,"a",true]]})").has_value());
  ExpectRefused(R"({"features":[[1,1,"a",true],[1,1,"a",true],[1,1,"a",true]]})", 413, "",
                "'features' holds more than 2 rows; send them in several requests");
  ExpectRefused(R"({"features":{"age":[1,2,3]}})", 413, "", "--batch-rows-max");
}

TEST_F(FeaturesTest, BoundsTheValuesOfAnAnswer) {
  package::Signature signature = FakeModel::SignatureOf({{"a", Type::kFloat64}});
  signature.task = package::Task::kClassification;
  signature.classes = std::vector<int64_t>{1, 2, 3};
  signature.has_probabilities = true;
  Use(signature);
  limits_.answer_cells_max = 6;
  EXPECT_FALSE(Decode(R"({"features":[[1],[2]]})").has_value());
  ExpectRefused(R"({"features":[[1],[2],[3]]})", 413, "",
                "'features' holds more than 2 rows, and an answer at most 6 values, of which this "
                "model gives 3 a row; send the rows in several requests");
  ExpectRefused(R"({"features":{"a":[1,2,3]}})", 413, "", "--answer-cells-max");
  limits_.answer_cells_max = 1;
  EXPECT_FALSE(Decode(R"({"features":[[1]]})").has_value());
  signature.has_probabilities = false;
  Use(signature);
  limits_.answer_cells_max = 3;
  EXPECT_FALSE(Decode(R"({"features":[[1],[2],[3]]})").has_value());
}

TEST_F(FeaturesTest, OneColumnDoesNotTakeMemoryForOthersThatTheBodyCannotHold) {
  constexpr size_t kColumns = 1000;
  std::vector<std::pair<std::string, Type>> columns;
  for (size_t i = 0; i < kColumns; ++i)
    columns.emplace_back("c" + std::to_string(i), Type::kFloat64);
  Use(FakeModel::SignatureOf(columns));
  std::string body = R"({"features":{"c0":[0)";
  while (body.size() < 64'000) body += ",0";
  body += "]}}";
  ExpectRefused(body, 422, "/features/c0",
                "column 'c0' has more than 32 values, for which the other 999 columns have no room "
                "in a body of 64003 bytes");
  EXPECT_LT(workspace_->bytes(), 8 * body.size());
}

TEST_F(FeaturesTest, ReadsColumnsThatFillTheBody) {
  Use(FakeModel::SignatureOf({{"a", Type::kFloat64}, {"b", Type::kFloat64}}));
  std::string column = "[0";
  for (int i = 1; i < 1000; ++i) column += ",0";
  column += "]";
  ASSERT_FALSE(Decode("{\"features\":{\"a\":" + column + ",\"b\":" + column + "}}").has_value());
  EXPECT_EQ(workspace_->input.rows(), 1000);
}

TEST_F(FeaturesTest, ReadsThousandsOfRows) {
  std::string body = "{\"features\":[";
  for (int i = 0; i < 5000; ++i) {
    body += (i ? ",[" : "[") + std::to_string(i) + ",0.5,\"s" + std::to_string(i) + "\",true]";
  }
  ASSERT_FALSE(Decode(body + "]}").has_value());
  EXPECT_EQ(workspace_->input.rows(), 5000);
  EXPECT_EQ(Numbers()[3 * 4999], 4999);
  EXPECT_EQ(Strings()[4999], "s4999");
}

TEST_F(FeaturesTest, MatchesColumnsWhoseNamesNeedEscapes) {
  Use(FakeModel::SignatureOf(
      {{"a\"b", Type::kFloat64}, {"c\\n", Type::kFloat64}, {"ü/~", Type::kFloat64}}));
  ASSERT_FALSE(Decode(R"({"features":{"a\"b":1,"c\\n":2,"ü/~":3}})").has_value());
  EXPECT_THAT(Numbers(), ElementsAre(1, 2, 3));
  ASSERT_FALSE(Decode(R"({"features":{"\u00fc\/~":3,"a\u0022b":1,"c\u005cn":2}})").has_value());
  EXPECT_THAT(Numbers(), ElementsAre(1, 2, 3));
  // `c\n` in JSON is a line feed, which no column has.
  ExpectRefused(R"({"features":{"a\"b":1,"c\n":2,"ü/~":3}})", 422, "/features/c\n", "c\n");
  ExpectRefused(R"({"features":{"a\"b":1,"c\\n":2,"ü/~":"x"}})", 422, "/features/ü~1~0", "ü/~");
}

}  // namespace
}  // namespace penstock::protocol
