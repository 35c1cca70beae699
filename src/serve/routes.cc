// SPDX-License-Identifier: Apache-2.0
#include "serve/routes.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/names.h"

namespace penstock::serve {

Status Routes::Add(std::shared_ptr<const Snapshot> snapshot) {
  PENSTOCK_CHECK(snapshot != nullptr);
  Model& model = models_[snapshot->name()];
  const int64_t version = snapshot->version();
  if (model.versions.empty()) model.default_version = version;
  const std::string name = snapshot->name();
  if (!model.versions.emplace(version, std::move(snapshot)).second) {
    return AlreadyExists(fmt::format(
        "version {} of model '{}' is routed already; give it another number", version, name));
  }
  return {};
}

Status Routes::SetDefault(std::string_view name, int64_t version) {
  PENSTOCK_TRY(Find(name, version));
  models_.find(name)->second.default_version = version;
  return {};
}

Result<const Snapshot*> Routes::Only() const {
  if (models_.empty())
    return NotFound("no model is loaded yet; ask /health/ready when to come back");
  if (models_.size() > 1) {
    return FailedPrecondition(
        fmt::format("{} models are served here ({}); name one: POST /models/{{name}}/predict",
                    models_.size(), QuotedList(Names())));
  }
  const Model& model = models_.begin()->second;
  return model.versions.at(model.default_version).get();
}

Result<const Snapshot*> Routes::Find(std::string_view name) const {
  const Model* model = PENSTOCK_TRY(FindModel(name));
  return model->versions.at(model->default_version).get();
}

Result<const Snapshot*> Routes::Find(std::string_view name, int64_t version) const {
  const Model* model = PENSTOCK_TRY(FindModel(name));
  const auto found = model->versions.find(version);
  if (found != model->versions.end()) return found->second.get();
  std::vector<std::string> versions;
  for (const auto& [number, snapshot] : model->versions)
    versions.push_back(fmt::format("{}", number));
  return NotFound(fmt::format("version {} of model '{}' is not served here; {} {}", version,
                              ShownName(name), versions.size() == 1 ? "there is" : "there are",
                              QuotedList(versions)));
}

std::vector<std::shared_ptr<const Snapshot>> Routes::All() const {
  std::vector<std::shared_ptr<const Snapshot>> all;
  for (const auto& [name, model] : models_) {
    for (const auto& [version, snapshot] : model.versions) all.push_back(snapshot);
  }
  return all;
}

bool Routes::IsDefault(const Snapshot& snapshot) const {
  const auto found = models_.find(snapshot.name());
  return found != models_.end() && found->second.default_version == snapshot.version();
}

Result<const Routes::Model*> Routes::FindModel(std::string_view name) const {
  const auto found = models_.find(name);
  if (found != models_.end()) return &found->second;
  const std::vector<std::string> names = Names();
  if (names.empty())
    return NotFound(
        fmt::format("model '{}' is not served here; no model is loaded yet", ShownName(name)));
  return NotFound(fmt::format("model '{}' is not served here; {} {}.{}", ShownName(name),
                              names.size() == 1 ? "there is" : "there are", QuotedList(names),
                              DidYouMean(name, names)));
}

std::vector<std::string> Routes::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, model] : models_) names.push_back(name);
  return names;
}

}  // namespace penstock::serve
