// SPDX-License-Identifier: Apache-2.0
// The documents that are expected are written by OpenAPI 3.1 and JSON Schema 2020-12;
// tests/system/test_server.py holds a served one against validators of both.
#include "protocol/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "json/value.h"
#include "serve/fake_model.h"

namespace penstock::protocol {
namespace {

using package::Type;
using serve::FakeModel;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

// Members in the order of their names, which JSON does not tell apart.
json::Value Sorted(json::Value value) {
  if (const json::Array* array = value.if_array()) {
    json::Array sorted;
    for (const json::Value& item : *array) sorted.push_back(Sorted(item));
    return sorted;
  }
  const json::Object* object = value.if_object();
  if (object == nullptr) return value;
  json::Object sorted;
  for (const auto& [name, member] : *object) sorted.emplace_back(name, Sorted(member));
  std::ranges::sort(sorted, {}, [](const auto& member) { return member.first; });
  return sorted;
}

MATCHER_P(IsJson, text, "") {
  *result_listener << "which is " << json::Write(arg);
  return Sorted(arg) == Sorted(*json::Parse(text));
}

class OpenApiTest : public testing::Test {
 protected:
  void Add(std::string name, int64_t version, package::Signature signature,
           const serve::SnapshotOptions& options = {}) {
    auto snapshot =
        *serve::Snapshot::Make(std::make_unique<FakeModel>(std::move(signature)),
                               {std::move(name), version}, options, Clock::System(), metrics_);
    ASSERT_TRUE(routes_.Add(std::move(snapshot)).ok());
  }

  json::Value Document() const { return *json::Parse(OpenApiDocument(routes_, "1.2.3")); }

  // What a JSON pointer (RFC 6901) leads to; null where there is nothing.
  json::Value At(std::string_view pointer) const {
    json::Value value = Document();
    while (!pointer.empty()) {
      pointer.remove_prefix(1);
      const std::string token(pointer.substr(0, pointer.find('/')));
      pointer.remove_prefix(token.size());
      if (const json::Array* array = value.if_array()) {
        value = json::Value(array->at(std::stoul(token)));
      } else {
        const json::Value* member = value.Find(token);
        value = member == nullptr ? json::Value() : json::Value(*member);
      }
    }
    return value;
  }
  // The schemas of the columns of m@1, in their order.
  json::Value Columns() const {
    return At("/components/schemas/m.1.Request/properties/features/oneOf/1/items/prefixItems");
  }
  json::Value Answer(const std::string& member) const {
    return At("/components/schemas/m.1.Answer/properties/" + member);
  }

  std::vector<std::string> Paths() const {
    const json::Value paths = At("/paths");
    std::vector<std::string> names;
    for (const auto& [path, operations] : *paths.if_object()) names.push_back(path);
    return names;
  }

