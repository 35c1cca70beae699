// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include "cli/commands.h"
#include "engine/engine.h"
#include "engine/predictions_json.h"
#include "json/text.h"
#include "os/process.h"
#include "package/features.h"

namespace penstock::cli {
namespace {

constexpr size_t kFeaturesBytesMax = size_t{256} << 20;

Result<std::string> ReadFeatures(const std::string& path) {
  if (path != "-") return os::FileSystem::System().Read(path);
  return os::ReadAll(os::FileDescriptor(dup(STDIN_FILENO)), kFeaturesBytesMax);
}

std::string NameOf(const std::string& path) {
  return path == "-" ? "standard input" : fmt::format("'{}'", path);
}

// The features of a request's body, or a file that holds the features themselves.
Result<json::Value> FeaturesOf(const std::string& path) {
  const Result<json::Value> body = json::Parse(PENSTOCK_TRY(ReadFeatures(path)));
  if (!body.ok()) return body.status().Prefixed(NameOf(path));
  const json::Value* features = body->Find("features");
  return features != nullptr ? *features : *body;
}

}  // namespace

Status Predict(const PredictCommand& command, Terminal& terminal) {
  const json::Value features = PENSTOCK_TRY(FeaturesOf(command.features));
  registry::Registry registry = PENSTOCK_TRY(OpenRegistry());
  const registry::ModelVersion version = PENSTOCK_TRY(registry.Resolve(command.version));
  const std::filesystem::path folder = PENSTOCK_TRY(registry.Materialize(version));
  const package::Package package =
      PENSTOCK_TRY(package::Package::Open(os::FileSystem::System(), folder));
  const std::unique_ptr<engine::Model> model = PENSTOCK_TRY(engine::Load(package));
  const package::Signature& signature = model->signature();

  package::Tensors tensors(&signature, &model->entry().encoding);
  const Status set =
      package::SetFeatures(features, package::Columns(signature), "/features", tensors);
  if (!set.ok())
    return Status(set.code(), fmt::format("{} at {}: {}", NameOf(command.features), set.pointer(),
                                          set.message()));
  const std::unique_ptr<engine::Instance> instance = PENSTOCK_TRY(model->NewInstance());
  engine::Predictions predictions;
  PENSTOCK_TRY(instance->Predict(tensors, predictions));

  std::string answer = "{\"model\":";
  json::AppendString(answer, version.name);
  answer += fmt::format(",\"version\":{},", version.version);
  PENSTOCK_TRY(engine::AppendPredictions(signature, engine::AnswerTexts(signature), predictions,
                                         {.count = predictions.rows}, answer));
  terminal.Out(answer + "}\n");
  return {};
}

}  // namespace penstock::cli
