// SPDX-License-Identifier: Apache-2.0
#include "engine/own_format.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "engine/own_program.h"

namespace penstock::engine {
namespace {

using testing::HasSubstr;

template <typename T>
std::string_view BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

const std::vector<double>& Coefficients() {
  static const std::vector<double> coefficients = {1, -2, 0.5};
  return coefficients;
}
const std::vector<float>& Intercept() {
  static const std::vector<float> intercept = {0.25F};
  return intercept;
}

json::Value LinearSteps() {
  return *json::Parse(R"([{"op": "linear", "coef": "c", "intercept": "b", "link": "identity"}])");
}

std::vector<OwnArray> LinearArrays() {
  return {{"c", ElementType::kFloat64, {1, 3}, BytesOf(Coefficients())},
          {"b", ElementType::kFloat32, {1}, BytesOf(Intercept())}};
}

std::string LinearFile() { return *WriteOwn(LinearSteps(), LinearArrays()); }

// A file with this header, and data behind it.
std::string FileWithHeader(std::string_view header, size_t data_bytes) {
  std::string file(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(file.data(), &length, sizeof(length));
  return file.append(header).append(data_bytes, '\0');
}

TEST(OwnFormat, IsReadAsItWasWritten) {
  const std::string bytes = LinearFile();
  const auto file = ReadOwn(bytes);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->steps, LinearSteps());
  EXPECT_EQ(file->Find("c")->Numbers(), Coefficients());
  EXPECT_EQ(file->Find("c")->shape, (std::vector<int64_t>{1, 3}));
  EXPECT_THAT(file->Find("b")->Numbers(), testing::ElementsAre(0.25));
  EXPECT_EQ(file->Find("x"), nullptr);
  EXPECT_EQ(LinearFile(), bytes);
  EXPECT_EQ((bytes.size() - 4 - 24) % 8, 0U) << "arrays begin at a multiple of 8";
}

TEST(OwnFormat, IntegersOfEveryWidth) {
  const std::vector<int32_t> narrow = {-1, 2};
  const std::vector<uint8_t> bytes = {0, 255};
  EXPECT_THAT(*(OwnArray{"i", ElementType::kInt32, {2}, BytesOf(narrow)}).Integers(),
              testing::ElementsAre(-1, 2));
  EXPECT_THAT(*(OwnArray{"u", ElementType::kUInt8, {2}, BytesOf(bytes)}).Integers(),
              testing::ElementsAre(0, 255));
  EXPECT_EQ(LinearArrays()[0].Integers().status().message(),
            "array 'c' has elements of type F64; integers were expected");
}

TEST(OwnFormat, WriteRefusesArraysThatDoNotFitTheirShape) {
  std::vector<OwnArray> arrays = LinearArrays();
  arrays[0].shape = {2, 3};
  EXPECT_EQ(WriteOwn(LinearSteps(), arrays).status().message(),
            "array 'c' has 24 bytes; 48 were expected for its shape");
  arrays = LinearArrays();
  arrays[1].name = "c";
  EXPECT_THAT(WriteOwn(LinearSteps(), arrays).status().message(),
              HasSubstr("array 'c' stands twice"));
}

TEST(OwnFormat, EveryTruncationIsRefused) {
  const std::string bytes = LinearFile();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ReadOwn(std::string_view(bytes).substr(0, size)).status().code(),
              Code::kInvalidArgument)
        << size;
  }
}

TEST(OwnFormat, AHostileHeaderIsRefused) {
  const auto message = [](std::string_view array) {
    return ReadOwn(FileWithHeader(
                       fmt::format(R"({{"__metadata__":{{"penstock":"[]"}},"a":{}}})", array), 16))
        .status()
        .message();
  };
  EXPECT_EQ(message(R"({"dtype":"F64","shape":[2],"data_offsets":[0,16]})"), "")
      << "this one is right";
  EXPECT_THAT(message(R"({"dtype":"F64","shape":[2],"data_offsets":[8,24]})"),
              HasSubstr("bytes 8 to 24 of 16"));
  EXPECT_THAT(message(R"({"dtype":"F64","shape":[1],"data_offsets":[0,8]})"),
              HasSubstr("8 bytes belong to no array"));
  EXPECT_THAT(message(R"({"dtype":"F64","shape":[2],"data_offsets":[16,0]})"),
              HasSubstr("bytes 16 to 0"));
  EXPECT_THAT(message(R"({"dtype":"F64","shape":[-2],"data_offsets":[0,16]})"),
              HasSubstr("a dimension of -2"));
  EXPECT_THAT(message(R"({"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[0,16]})"),
              HasSubstr("a dimension of"));
  EXPECT_THAT(message(R"({"dtype":"F16","shape":[8],"data_offsets":[0,16]})"),
              HasSubstr("'F16' is no element type"));
  EXPECT_THAT(message(R"({"dtype":"F64","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,16]})"),
              HasSubstr("9 dimensions"));
  EXPECT_FALSE(ReadOwn(FileWithHeader(R"({"__metadata__":{"penstock":"{}"}})", 0)).ok());
  EXPECT_FALSE(ReadOwn(FileWithHeader(R"({"__metadata__":{}})", 0)).ok());
  EXPECT_FALSE(ReadOwn(std::string(8, '\xff') + "{}").ok());
}

Status ProgramStatus(std::string_view steps, std::vector<OwnArray> arrays = LinearArrays()) {
  return OwnProgram::FromBytes(*WriteOwn(*json::Parse(steps), arrays), {.numbers = 3}).status();
}