  observe::Metrics metrics_{1};
  serve::Routes routes_;
};

package::Signature OneNumber() { return FakeModel::SignatureOf({{"a", Type::kFloat64}}); }

package::Signature Classifier(package::Classes classes) {
  package::Signature signature = OneNumber();
  signature.task = package::Task::kClassification;
  signature.classes = std::move(classes);
  return signature;
}

TEST_F(OpenApiTest, ColumnsHaveTheirTypes) {
  package::Signature signature = FakeModel::SignatureOf({{"b", Type::kBool},
                                                         {"i", Type::kInt64},
                                                         {"f", Type::kFloat32},
                                                         {"d", Type::kFloat64},
                                                         {"s", Type::kString}});
  Add("m", 1, signature);
  EXPECT_THAT(Columns(), IsJson(R"([{"type": ["boolean", "integer"], "minimum": 0, "maximum": 1},
                                    {"type": "integer"}, {"type": "number"}, {"type": "number"},
                                    {"type": "string"}])"));
}

TEST_F(OpenApiTest, ColumnsThatMayBeMissingTakeNull) {
  package::Signature signature = FakeModel::SignatureOf(
      {{"b", Type::kBool}, {"d", Type::kFloat64}, {"s", Type::kString}, {"c", Type::kString}});
  for (package::Input& input : signature.inputs) input.allows_missing = true;
  signature.inputs[3].categories = {"north", "sou\"th"};
  Add("m", 1, signature);
  EXPECT_THAT(Columns(),
              IsJson(R"([{"type": ["boolean", "integer", "null"], "minimum": 0, "maximum": 1},
                         {"type": ["number", "null"]}, {"type": ["string", "null"]},
                         {"type": ["string", "null"], "enum": ["north", "sou\"th", null]}])"));
}

TEST_F(OpenApiTest, CategoriesAreAnEnumUnlessTheyAreTooMany) {
  package::Signature signature =
      FakeModel::SignatureOf({{"few", Type::kString}, {"many", Type::kString}});
  signature.inputs[0].categories = {"a", "b"};
  for (int i = 0; i < 1001; ++i) signature.inputs[1].categories.push_back(std::to_string(i));
  Add("m", 1, signature);
  EXPECT_THAT(Columns(), IsJson(R"([{"type": "string", "enum": ["a", "b"]}, {"type": "string"}])"));
}

TEST_F(OpenApiTest, BoundsAreThoseThatTheServerHolds) {
  package::Signature signature =
      FakeModel::SignatureOf({{"i", Type::kInt64}, {"f", Type::kFloat32}});
  signature.inputs[0].abs_max = package::Bound{.value = 16777216};
  signature.inputs[1].abs_max = package::Bound{.value = 3.4e38, .refused_by_original = true};
  Add("m", 1, signature);
  const std::string refused = R"({"type": "number", "minimum": -3.4e38, "maximum": 3.4e38})";
  EXPECT_THAT(Columns(),
              IsJson(R"([{"type": "integer", "minimum": -16777216.0, "maximum": 16777216.0}, )" +
                     refused + "]"));
  routes_ = {};
  Add("m", 1, signature, {.answers_beyond_limits = true});
  EXPECT_THAT(Columns(), IsJson(R"([{"type": "integer"}, )" + refused + "]"));
}

TEST_F(OpenApiTest, ARequestHasOneOfFourShapes) {
  Add("m", 1, FakeModel::SignatureOf({{"a/b", Type::kFloat64}, {"ü\"", Type::kString}}));
  const std::string request = R"({
    "type": "object", "required": ["features"], "additionalProperties": false,
    "properties": {"features": {"oneOf": [
      {"title": "records", "type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["a/b", "ü\""], "additionalProperties": false,
        "properties": {"a/b": {"type": "number"}, "ü\"": {"type": "string"}}}},
      {"title": "rows", "type": "array", "minItems": 1, "items": {
        "type": "array", "minItems": 2, "maxItems": 2, "items": false,
        "prefixItems": [{"type": "number"}, {"type": "string"}]}},
      {"title": "one record",
        "type": "object", "required": ["a/b", "ü\""], "additionalProperties": false,
        "properties": {"a/b": {"type": "number"}, "ü\"": {"type": "string"}}},
      {"title": "columns",
        "type": "object", "required": ["a/b", "ü\""], "additionalProperties": false,
        "properties": {"a/b": {"type": "array", "minItems": 1, "items": {"type": "number"}},
                       "ü\"": {"type": "array", "minItems": 1, "items": {"type": "string"}}}}
      ]}}})";
  EXPECT_THAT(At("/components/schemas/m.1.Request"), IsJson(request));
}

TEST_F(OpenApiTest, ClassesKeepTheTypeOfTheirLabels) {
  const std::pair<package::Classes, std::string> cases[] = {
      {std::vector<int64_t>{-1, 9007199254740993}, "[-1, 9007199254740993]"},
      {std::vector<double>{0.5, 1}, "[0.5, 1.0]"},
      {std::vector<std::string>{"no", "y\"es"}, R"(["no", "y\"es"])"},
      {std::vector<bool>{false, true}, "[false, true]"}};
  for (const auto& [classes, labels] : cases) {
    routes_ = {};
    Add("m", 1, Classifier(classes));
    EXPECT_THAT(Answer("predictions"),
                IsJson(R"({"type": "array", "minItems": 1, "items": {"enum": )" + labels + "}}"));
    EXPECT_THAT(At("/components/schemas/m.1.Answer/required"),
                IsJson(R"(["model", "version", "id", "predictions"])"));
  }
}

TEST_F(OpenApiTest, ProbabilitiesAreAsManyAsClassesAndNameTheirOrder) {
  package::Signature signature = Classifier(std::vector<std::string>{"no", "maybe", "yes"});
  signature.has_probabilities = true;
  Add("m", 1, signature);
  EXPECT_THAT(Answer("probabilities"), IsJson(R"({"type": "array", "minItems": 1,
    "description": "One list a row, in the order of the classes [\"no\",\"maybe\",\"yes\"].",
    "items": {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "number"}}})"));
  EXPECT_THAT(At("/components/schemas/m.1.Answer/required"),
              IsJson(R"(["model", "version", "id", "predictions", "probabilities"])"));
}

TEST_F(OpenApiTest, TooManyClassesAreNotListed) {
  package::Signature signature = Classifier(std::vector<int64_t>(1001, 7));
  signature.has_probabilities = true;
  Add("m", 1, signature);
  EXPECT_THAT(Answer("predictions"), IsJson(R"({"type": "array", "minItems": 1, "items": {}})"));
  EXPECT_THAT(Answer("probabilities"), IsJson(R"({"type": "array", "minItems": 1, "items":
    {"type": "array", "minItems": 1001, "maxItems": 1001, "items": {"type": "number"}}})"));
}

