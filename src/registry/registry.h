// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "json/value.h"
#include "os/file_system.h"
#include "package/package.h"
#include "sql/application_id.h"
#include "sql/sqlite.h"
#include "store/object_store.h"

namespace penstock::registry {

// application_id of registry.db: by it a registry is known, and refused as a data source.
inline constexpr int32_t kApplicationId = sql::kRegistryApplicationId;
inline constexpr size_t kNameBytesMax = 128;
inline constexpr size_t kDetailsBytesMax = size_t{1} << 20;

// A package under a name and a number. A value type.
struct ModelVersion {
  std::string name;
  int64_t version = 0;
  std::string digest;         // of the package's manifest
  int64_t created_at_us = 0;  // since 1970-01-01 UTC
  std::string engine;         // "own", "onnxruntime", "python"
  std::string engine_reason;  // one sentence
  json::Value details;        // as given to Register
  std::string run;            // the run that trained it; may be empty

  std::string ToString() const;  // "churn@3"
};

// How the audit log tells of a registration. A value type.
struct Deed {
  std::string action = "register";
  json::Value details;  // beside the package's digest
};

struct RegistryOptions {
  const Clock* clock = &Clock::System();
  os::FileSystem* files =
      &os::FileSystem::System();  // of objects and packages; the database file is SQLite's
};

// Who acts, for what is written down: the user's name, else "uid:1000".
std::string Actor();

// A name may hold letters, digits, '_', '.', '-', begins with a letter or digit, and has at most
// kNameBytesMax bytes.
Status CheckModelName(std::string_view name);

// Names, versions and packages in one home: registry.db, objects/, packages/. Several processes may
// use a home at once; one Registry is for one thread at a time.
class Registry {
 public:
  // Makes `home` and what is missing in it. A registry that this user may not write can be looked
  // at: what would write fails with kPermissionDenied.
  static Result<Registry> Open(const std::filesystem::path& home,
                               const RegistryOptions& options = {});

  // Stores the package and commits the next version of `name`. When it returns OK the version
  // survives a crash; when it does not, nothing was registered. `details` is kept with the version
  // and must be small (kDetailsBytesMax). Registering the same bytes again gives a new number to
  // the same package, and mends what was damaged of it. `run` is the id of the run that trained it;
  // empty where none did.
  Result<ModelVersion> Register(std::string_view name, package::Draft draft,
                                const json::Value& details, std::string_view run = {},
                                const Deed& deed = {});

  // "churn" (its newest version) or "churn@3". kNotFound names the nearest model or the versions
  // there are.
  Result<ModelVersion> Resolve(std::string_view spec);
  // The newest version of every model, by name.
  Result<std::vector<ModelVersion>> Models();
  // Every version of a model, oldest first; kNotFound for a model that is not there.
  Result<std::vector<ModelVersion>> Versions(std::string_view name);

  // The folder packages/<digest> with the version's files, made from the objects when it is not
  // there: it is whole or absent, whoever else makes it at the same moment. Checked against the
  // manifest each time; kDataLoss names a file that was changed.
  Result<std::filesystem::path> Materialize(const ModelVersion& version);

  // Looks at the database's own structure and at every object that a version needs. kDataLoss names
  // the first fault.
  Status Check();

  const std::filesystem::path& home() const { return home_; }

 private:
  Registry(std::filesystem::path home, const RegistryOptions& options, sql::Session session);

  Result<ModelVersion> Commit(std::string_view name, const package::Manifest& manifest,
                              const std::string& digest, const json::Value& details,
                              std::string_view run, const Deed& deed);
  Result<int64_t> NextVersion(std::string_view name, int64_t now_us);
  Status PutObjects(const package::Draft& draft, const std::string& manifest);
  Status RemoveDamaged(const std::string& digest);
  Status RemoveLeftovers();
  std::filesystem::path TemporaryFolder() const;
  Result<std::vector<ModelVersion>> Select(std::string_view where, std::string_view name,
                                           int64_t version);
  Status NoSuchModel(std::string_view name);
  Status NoSuchVersion(std::string_view name, int64_t version);
  // Makes a folder of the package's files under a name of its own, durable but for that name.
  Status Unpack(const std::string& digest, const std::filesystem::path& folder);
  Status Place(const std::string& digest, const std::filesystem::path& path);

  std::filesystem::path home_;
  RegistryOptions options_;
  store::FileObjectStore objects_;
  sql::Session session_;
};

}  // namespace penstock::registry
