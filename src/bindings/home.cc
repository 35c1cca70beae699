// SPDX-License-Identifier: Apache-2.0
#include "bindings/home.h"

#include <filesystem>

#include "bindings/errors.h"

namespace penstock::bindings {

config::Home FindHome(const std::optional<std::string>& given, config::MissingHome missing) {
  return ValueOrRaise(config::FindHome(given.value_or(""), ".", missing));
}

void Announce(const config::Home& home) {
  std::error_code error;
  if (home.is_new && std::filesystem::exists(home.path, error))
    PySys_WriteStderr("penstock: made '%.900s', which holds the registry\n", home.path.c_str());
}

}  // namespace penstock::bindings