TEST_F(OpenApiTest, NumbersThatArePredictedHaveTypeAndWidth) {
  const std::pair<Type, std::string> cases[] = {{Type::kBool, "boolean"},
                                                {Type::kInt64, "integer"},
                                                {Type::kFloat32, "number"},
                                                {Type::kFloat64, "number"},
                                                {Type::kString, "string"}};
  for (const auto& [type, name] : cases) {
    for (const int64_t width : {0, 1, 3}) {
      package::Signature signature = OneNumber();
      signature.prediction_type = type;
      signature.prediction_width = width;
      routes_ = {};
      Add("m", 1, signature);
      const std::string one = R"({"type": ")" + name + R"("})";
      const std::string count = std::to_string(width);
      const std::string list = R"({"type": "array", "minItems": )" + count + R"(, "maxItems": )" +
                               count + R"(, "items": )" + one + "}";
      EXPECT_THAT(Answer("predictions"), IsJson(R"({"type": "array", "minItems": 1, "items": )" +
                                                (width == 0 ? one : list) + "}"));
    }
  }
}

TEST_F(OpenApiTest, AnAnswerSaysWhichVersionGaveIt) {
  Add("m", 1, OneNumber());
  EXPECT_THAT(At("/components/schemas/m.1.Answer/properties"), IsJson(R"({
    "model": {"const": "m"}, "version": {"const": 1},
    "id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "predictions": {"type": "array", "minItems": 1, "items": {"type": "number"}}})"));
}

TEST_F(OpenApiTest, OneModelHasTheShortPath) {
  Add("churn", 3, OneNumber());
  EXPECT_THAT(Paths(),
              ElementsAre("/predict", "/models/churn/predict", "/models/churn/versions/3/predict",
                          "/health/live", "/health/ready", "/health"));
  EXPECT_THAT(At("/openapi"), IsJson(R"("3.1.0")"));
  EXPECT_THAT(At("/info"), IsJson(R"({"title": "Penstock", "version": "1.2.3"})"));
}

// Every string that stands under `key`, at any depth.
void Collect(const json::Value& value, std::string_view key, std::vector<std::string>& found) {
  if (const json::Array* array = value.if_array()) {
    for (const json::Value& item : *array) Collect(item, key, found);
  }
  if (value.if_object() == nullptr) return;
  for (const auto& [name, member] : *value.if_object()) {
    if (name == key) found.push_back(*member.if_string());
    Collect(member, key, found);
  }
}

TEST_F(OpenApiTest, EveryVersionHasItsPathAndItsSchemas) {
  Add("churn", 2, FakeModel::SignatureOf({{"old", Type::kInt64}}));
  Add("churn", 10, FakeModel::SignatureOf({{"new", Type::kString}}));
  Add("wört/er", 1, OneNumber());
  ASSERT_TRUE(routes_.SetDefault("churn", 10).ok());
  EXPECT_THAT(Paths(), UnorderedElementsAre(
                           "/models/churn/predict", "/models/churn/versions/2/predict",
                           "/models/churn/versions/10/predict", "/models/w%C3%B6rt%2Fer/predict",
                           "/models/w%C3%B6rt%2Fer/versions/1/predict", "/health/live",
                           "/health/ready", "/health"))
      << "/predict would not say which model";

  const json::Value document = Document();
  const auto request_of = [&](std::string_view path) {
    const json::Value operation = *document.Find("paths")->Find(path)->Find("post");
    std::vector<std::string> references;
    Collect(*operation.Find("requestBody"), "$ref", references);
    return references;
  };
  EXPECT_THAT(request_of("/models/churn/predict"),
              ElementsAre("#/components/schemas/churn.10.Request"));
  EXPECT_THAT(request_of("/models/churn/versions/2/predict"),
              ElementsAre("#/components/schemas/churn.2.Request"));
  EXPECT_THAT(json::Write(At("/components/schemas/churn.2.Request")),
              AllOf(HasSubstr("\"old\""), Not(HasSubstr("\"new\""))));
  EXPECT_THAT(json::Write(At("/components/schemas/churn.10.Request")),
              AllOf(HasSubstr("\"new\""), Not(HasSubstr("\"old\""))));

  std::vector<std::string> references;
  Collect(document, "$ref", references);
  EXPECT_THAT(references, testing::Contains("#/components/schemas/w_c3_b6rt_2fer.1.Answer"));
  for (const std::string& reference : references)
    EXPECT_FALSE(At(reference.substr(1)).is_null()) << reference;
  std::vector<std::string> operations;
  Collect(document, "operationId", operations);
  EXPECT_EQ(std::set(operations.begin(), operations.end()).size(), operations.size());
}

TEST_F(OpenApiTest, WithoutAModelThereIsHealthAlone) {
  EXPECT_THAT(Paths(), ElementsAre("/health/live", "/health/ready", "/health"));
}

}  // namespace
}  // namespace penstock::protocol
