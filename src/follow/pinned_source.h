// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/clock.h"
#include "follow/route_source.h"
#include "observe/metrics.h"
#include "os/file_system.h"
#include "serve/health.h"
#include "serve/route_board.h"
#include "serve/snapshot.h"

namespace penstock::follow {

// Serves one package under one name and version, for as long as the server runs.
class PinnedSource final : public RouteSource {
 public:
  struct Options {
    std::filesystem::path package;
    serve::ModelId id;
    serve::SnapshotOptions snapshot;
  };
  // What the source works with; all outlive it.
  struct Parts {
    const os::FileSystem& files;
    const Clock& clock;
    observe::Metrics& metrics;
    serve::RouteBoard& board;
    serve::Health& health;
  };
  PinnedSource(Options options, Parts parts) : options_(std::move(options)), parts_(parts) {}

  // kNotFound, kDataLoss, kFailedPrecondition of package::Package::Open, and what engine::Load
  // says.
  Status Start() override;
  // Where only a suitable Python is missing.
  bool may_start_later() const override { return lacks_python_; }
  void Stop() override {}

 private:
  Status Publish();

  Options options_;
  Parts parts_;
  bool lacks_python_ = false;
};

}  // namespace penstock::follow
