// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "serve/routes.h"

namespace penstock::serve {

// One loop's own copy of the routes, with a workspace for each snapshot: answering takes no lock. Read and changed by
// that loop's thread alone.
class LoopView {
 public:
  // Takes a workspace for every snapshot. Called off the loop, so that loading never delays a request.
  static Result<std::unique_ptr<LoopView>> Make(std::shared_ptr<const Routes> routes);
  ~LoopView();

  const Routes& routes() const { return *routes_; }
  // The snapshot, to hold while a request of it is in flight. It must be one of routes().
  std::shared_ptr<const Snapshot> Share(const Snapshot& snapshot) const;
  Workspace& WorkspaceOf(const Snapshot& snapshot) const;

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

// Where a loop keeps its view. The board writes it through a task posted to the loop.
struct LoopSlot {
  std::unique_ptr<LoopView> view;  // null until the first Publish
  uint64_t epoch = 0;
};

// Gives every loop new routes. Publish may be called from any thread but a loop's own; two calls run one after the other.
class RouteBoard {
 public:
  // Runs a task on the loop's thread; false when the loop has ended.
  using Post = std::function<bool(std::function<void()>)>;

  // Before the first Publish. slot must live until the loop has ended.
  void AddLoop(Post post, LoopSlot* slot);

  // Prepares a view for each loop, posts the change to every loop and returns after the last has acknowledged it: from
  // then on no answer comes from the routes before. An error in preparing changes nothing. kDeadlineExceeded, naming
  // the count, when loops have not acknowledged within timeout; they change when they come to it.
  Status Publish(std::shared_ptr<const Routes> routes, std::chrono::milliseconds timeout = std::chrono::seconds(30));

  // What was published last; null before.
  std::shared_ptr<const Routes> current() const;
  uint64_t epoch() const;

 private:
  struct Loop {
    Post post;
    LoopSlot* slot;
  };
  std::mutex publish_mutex_;
  mutable std::mutex mutex_;
  std::vector<Loop> loops_;
  std::shared_ptr<const Routes> current_;
  uint64_t epoch_ = 0;
};

}  // namespace penstock::serve
