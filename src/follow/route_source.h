// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"

namespace penstock::follow {

// Where a server's routes come from. It publishes them to a serve::RouteBoard and tells a
// serve::Health how it fares. The first is a package path that never changes; others watch
// something and publish again.
class RouteSource {
 public:
  virtual ~RouteSource() = default;

  // Publishes the first routes; an error when the server has nothing to serve. Blocks until every
  // loop has them.
  virtual Status Start() = 0;
  // Whether a Start that failed may succeed once something is there that this host lacks.
  virtual bool may_start_later() const = 0;
  // Publishes nothing more after it returns.
  virtual void Stop() = 0;
};

}  // namespace penstock::follow
