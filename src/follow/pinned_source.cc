// SPDX-License-Identifier: Apache-2.0
#include "follow/pinned_source.h"

#include "package/package.h"

namespace penstock::follow {

Status PinnedSource::Start() {
  parts_.health.SetRouteSource("pinned", options_.package.string(), {});
  const Status status = Publish();
  parts_.health.SetRouteSource("pinned", options_.package.string(), status);
  if (status.ok()) parts_.health.SetServing();
  return status;
}

Status PinnedSource::Publish() {
  const package::Package package =
      PENSTOCK_TRY(package::Package::Open(parts_.files, options_.package));
  auto routes = std::make_shared<serve::Routes>();
  PENSTOCK_TRY(routes->Add(PENSTOCK_TRY(serve::Snapshot::Load(
      package, options_.id, options_.snapshot, parts_.clock, parts_.metrics))));
  return parts_.board.Publish(std::move(routes));
}

}  // namespace penstock::follow
