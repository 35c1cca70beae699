// SPDX-License-Identifier: Apache-2.0
#include "serve/route_board.h"

#include "base/check.h"

namespace penstock::serve {

Result<std::unique_ptr<LoopView>> LoopView::Make(std::shared_ptr<const Routes> routes) {
  std::unique_ptr<LoopView> view(new LoopView(routes));
  for (std::shared_ptr<const Snapshot>& snapshot : routes->All()) {
    std::unique_ptr<Workspace> workspace = PENSTOCK_TRY(snapshot->TakeWorkspace());
    view->entries_.push_back({std::move(snapshot), std::move(workspace)});
  }
  return view;
}

LoopView::~LoopView() {
  for (Entry& entry : entries_) entry.snapshot->ReturnWorkspace(std::move(entry.workspace));
}

const LoopView::Entry& LoopView::EntryOf(const Snapshot& snapshot) const {
  size_t i = 0;
  while (i < entries_.size() && entries_[i].snapshot.get() != &snapshot) ++i;
  PENSTOCK_CHECK(i < entries_.size());
  return entries_[i];
}

Status RouteBoard::Publish(std::shared_ptr<const Routes> routes) {
  const std::lock_guard publishing(publish_mutex_);
  PENSTOCK_CHECK(run_ != nullptr);
  std::vector<std::unique_ptr<LoopView>> views;
  for (int i = 0; i < loops_; ++i) views.push_back(PENSTOCK_TRY(LoopView::Make(routes)));

  uint64_t epoch = 0;
  {
    const std::lock_guard lock(mutex_);
    current_ = std::move(routes);
    epoch = ++epoch_;
  }
  run_([&](LoopSlot& slot) {
    std::swap(slot.view, views[static_cast<size_t>(slot.loop)]);
    slot.epoch = epoch;
  });
  return {};
}

std::shared_ptr<const Routes> RouteBoard::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

uint64_t RouteBoard::epoch() const {
  const std::lock_guard lock(mutex_);
  return epoch_;
}

}  // namespace penstock::serve
