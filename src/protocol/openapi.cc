// SPDX-License-Identifier: Apache-2.0
#include "protocol/openapi.h"

#include <fmt/format.h>

#include "json/value.h"

namespace penstock::protocol {
namespace {

using json::Array;
using json::Object;
using json::Value;
using package::Input;
using package::Signature;
using package::Type;
using serve::Snapshot;

constexpr size_t kClassesShownMax = 1000;
constexpr size_t kExampleColumnsMax = 300;

Value Reference(std::string_view component) {
  return Object{{"$ref", fmt::format("#/components/{}", component)}};
}

Value SchemaReference(std::string_view name) { return Reference(fmt::format("schemas/{}", name)); }

// What a component may be called: letters, digits, '.', '-', '_' (OpenAPI 3.1, section 4.8.7).
std::string ComponentName(const Snapshot& snapshot, std::string_view what) {
  std::string name;
  for (char c : snapshot.name()) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    name += is_plain ? std::string(1, c) : fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return fmt::format("{}.{}.{}", name, snapshot.version(), what);
}

std::string PathSegment(std::string_view text) {
  std::string segment;
  for (char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    segment += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return segment;
}

Value InputSchema(const Input& input, package::Limits limits) {
  Array types;
  Value schema{Object{}};
  switch (input.type) {
    case Type::kBool:
      types = {"boolean", "integer"};
      schema.Set("minimum", 0);
      schema.Set("maximum", 1);
      break;
    case Type::kInt64:
      types = {"integer"};
      break;
    case Type::kString:
      types = {"string"};
      break;
    case Type::kFloat32:
    case Type::kFloat64:
      types = {"number"};
      break;
  }
  if (!input.categories.empty() && input.categories.size() <= kClassesShownMax) {
    Array categories(input.categories.begin(), input.categories.end());
    if (input.allows_missing) categories.emplace_back();
    schema.Set("enum", std::move(categories));
  }
  if (input.allows_missing) types.push_back("null");
  schema.Set("type", types.size() == 1 ? types[0] : Value(types));
  if (input.abs_max && (limits == package::Limits::kRefuse || input.abs_max->refused_by_original)) {
    schema.Set("minimum", -input.abs_max->value);
    schema.Set("maximum", input.abs_max->value);
  }
  return schema;
}

// A value that the column takes. Made up: a row of the data would be somebody's.
Value MadeUpValue(const Input& input) {
  if (!input.categories.empty()) return Value(input.categories.front());
  switch (input.type) {
    case Type::kBool:
      return Value(false);
    case Type::kInt64:
      return Value(0);
    case Type::kString:
      return Value("text");
    case Type::kFloat32:
    case Type::kFloat64:
      break;
  }
  return Value(0.0);
}

Value MadeUpRequest(const Snapshot& snapshot) {
  Object record;
  for (const Input& input : snapshot.signature().inputs)
    record.emplace_back(input.name, MadeUpValue(input));
  return Object{{"features", Array{std::move(record)}}};
}

Value ListOf(Value items, int64_t count_min) {
  return Object{{"type", "array"}, {"items", std::move(items)}, {"minItems", count_min}};
}

Value ObjectOf(Object properties) {
  Array required;
  for (const auto& [name, schema] : properties) required.push_back(name);
  return Object{{"type", "object"},
                {"properties", std::move(properties)},
                {"required", std::move(required)},
                {"additionalProperties", false}};
}

Value RequestSchema(const Snapshot& snapshot) {
  Object record;
  Object columns;
  Array row;
  for (const Input& input : snapshot.signature().inputs) {
    Value schema = InputSchema(input, snapshot.limits());
    record.emplace_back(input.name, schema);
    columns.emplace_back(input.name, ListOf(schema, 1));
    row.push_back(std::move(schema));
  }
  const auto width = static_cast<int64_t>(row.size());
  Value row_schema = Object{{"type", "array"},
                            {"prefixItems", std::move(row)},
                            {"items", false},
                            {"minItems", width},
                            {"maxItems", width}};
  Value record_schema = ObjectOf(std::move(record));
  const auto shape = [](std::string_view title, Value schema) {
    schema.Set("title", title);
    return schema;
  };
  Array shapes = {
      shape("records", ListOf(record_schema, 1)), shape("rows", ListOf(std::move(row_schema), 1)),
      shape("one record", record_schema), shape("columns", ObjectOf(std::move(columns)))};
  return ObjectOf({{"features", Object{{"oneOf", std::move(shapes)}}}});
}

Value NumberSchema(Type type) {
  switch (type) {
    case Type::kBool:
      return Object{{"type", "boolean"}};
    case Type::kInt64:
      return Object{{"type", "integer"}};
    case Type::kString:
      return Object{{"type", "string"}};
    case Type::kFloat32:
    case Type::kFloat64:
      break;
  }
  return Object{{"type", "number"}};
}

Value ClassSchema(const package::Classes& classes) {
  Array labels;
  std::visit(
      [&](const auto& list) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(list)>, std::monostate>) {
          for (const auto& label : list) labels.emplace_back(label);
        }
      },
      classes);
  if (labels.size() > kClassesShownMax) return Object{};
  return Object{{"enum", std::move(labels)}};
}

// Of a value that an answer's text may be.
Value ValuesSchema(const Array& values) {
  return values.size() > kClassesShownMax ? Value(Object{}) : Value(Object{{"enum", values}});
}

Value OutputSchema(const package::Output& output, int64_t class_count) {
  using Kind = package::Output::Kind;
  const auto list_of = [](Value items, int64_t count) {
    Value list = ListOf(std::move(items), count);
    list.Set("maxItems", count);
    return list;
  };
  switch (output.kind) {
    case Kind::kLabels:
    case Kind::kThreshold:
      return ValuesSchema(output.values);
    case Kind::kProbability:
      return NumberSchema(Type::kFloat64);
    case Kind::kTopK:
      return list_of(ValuesSchema(output.values), output.count);
    case Kind::kProbabilities:
      break;
  }
  if (output.values.empty()) return list_of(NumberSchema(Type::kFloat64), class_count);
  Object properties;
  for (const Value& name : output.values)
    properties.emplace_back(*name.if_string(), NumberSchema(Type::kFloat64));
  return ObjectOf(std::move(properties));
}

Value PredictionSchema(const Signature& signature) {
  if (signature.output) {
    return OutputSchema(*signature.output,
                        static_cast<int64_t>(package::ClassCount(signature.classes)));
  }
  if (package::ClassCount(signature.classes) > 0) return ClassSchema(signature.classes);
  Value number = NumberSchema(signature.prediction_type);
  if (signature.prediction_width == 0) return number;
  Value list = ListOf(std::move(number), signature.prediction_width);
  list.Set("maxItems", signature.prediction_width);
  return list;
}

Value AnswerSchema(const Snapshot& snapshot) {
  const Signature& signature = snapshot.signature();
  Object properties = {{"model", Object{{"const", snapshot.name()}}},
                       {"version", Object{{"const", snapshot.version()}}},
                       {"id", Object{{"type", "string"}, {"pattern", "^[0-9a-f]{32}$"}}},
                       {"predictions", ListOf(PredictionSchema(signature), 1)}};
  if (signature.has_probabilities) {
    const auto count = static_cast<int64_t>(package::ClassCount(signature.classes));
    Value row = ListOf(Object{{"type", "number"}}, count);
    row.Set("maxItems", count);
    Value rows = ListOf(std::move(row), 1);
    if (count <= static_cast<int64_t>(kClassesShownMax)) {
      rows.Set("description",
               fmt::format("One list a row, in the order of the classes {}.",
                           json::Write(ClassSchema(signature.classes).Member("enum").ok()
                                           ? *ClassSchema(signature.classes).Member("enum")
                                           : Value(Array{}))));
    }
    properties.emplace_back("probabilities", std::move(rows));
  }
  return ObjectOf(std::move(properties));
}

Value Content(std::string_view media_type, Value schema) {
  return Object{{std::string(media_type), Object{{"schema", std::move(schema)}}}};
}

Value ProblemResponse(std::string_view description) {
  return Object{{"description", description},
                {"content", Content("application/problem+json", SchemaReference("Problem"))}};
}

Value PredictOperation(const Snapshot& snapshot, std::string_view operation_id,
                       std::string_view summary) {
  Object responses = {
      {"200", Object{{"description", "One prediction a row."},
                     {"headers", Object{{"Penstock-Model", Reference("headers/Model")},
                                        {"Penstock-Version", Reference("headers/Version")},
                                        {"Penstock-Request-Id", Reference("headers/RequestId")}}},
                     {"content", Content("application/json",
                                         SchemaReference(ComponentName(snapshot, "Answer")))}}}};
  for (const char* status : {"400", "404", "413", "415", "422", "500", "503"}) {
    responses.emplace_back(status, Reference(fmt::format("responses/{}", status)));
  }
  if (snapshot.engine_entry().kind == package::EngineKind::kPython)
    responses.emplace_back("504", Reference("responses/504"));
  Value request{Object{{"schema", SchemaReference(ComponentName(snapshot, "Request"))}}};
  if (snapshot.signature().inputs.size() <= kExampleColumnsMax)
    request.Set("example", MadeUpRequest(snapshot));
  Object operation = {
      {"operationId", operation_id},
      {"summary", summary},
      {"parameters", Array{Reference("parameters/RequestKey")}},
      {"requestBody",
       Object{{"required", true}, {"content", Object{{"application/json", std::move(request)}}}}},
      {"responses", std::move(responses)}};
  return Object{{"post", std::move(operation)}};
}

Value GetOperation(std::string_view operation_id, std::string_view summary, std::string_view ok,
                   bool may_be_unready) {
  Object responses = {
      {"200", Object{{"description", ok},
                     {"content", Content("application/json", Object{{"type", "object"}})}}}};
  if (may_be_unready) responses.emplace_back("503", Reference("responses/503"));
  return Object{{"get", Object{{"operationId", operation_id},
                               {"summary", summary},
                               {"responses", std::move(responses)}}}};
}

Object Paths(const serve::Routes& routes) {
  Object paths;
  const Result<const Snapshot*> only = routes.Only();
  if (only.ok()) {
    paths.emplace_back(
        "/predict",
        PredictOperation(**only, "predict", fmt::format("Answer with {}.", (*only)->name())));
  }
  for (const auto& snapshot : routes.All()) {
    const std::string model = fmt::format("/models/{}", PathSegment(snapshot->name()));
    if (routes.IsDefault(*snapshot)) {
      paths.emplace_back(model + "/predict",
                         PredictOperation(*snapshot, ComponentName(*snapshot, "predict_default"),
                                          fmt::format("Answer with the default version of {}.",
                                                      snapshot->name())));
    }
    paths.emplace_back(fmt::format("{}/versions/{}/predict", model, snapshot->version()),
                       PredictOperation(*snapshot, ComponentName(*snapshot, "predict"),
                                        fmt::format("Answer with version {} of {}.",
                                                    snapshot->version(), snapshot->name())));
  }
  paths.emplace_back("/health/live",
                     GetOperation("live", "Whether the process runs.", "It runs.", false));
  paths.emplace_back("/health/ready",
                     GetOperation("ready", "Whether to send requests here.", "Send them.", true));
  paths.emplace_back(
      "/health", GetOperation("health", "What is served, and how it fares.", "It is ready.", true));
  return paths;
}

Value Components(const serve::Routes& routes) {
  const auto header = [](std::string_view description) {
    return Object{{"description", description}, {"schema", Object{{"type", "string"}}}};
  };
  Object schemas = {
      {"Problem",
       Object{{"type", "object"},
              {"description",
               "RFC 9457; pointer is a JSON pointer (RFC 6901) into the request's body."},
              {"properties", Object{{"type", Object{{"type", "string"}}},
                                    {"title", Object{{"type", "string"}}},
                                    {"status", Object{{"type", "integer"}}},
                                    {"detail", Object{{"type", "string"}}},
                                    {"pointer", Object{{"type", "string"}}}}},
              {"required", Array{"type", "title", "status", "detail"}}}}};
  for (const auto& snapshot : routes.All()) {
    schemas.emplace_back(ComponentName(*snapshot, "Request"), RequestSchema(*snapshot));
    schemas.emplace_back(ComponentName(*snapshot, "Answer"), AnswerSchema(*snapshot));
  }
  return Object{
      {"schemas", std::move(schemas)},
      {"headers",
       Object{{"Model", header("The model that answered.")},
              {"Version", header("Its version.")},
              {"RequestId", header("The id of this request; the same as id in the answer.")}}},
      {"parameters",
       Object{{"RequestKey",
               Object{{"name", "X-Request-Id"},
                      {"in", "header"},
                      {"description", "The caller's own key; it comes back as it was sent."},
                      {"schema", Object{{"type", "string"}, {"maxLength", 200}}}}}}},
      {"responses",
       Object{{"400", ProblemResponse("The body is not JSON, or not HTTP.")},
              {"404", ProblemResponse("No such model or version.")},
              {"413", ProblemResponse("Too many bytes or rows.")},
              {"415", ProblemResponse("The body is not sent as application/json.")},
              {"422", ProblemResponse("JSON that does not fit the model.")},
              {"500", ProblemResponse("A fault of the server.")},
              {"503", ProblemResponse("Busy, starting or shutting down; come back later.")},
              {"504", ProblemResponse("The model took too long.")}}}};
}

}  // namespace

std::string OpenApiDocument(const serve::Routes& routes, std::string_view server_version) {
  return json::Write(Object{{"openapi", "3.1.0"},
                            {"info", Object{{"title", "Penstock"}, {"version", server_version}}},
                            {"paths", Paths(routes)},
                            {"components", Components(routes)}});
}

}  // namespace penstock::protocol
