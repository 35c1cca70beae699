// SPDX-License-Identifier: Apache-2.0
#include "registry/database.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "registry/registry.h"
#include "registry/schema.h"
#include "sql/migrations.h"

namespace penstock::registry {

Result<sql::Session> OpenDatabase(const std::filesystem::path& home, os::FileSystem& files) {
  const Status made = files.CreateDirectories(home);
  if (!made.ok()) {
    return Status(made.code(), fmt::format("{}; set PENSTOCK_HOME to a folder that can be written",
                                           made.message()));
  }
  sql::Session session =
      PENSTOCK_TRY(sql::Session::Open(home / "registry.db", {.application_id = kApplicationId}));
  PENSTOCK_TRY(sql::Migrate(session, kSchema));
  return session;
}

std::string Actor() {
  const char* user = std::getenv("USER");
  return user != nullptr && *user != '\0' ? user : fmt::format("uid:{}", getuid());
}

}  // namespace penstock::registry
