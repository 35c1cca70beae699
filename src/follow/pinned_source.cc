// SPDX-License-Identifier: Apache-2.0
#include "follow/pinned_source.h"

#include "package/package.h"

namespace penstock::follow {

Status PinnedSource::Start() {
  // What a host lacks it lacks until it does not: meanwhile the reason stands.
  if (!lacks_python_) parts_.health.SetRouteSource("pinned", options_.package.string(), {});
  const Status status = Publish();
  parts_.health.SetRouteSource("pinned", options_.package.string(), status);
  if (status.ok()) parts_.health.SetServing();
  return status;
}

Status PinnedSource::Publish() {
  lacks_python_ = false;
  const package::Package package =
      PENSTOCK_TRY(package::Package::Open(parts_.files, options_.package));
  auto snapshot =
      serve::Snapshot::Load(package, options_.id, options_.snapshot, parts_.clock, parts_.metrics);
  if (!snapshot.ok()) {
    lacks_python_ = snapshot.status().code() == Code::kFailedPrecondition &&
                    package.manifest().engines.front().kind == package::EngineKind::kPython;
    return snapshot.status();
  }
  auto routes = std::make_shared<serve::Routes>();
  PENSTOCK_TRY(routes->Add(*std::move(snapshot)));
  return parts_.board.Publish(std::move(routes));
}

}  // namespace penstock::follow
