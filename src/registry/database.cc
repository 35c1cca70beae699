// SPDX-License-Identifier: Apache-2.0
#include "registry/database.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>
#include <utility>

#include "registry/registry.h"
#include "registry/schema.h"
#include "sql/migrations.h"

namespace penstock::registry {
namespace {

// To look at a registry of another user, or on a disk that is mounted read-only.
Result<sql::Session> OpenUnwritable(const std::filesystem::path& file,
                                    const sql::SessionOptions& options) {
  sql::Session session = PENSTOCK_TRY(sql::Session::OpenUnwritable(file, options));
  const int64_t found = PENSTOCK_TRY(session.UserVersion());
  const auto newest = static_cast<int64_t>(std::size(kSchema));
  if (found < newest) {
    return FailedPrecondition(
        fmt::format("'{}' has schema {} and cannot be written, so that it cannot be brought to "
                    "schema {}; run this command once as a user who may write there",
                    file.string(), found, newest));
  }
  PENSTOCK_TRY(sql::Migrate(session, kSchema));  // which refuses a newer one
  return session;
}

}  // namespace

Result<sql::Session> OpenDatabase(const std::filesystem::path& home, os::FileSystem& files) {
  const Status made = files.CreateDirectories(home);
  if (!made.ok()) {
    return Status(made.code(), fmt::format("{}; set PENSTOCK_HOME to a folder that can be written",
                                           made.message()));
  }
  const std::filesystem::path file = home / "registry.db";
  const sql::SessionOptions options{.application_id = kApplicationId};
  if (sql::Session::IsUnwritable(file)) return OpenUnwritable(file, options);
  sql::Session session = PENSTOCK_TRY(sql::Session::Open(file, options));
  PENSTOCK_TRY(sql::Migrate(session, kSchema));
  return session;
}

std::string Actor() {
  const char* user = std::getenv("USER");
  return user != nullptr && *user != '\0' ? user : fmt::format("uid:{}", getuid());
}

}  // namespace penstock::registry