TEST(OwnProgram, StepsThatMakeNoSenseAreNamed) {
  EXPECT_EQ(ProgramStatus("[]").message(), "the evaluator has no step");
  EXPECT_EQ(ProgramStatus(R"([{"op":"svm"}])").message(),
            "step 0 of the evaluator: 'svm' stands last; a model ('linear', 'forest' or "
            "'boosting'), and nothing else, was expected at the end");
  EXPECT_THAT(ProgramStatus(R"([{"op":"scale","center":"b"}])").message(),
              HasSubstr("'scale' stands last"));
  EXPECT_THAT(ProgramStatus(R"([{"op":"svm"},{"op":"linear"}])").message(),
              HasSubstr("'svm' is no operation before a model"));
  EXPECT_THAT(ProgramStatus(R"([{"op":"scale","center":"b"},{"op":"linear"}])").message(),
              HasSubstr("array 'b' has 1 elements; one for each of the 3 features was expected"));
  EXPECT_THAT(
      ProgramStatus(R"([{"op":"linear","coef":"z","intercept":"b","link":"identity"}])").message(),
      HasSubstr("member 'coef' names the array 'z', which the file does not have"));
  EXPECT_THAT(
      ProgramStatus(R"([{"op":"linear","coef":"b","intercept":"b","link":"identity"}])").message(),
      HasSubstr("do not fit together and 3 features"));
  EXPECT_THAT(
      ProgramStatus(R"([{"op":"linear","coef":"c","intercept":"b","link":"softmax"}])").message(),
      HasSubstr("need 2 outputs or more"));
  EXPECT_THAT(
      ProgramStatus(R"([{"op":"linear","coef":"c","intercept":"b","link":"probit"}])").message(),
      HasSubstr("'probit' is no link"));
  EXPECT_THAT(ProgramStatus(
                  R"([{"op":"linear","coef":"c","intercept":"b","link":"identity","dtype":"f2"}])")
                  .message(),
              HasSubstr("'dtype' is 'f2'"));
}

// One tree of three nodes.
TreeNodes Stump() {
  return {.roots = {0},
          .feature = {1, -2, -2},
          .threshold = {0.5, -2, -2},
          .left = {1, -1, -1},
          .right = {2, -1, -1},
          .missing_left = {1, 0, 0},
          .category_begin = {},
          .category_count = {},
          .category_left = {}};
}

std::string ForestError(const std::function<void(TreeNodes&)>& change) {
  TreeNodes nodes = Stump();
  change(nodes);
  return Forest::Make(nodes, {0, 10, 20}, 1, 2).status().message();
}

TEST(Forest, WhatIsNoForestIsRefused) {
  EXPECT_EQ(ForestError([](TreeNodes&) {}), "");
  EXPECT_EQ(ForestError([](TreeNodes& n) { n.right[0] = 0; }),
            "node 0 has two parents, or is its own ancestor");
  EXPECT_EQ(ForestError([](TreeNodes& n) { n.right[0] = 1; }),
            "node 1 has two parents, or is its own ancestor");
  EXPECT_EQ(ForestError([](TreeNodes& n) { n.left[0] = 3; }),
            "node 3 is not one of the trees' 3 nodes");
  EXPECT_EQ(ForestError([](TreeNodes& n) { n.left[0] = -1; }),
            "node -1 is not one of the trees' 3 nodes");
  EXPECT_EQ(ForestError([](TreeNodes& n) { n.roots = {0, 0}; }),
            "node 0 has two parents, or is its own ancestor");
  EXPECT_EQ(ForestError([](TreeNodes& n) { n.roots = {}; }), "the model has no trees");
  EXPECT_EQ(ForestError([](TreeNodes& n) { n.feature[0] = 2; }),
            "node 0 splits on feature 2, of 2");
  EXPECT_EQ(ForestError([](TreeNodes& n) { n.left.pop_back(); }),
            "the arrays of the trees' nodes differ in length");
  EXPECT_EQ(Forest::Make(Stump(), {0, 10}, 1, 2).status().message(),
            "'value' does not fit the forest's nodes");
  EXPECT_EQ(Forest::Make(Stump(), {0, 10, 20}, 0, 2).status().message(),
            "'value' does not fit the forest's nodes");
}

double Answer(double threshold, float x) {
  TreeNodes nodes = Stump();
  nodes.threshold[0] = threshold;
  const float row[] = {0, x};
  double out = -1;
  Forest::Make(nodes, {0, 10, 20}, 1, 2)->Evaluate(row, 1, &out);
  return out;
}

TEST(Forest, AFloatIsComparedWithTheDoubleThreshold) {
  const float tenth = 0.1F;  // above 0.1
  EXPECT_EQ(Answer(0.1, tenth), 20);
  EXPECT_EQ(Answer(static_cast<double>(tenth), tenth), 10);
  EXPECT_EQ(Answer(0.1, std::nextafter(tenth, 0.0F)), 10);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Answer(1e300, infinity), 20);
  EXPECT_EQ(Answer(1e300, std::numeric_limits<float>::max()), 10);
  EXPECT_EQ(Answer(-1e300, -infinity), 10);
  EXPECT_EQ(Answer(-1e300, -std::numeric_limits<float>::max()), 20);
  EXPECT_EQ(Answer(0.1, std::numeric_limits<float>::quiet_NaN()), 10)
      << "missing values go left here";
}

}  // namespace
}  // namespace penstock::engine
