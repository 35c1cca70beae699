// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serve/snapshot.h"

namespace penstock::serve {

// Which snapshot answers for which name and version. Built once, then immutable and shared between
// threads.
class Routes {
 public:
  // Adds a version; the first version of a name becomes its default. kAlreadyExists when name and
  // version are taken.
  Status Add(std::shared_ptr<const Snapshot> snapshot);
  // The version that /models/{name}/predict means. kNotFound when it was not added.
  Status SetDefault(std::string_view name, int64_t version);

  // The snapshot of the only name there is. kNotFound when nothing is loaded; kFailedPrecondition,
  // naming what to call instead, when there are several names.
  Result<const Snapshot*> Only() const;
  // The default version of a name; kNotFound names what is loaded.
  Result<const Snapshot*> Find(std::string_view name) const;
  // One version; kNotFound names the versions that are loaded.
  Result<const Snapshot*> Find(std::string_view name, int64_t version) const;

  // Every snapshot, by name, then version.
  std::vector<std::shared_ptr<const Snapshot>> All() const;
  bool IsDefault(const Snapshot& snapshot) const;

 private:
  struct Model {
    std::map<int64_t, std::shared_ptr<const Snapshot>> versions;
    int64_t default_version = 0;
  };
  Result<const Model*> FindModel(std::string_view name) const;
  std::vector<std::string> Names() const;

  std::map<std::string, Model, std::less<>> models_;
};

}  // namespace penstock::serve
