// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "json/value.h"
#include "observe/metrics.h"
#include "package/features.h"
#include "package/package.h"
#include "package/tensors.h"
#include "serve/model_metrics.h"

namespace penstock::serve {

// What one thread needs to answer with one snapshot: buffers, and the engine's way in. Not
// thread-safe.
struct Workspace {
  std::unique_ptr<engine::Instance> instance;
  package::Tensors input;
  engine::Predictions output;
  // The order in which the last record named its columns: the decoder tries it first. A permutation
  // of the columns.
  std::vector<int> column_order;

  // What the buffers hold on to, used or not.
  size_t bytes() const { return input.bytes() + output.bytes(); }
  // Gives the memory of a large call back: a workspace keeps at most kWorkspaceBytesMax.
  void Trim();
};

inline constexpr size_t kWorkspaceBytesMax = size_t{4} << 20;

inline void Workspace::Trim() {
  if (bytes() <= kWorkspaceBytesMax) [[likely]]
    return;
  input.Release();
  output = {};
}

// The name and number under which a package is served; a package knows neither.
struct ModelId {
  std::string name;
  int64_t version = 0;
};

struct SnapshotOptions {
  engine::LoadOptions engine;
  // Answer beyond the limits up to which the package was checked (--beyond-limits answer); what the
  // original itself refuses is refused all the same.
  bool answers_beyond_limits = false;
};

// A loaded model version. Immutable but for its idle workspaces and its metric cells; thread-safe.
// Lives while a loop or a request in flight holds it.
class Snapshot {
 public:
  // Loads the engine and prepares the text that every answer repeats. metrics must outlive the
  // snapshot.
  static Result<std::shared_ptr<const Snapshot>> Load(const package::Package& package, ModelId id,
                                                      const SnapshotOptions& options,
                                                      const Clock& clock,
                                                      observe::Metrics& metrics);
  // The same around a model that is loaded already, without what only a package knows.
  static Result<std::shared_ptr<const Snapshot>> Make(std::unique_ptr<engine::Model> model,
                                                      ModelId id, const SnapshotOptions& options,
                                                      const Clock& clock,
                                                      observe::Metrics& metrics);

  const std::string& name() const { return id_.name; }
  int64_t version() const { return id_.version; }
  const std::string& digest() const { return digest_; }
  int64_t loaded_at_us() const { return loaded_at_us_; }
  const package::Signature& signature() const { return model_->signature(); }
  const package::EngineEntry& engine_entry() const { return model_->entry(); }
  const std::string& engine_reason() const { return engine_reason_; }
  // The figures of parity.json, and of its candidate that is served; null where the package has
  // none.
  const json::Value& parity() const { return parity_; }
  // What a call of so many rows is expected to take; infinity where loading could not measure it.
  double PredictedNs(int64_t rows) const;
  // Whether a call for many rows is worth more than the wait for them: most of a call is not for
  // its rows.
  bool gains_from_batches() const;
  const ModelMetrics& metrics() const { return metrics_; }
  // kRefuse or kAnswerBeyond.
  package::Limits limits() const { return limits_; }
  const package::Columns& columns() const { return columns_; }

  // Name and version as values of header lines: what is not visible ASCII in a name is
  // percent-encoded.
  const std::string& name_header() const { return name_header_; }
  const std::string& version_header() const { return version_header_; }
  // `{"model":"churn","version":3,"id":"`: how every answer starts.
  const std::string& answer_prefix() const { return answer_prefix_; }
  // The column names as JSON strings, quotes included: a key that has the same bytes is that
  // column.
  const std::vector<std::string>& column_keys() const { return column_keys_; }
  // The classes as JSON text, in their order.
  const std::vector<std::string>& answer_texts() const { return answer_texts_; }

  // An idle workspace, or a new one.
  Result<std::unique_ptr<Workspace>> TakeWorkspace() const;
  // Keeps it for the next taker; frees it when kIdleWorkspacesMax are kept, or when it grew beyond
  // kWorkspaceBytesMax.
  void ReturnWorkspace(std::unique_ptr<Workspace> workspace) const;

 private:
  Snapshot(std::unique_ptr<engine::Model> model, ModelId id, const SnapshotOptions& options,
           const Clock& clock, observe::Metrics& metrics);

  std::unique_ptr<engine::Model> model_;
  ModelId id_;
  std::string digest_;
  package::Limits limits_;
  int64_t loaded_at_us_;
  std::string engine_reason_;
  json::Value parity_;
  ModelMetrics metrics_;
  package::Columns columns_;
  std::string name_header_;
  std::string version_header_;
  std::string answer_prefix_;
  std::vector<std::string> column_keys_;
  std::vector<std::string> answer_texts_;

  mutable std::mutex idle_mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> idle_;
};

inline constexpr size_t kIdleWorkspacesMax = 64;

}  // namespace penstock::serve
