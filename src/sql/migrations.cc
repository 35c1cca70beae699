// SPDX-License-Identifier: Apache-2.0
#include "sql/migrations.h"

#include <fmt/format.h>

namespace penstock::sql {
namespace {

Status RefuseNewer(const Session& session, int64_t found, size_t known) {
  return FailedPrecondition(
      fmt::format("'{}' has schema {}, and this Penstock knows schemas up to {}; install a newer "
                  "Penstock, or restore a "
                  "backup made before the update",
                  session.path().string(), found, known));
}

}  // namespace

Status Migrate(Session& session, Migrations migrations) {
  const auto newest = static_cast<int64_t>(migrations.size());
  // Without a transaction first: an up-to-date file is opened by readers all the time.
  const int64_t found = PENSTOCK_TRY(session.UserVersion());
  if (found > newest) return RefuseNewer(session, found, migrations.size());
  for (int64_t step = found; step < newest; ++step) {
    Transaction transaction = PENSTOCK_TRY(Transaction::Begin(session));
    const int64_t now = PENSTOCK_TRY(session.UserVersion());
    if (now > newest) return RefuseNewer(session, now, migrations.size());
    if (now > step) continue;  // another process was faster
    PENSTOCK_TRY(session.Execute(migrations[static_cast<size_t>(step)]));
    PENSTOCK_TRY(session.SetUserVersion(step + 1));
    PENSTOCK_TRY(transaction.Commit());
  }
  return {};
}

}  // namespace penstock::sql
