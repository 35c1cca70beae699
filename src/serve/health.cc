// SPDX-License-Identifier: Apache-2.0
#include "serve/health.h"

#include <utility>

namespace penstock::serve {

std::string Health::Reason() const {
  if (is_draining()) return "the server is shutting down; send requests elsewhere";
  if (is_serving()) {
    const std::lock_guard lock(mutex_);
    return engine_.ok() ? "" : "the model cannot be run: " + engine_.message();
  }
  const Status state = route_source().state;
  if (!state.ok()) return "the model cannot be loaded: " + state.message();
  return "the model is still being loaded";
}

void Health::SetEngineState(Status state) {
  const std::lock_guard lock(mutex_);
  is_engine_ok_.store(state.ok());
  engine_ = std::move(state);
}

void Health::SetRouteSource(std::string kind, std::string location, Status state) {
  const std::lock_guard lock(mutex_);
  source_ = {std::move(kind), std::move(location), std::move(state)};
}

Health::RouteSource Health::route_source() const {
  const std::lock_guard lock(mutex_);
  return source_;
}

}  // namespace penstock::serve
