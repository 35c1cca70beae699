// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "serve/routes.h"

namespace penstock::serve {

// One loop's own copy of the routes, with a workspace for each snapshot: answering takes no lock.
// Read and used by that loop's thread alone.
class LoopView {
 public:
  // Takes a workspace for every snapshot. Called off the loop, so that loading never delays a
  // request.
  static Result<std::unique_ptr<LoopView>> Make(std::shared_ptr<const Routes> routes);
  // Gives the workspaces back.
  ~LoopView();
  LoopView(const LoopView&) = delete;
  LoopView& operator=(const LoopView&) = delete;

  const Routes& routes() const { return *routes_; }
  // The snapshot, to hold while a request of it is in flight beyond the loop. It must be one of
  // routes().
  std::shared_ptr<const Snapshot> Share(const Snapshot& snapshot) const {
    return EntryOf(snapshot).snapshot;
  }
  Workspace& WorkspaceOf(const Snapshot& snapshot) const { return *EntryOf(snapshot).workspace; }

 private:
  struct Entry {
    std::shared_ptr<const Snapshot> snapshot;
    std::unique_ptr<Workspace> workspace;
  };
  explicit LoopView(std::shared_ptr<const Routes> routes) : routes_(std::move(routes)) {}
  const Entry& EntryOf(const Snapshot& snapshot) const;

  std::shared_ptr<const Routes> routes_;
  std::vector<Entry> entries_;  // few: searched from the front
};

// Where a loop keeps its view. Belongs to the loop's thread, which the board reaches through the
// loops.
struct LoopSlot {
  int loop = 0;                    // 0 to the number of loops - 1
  std::unique_ptr<LoopView> view;  // null until the first Publish
  uint64_t epoch = 0;              // of the Publish that the view came from
};

// Gives every loop new routes. Thread-safe; Publish may be called from any thread but a loop's own.
class RouteBoard {
 public:
  // Runs the task for each loop's slot on that loop's thread, and returns after the last.
  using RunOnEveryLoop = std::function<void(const std::function<void(LoopSlot&)>&)>;

  explicit RouteBoard(int loops) : loops_(loops) {}

  // How the loops are reached: called once, before the first Publish.
  void Attach(RunOnEveryLoop run) { run_ = std::move(run); }

  // Prepares a view for each loop, gives it to the loop on the loop's thread, and returns when the
  // last has taken it: from then on no answer comes from the routes before. The loops change one
  // after another: while it runs, a client of several connections may see new, then old. What the
  // loops gave back is freed here, off the loops. An error in preparing changes nothing. Two calls
  // run one after the other.
  Status Publish(std::shared_ptr<const Routes> routes);

  // What was published last; null before.
  std::shared_ptr<const Routes> current() const;
  // How many times Publish has changed the routes.
  uint64_t epoch() const;

 private:
  int loops_;
  RunOnEveryLoop run_;
  std::mutex publish_mutex_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Routes> current_;
  uint64_t epoch_ = 0;
};

}  // namespace penstock::serve
