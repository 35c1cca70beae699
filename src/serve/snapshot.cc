// SPDX-License-Identifier: Apache-2.0
#include "serve/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/predictions_json.h"
#include "json/text.h"

namespace penstock::serve {
namespace {

constexpr std::string_view kParityFile = "parity.json";
// Handing a request over to a batch costs about a tenth of this.
constexpr double kBatchedCallNsMin = 1'000;

std::string Quoted(std::string_view text) {
  std::string quoted;
  json::AppendString(quoted, text);
  return quoted;
}

// Header values are visible ASCII (RFC 9110, section 5.5): everything else in a name is
// percent-encoded.
std::string HeaderValue(std::string_view text) {
  std::string value;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && byte != '%') {
      value += c;
    } else {
      value += fmt::format("%{:02X}", byte);
    }
  }
  return value;
}

void CopyScalars(const json::Value& from, json::Value& to) {
  const json::Object* members = from.if_object();
  if (members == nullptr) return;
  for (const auto& [name, value] : *members) {
    if (!value.if_array() && !value.if_object()) to.Set(name, value);
  }
}

// The figures of parity.json, and of its candidate that is served. Rows stay out: /health is asked
// every few seconds.
Result<json::Value> ParitySummary(const package::Package& package, std::string_view engine_file) {
  const bool has_parity =
      std::ranges::any_of(package.manifest().files,
                          [](const package::FileEntry& file) { return file.path == kParityFile; });
  if (!has_parity) return json::Value();
  const json::Value report = PENSTOCK_TRY(json::Parse(PENSTOCK_TRY(package.Read(kParityFile))));
  json::Value summary{json::Object{}};
  CopyScalars(report, summary);
  const json::Value* candidates = report.Find("candidates");
  if (candidates == nullptr || !candidates->if_array()) return summary;
  for (const json::Value& candidate : *candidates->if_array()) {
    const json::Value* file = candidate.Find("file");
    if (file != nullptr && file->if_string() && *file->if_string() == engine_file)
      CopyScalars(candidate, summary);
  }
  return summary;
}

}  // namespace

Snapshot::Snapshot(std::unique_ptr<engine::Model> model, ModelId id, const SnapshotOptions& options,
                   const Clock& clock, observe::Metrics& metrics)
    : model_(std::move(model)),
      id_(std::move(id)),
      limits_(options.answers_beyond_limits ? package::Limits::kAnswerBeyond
                                            : package::Limits::kRefuse),
      loaded_at_us_(clock.NowUs()),
      metrics_(metrics, id_.name, id_.version),
      columns_(model_->signature()),
      name_header_(HeaderValue(id_.name)),
      version_header_(fmt::format("{}", id_.version)),
      answer_prefix_("{\"model\":"),
      answer_texts_(engine::AnswerTexts(model_->signature())) {
  json::AppendString(answer_prefix_, id_.name);
  answer_prefix_ += fmt::format(",\"version\":{},\"id\":\"", id_.version);
  for (const std::string& name : columns_.names()) column_keys_.push_back(Quoted(name));
  // So that giving a workspace back never needs memory.
  idle_.reserve(kIdleWorkspacesMax);
}

Result<std::shared_ptr<const Snapshot>> Snapshot::Load(const package::Package& package, ModelId id,
                                                       const SnapshotOptions& options,
                                                       const Clock& clock,
                                                       observe::Metrics& metrics) {
  std::unique_ptr<engine::Model> model = PENSTOCK_TRY(engine::Load(package, options.engine));
  std::shared_ptr<Snapshot> snapshot(
      new Snapshot(std::move(model), std::move(id), options, clock, metrics));
  snapshot->digest_ = package.digest();
  snapshot->engine_reason_ = package.manifest().engine_reason;
  snapshot->parity_ = PENSTOCK_TRY(ParitySummary(package, snapshot->engine_entry().file));
  snapshot->ReturnWorkspace(PENSTOCK_TRY(snapshot->TakeWorkspace()));
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

Result<std::shared_ptr<const Snapshot>> Snapshot::Make(std::unique_ptr<engine::Model> model,
                                                       ModelId id, const SnapshotOptions& options,
                                                       const Clock& clock,
                                                       observe::Metrics& metrics) {
  std::shared_ptr<Snapshot> snapshot(
      new Snapshot(std::move(model), std::move(id), options, clock, metrics));
  snapshot->ReturnWorkspace(PENSTOCK_TRY(snapshot->TakeWorkspace()));
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

double Snapshot::PredictedNs(int64_t rows) const {
  const engine::Cost cost = model_->cost();
  if (cost.call_ns <= 0 && cost.row_ns <= 0) return std::numeric_limits<double>::infinity();
  return cost.call_ns + cost.row_ns * static_cast<double>(rows);
}

bool Snapshot::gains_from_batches() const {
  const engine::Cost cost = model_->cost();
  return cost.call_ns >= kBatchedCallNsMin && cost.call_ns > cost.row_ns;
}

Result<std::unique_ptr<Workspace>> Snapshot::TakeWorkspace() const {
  {
    const std::lock_guard lock(idle_mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Workspace> workspace = std::move(idle_.back());
      idle_.pop_back();
      return workspace;
    }
  }
  std::vector<int> order(columns_.size());
  std::iota(order.begin(), order.end(), 0);
  return std::make_unique<Workspace>(
      Workspace{.instance = PENSTOCK_TRY(model_->NewInstance()),
                .input = package::Tensors(&model_->signature(), &model_->entry().encoding, limits_),
                .output = {},
                .column_order = std::move(order)});
}

void Snapshot::ReturnWorkspace(std::unique_ptr<Workspace> workspace) const {
  if (workspace->bytes() > kWorkspaceBytesMax) return;
  const std::lock_guard lock(idle_mutex_);
  if (idle_.size() < kIdleWorkspacesMax) idle_.push_back(std::move(workspace));
}

}  // namespace penstock::serve
