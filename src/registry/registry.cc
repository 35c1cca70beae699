// SPDX-License-Identifier: Apache-2.0
#include "registry/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/names.h"
#include "registry/database.h"

namespace penstock::registry {
namespace {

// Before the names of folders in packages/ that are not packages yet, or no longer.
constexpr std::string_view kTemporary = "tmp-";

constexpr std::string_view kSelect =
    "SELECT v.model, v.version, v.package, v.created_at_us, p.engine, p.engine_reason, v.details, "
    "v.run "
    "FROM versions v JOIN packages p ON p.digest = v.package ";

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

struct Spec {
  std::string name;
  std::optional<int64_t> version;
};

Result<Spec> ParseSpec(std::string_view text) {
  const size_t at = text.find('@');
  Spec spec{.name = std::string(text.substr(0, at))};
  PENSTOCK_TRY(CheckModelName(spec.name));
  if (at == text.npos) return spec;
  const std::string_view number = text.substr(at + 1);
  int64_t version = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), version);
  if (error != std::errc{} || end != number.data() + number.size() || version < 1) {
    return InvalidArgument(
        fmt::format("'{}' names no version: after '@' a number of 1 or more was expected, as in "
                    "'{}@1' (aliases come with a later release)",
                    text, spec.name));
  }
  spec.version = version;
  return spec;
}

int64_t TotalBytes(const package::Manifest& manifest) {
  return std::accumulate(
      manifest.files.begin(), manifest.files.end(), int64_t{0},
      [](int64_t sum, const package::FileEntry& file) { return sum + file.size; });
}

}  // namespace

std::string ModelVersion::ToString() const { return fmt::format("{}@{}", name, version); }

Status CheckModelName(std::string_view name) {
  const bool is_good = !name.empty() && name.size() <= kNameBytesMax &&
                       std::ranges::all_of(name, IsNameCharacter) && name[0] != '_' &&
                       name[0] != '.' && name[0] != '-';
  if (is_good) return {};
  return InvalidArgument(fmt::format(
      "'{}' is not a model name: it must begin with a letter or digit, hold only letters, "
      "digits, '_', '.' and '-', and have at most {} characters",
      name.substr(0, kNameBytesMax), kNameBytesMax));
}

Registry::Registry(std::filesystem::path home, const RegistryOptions& options, sql::Session session)
    : home_(std::move(home)),
      options_(options),
      objects_(*options.files, home_ / "objects", *options.clock),
      session_(std::move(session)) {}

Result<Registry> Registry::Open(const std::filesystem::path& home, const RegistryOptions& options) {
  return Registry(home, options, PENSTOCK_TRY(OpenDatabase(home, *options.files)));
}

Result<ModelVersion> Registry::Register(std::string_view name, package::Draft draft,
                                        const json::Value& details, std::string_view run,
                                        const Deed& deed) {
  PENSTOCK_TRY(CheckModelName(name));
  if (json::Write(details).size() > kDetailsBytesMax) {
    return ResourceExhausted(
        fmt::format("the details of '{}' are larger than {} bytes", name, kDetailsBytesMax));
  }
  const std::string manifest = draft.Seal();
  // What no program could open again must not get a number.
  const Result<package::Manifest> readable = package::ParseManifest(manifest);
  if (!readable.ok()) return readable.status().Prefixed(fmt::format("the package of '{}'", name));
  PENSTOCK_TRY(PutObjects(draft, manifest));
  const std::string digest = Sha256Hex(manifest);
  PENSTOCK_TRY(RemoveDamaged(digest));
  // Its failure concerns what others left behind, not this version.
  static_cast<void>(RemoveLeftovers());
  return Commit(name, draft.manifest, digest, details, run, deed);
}

Status Registry::PutObjects(const package::Draft& draft, const std::string& manifest) {
  PENSTOCK_TRY(options_.files->CreateDirectories(home_ / "objects"));
  // Also where another process made the folder: it may not have come to the sync yet.
  PENSTOCK_TRY(options_.files->SyncDirectory(home_));
  for (const auto& [path, bytes] : draft.contents) {
    const Result<std::string> digest = objects_.Put(bytes);
    if (!digest.ok())
      return digest.status().Prefixed(fmt::format("file '{}' cannot be stored", path));
  }
  PENSTOCK_TRY(objects_.Put(manifest));
  return {};
}

Status Registry::RemoveDamaged(const std::string& digest) {
  os::FileSystem& files = *options_.files;
  const std::filesystem::path folder = home_ / "packages" / digest;
  if (!files.Exists(folder) || package::Package::Open(files, folder).ok()) return {};
  // Moved first, so that nobody finds half of it.
  const std::filesystem::path damaged = TemporaryFolder();
  const Status moved = files.Rename(folder, damaged);
  if (moved.code() == Code::kNotFound) return {};  // another process was faster
  PENSTOCK_TRY(moved);
  return files.RemoveTree(damaged);
}

Status Registry::RemoveLeftovers() {
  PENSTOCK_TRY(objects_.RemoveLeftovers());
  const std::filesystem::path packages = home_ / "packages";
  if (!options_.files->Exists(packages)) return {};
  for (const std::filesystem::path& path : PENSTOCK_TRY(options_.files->List(packages))) {
    const std::string name = path.filename().string();
    if (!name.starts_with(kTemporary)) continue;
    const std::string_view given = std::string_view(name).substr(kTemporary.size());
    if (!store::IsLeftover(given, *options_.clock, store::kLeftoverAgeMax)) continue;
    PENSTOCK_TRY(options_.files->RemoveTree(path));
  }
  return {};
}

std::filesystem::path Registry::TemporaryFolder() const {
  return home_ / "packages" /
         fmt::format("{}{}", kTemporary, store::TemporaryName(*options_.clock));
}

Result<ModelVersion> Registry::Commit(std::string_view name, const package::Manifest& manifest,
                                      const std::string& digest, const json::Value& details,
                                      std::string_view run, const Deed& deed) {
  const int64_t now_us = options_.clock->NowUs();
  const std::string engine =
      manifest.engines.empty()
          ? "python"
          : std::string(package::EngineKindName(manifest.engines.front().kind));

  sql::Transaction transaction = PENSTOCK_TRY(sql::Transaction::Begin(session_));
  const int64_t version = PENSTOCK_TRY(NextVersion(name, now_us));
  sql::Statement package = PENSTOCK_TRY(
      session_.Prepare("INSERT INTO packages VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"));
  package.Bind(0, digest)
      .Bind(1, engine)
      .Bind(2, manifest.engine_reason)
      .Bind(3, TotalBytes(manifest))
      .Bind(4, now_us);
  PENSTOCK_TRY(package.Run());
  sql::Statement insert =
      PENSTOCK_TRY(session_.Prepare("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)"));
  insert.Bind(0, name)
      .Bind(1, version)
      .Bind(2, digest)
      .Bind(3, now_us)
      .Bind(4, json::Write(details));
  run.empty() ? insert.BindNull(5) : insert.Bind(5, run);
  PENSTOCK_TRY(insert.Run());
  sql::Statement audit =
      PENSTOCK_TRY(session_.Prepare("INSERT INTO audit (at_us, actor, action, model, version, "
                                    "details) VALUES (?, ?, ?, ?, ?, ?)"));
  json::Value what = deed.details;
  what.Set("package", digest);
  audit.Bind(0, now_us)
      .Bind(1, Actor())
      .Bind(2, deed.action)
      .Bind(3, name)
      .Bind(4, version)
      .Bind(5, json::Write(what));
  PENSTOCK_TRY(audit.Run());
  PENSTOCK_TRY(transaction.Commit());

  return ModelVersion{.name = std::string(name),
                      .version = version,
                      .digest = digest,
                      .created_at_us = now_us,
                      .engine = engine,
                      .engine_reason = manifest.engine_reason,
                      .details = details,
                      .run = std::string(run)};
}

Result<int64_t> Registry::NextVersion(std::string_view name, int64_t now_us) {
  sql::Statement statement = PENSTOCK_TRY(session_.Prepare(
      "INSERT INTO models VALUES (?, ?, 1) "
      "ON CONFLICT (name) DO UPDATE SET last_version = last_version + 1 RETURNING last_version"));
  statement.Bind(0, name).Bind(1, now_us);
  if (!PENSTOCK_TRY(statement.Step())) return Internal("the registry gave no version number");
  const int64_t version = statement.Int(0);
  if (PENSTOCK_TRY(statement.Step())) return Internal("the registry gave two version numbers");
  return version;
}

Result<std::vector<ModelVersion>> Registry::Select(std::string_view where, std::string_view name,
                                                   int64_t version) {
  sql::Statement statement =
      PENSTOCK_TRY(session_.Prepare(std::string(kSelect) + std::string(where)));
  if (where.find("?1") != where.npos) statement.Bind(0, name);
  if (where.find("?2") != where.npos) statement.Bind(1, version);
  std::vector<ModelVersion> versions;
  while (PENSTOCK_TRY(statement.Step())) {
    versions.push_back({.name = std::string(statement.Text(0)),
                        .version = statement.Int(1),
                        .digest = std::string(statement.Text(2)),
                        .created_at_us = statement.Int(3),
                        .engine = std::string(statement.Text(4)),
                        .engine_reason = std::string(statement.Text(5)),
                        .details = PENSTOCK_TRY(json::Parse(statement.Text(6))),
                        .run = std::string(statement.Text(7))});
  }
  return versions;
}

Status Registry::NoSuchModel(std::string_view name) {
  std::vector<std::string> names;
  for (const ModelVersion& model : PENSTOCK_TRY(Models())) names.push_back(model.name);
  const std::string there =
      names.empty() ? "none is registered yet" : "there are " + QuotedList(names);
  return NotFound(fmt::format("there is no model '{}' in '{}'; {}.{}", name, home_.string(), there,
                              DidYouMean(name, names)));
}

Result<ModelVersion> Registry::Resolve(std::string_view text) {
  const Spec spec = PENSTOCK_TRY(ParseSpec(text));
  const std::vector<ModelVersion> found =
      spec.version
          ? PENSTOCK_TRY(Select("WHERE v.model = ?1 AND v.version = ?2", spec.name, *spec.version))
          : PENSTOCK_TRY(
                Select("WHERE v.model = ?1 ORDER BY v.version DESC LIMIT 1", spec.name, 0));
  if (!found.empty()) return found.front();
  return spec.version ? NoSuchVersion(spec.name, *spec.version) : NoSuchModel(spec.name);
}

Status Registry::NoSuchVersion(std::string_view name, int64_t version) {
  const std::vector<ModelVersion> versions = PENSTOCK_TRY(Versions(name));
  return NotFound(fmt::format("model '{}' has no version {}; it has {} to {}", name, version,
                              versions.front().version, versions.back().version));
}

Result<std::vector<ModelVersion>> Registry::Models() {
  return Select(
      "WHERE v.version = (SELECT max(version) FROM versions WHERE model = v.model) ORDER BY "
      "v.model",
      "", 0);
}

Result<std::vector<ModelVersion>> Registry::Versions(std::string_view name) {
  std::vector<ModelVersion> versions =
      PENSTOCK_TRY(Select("WHERE v.model = ?1 ORDER BY v.version", name, 0));
  if (versions.empty()) return NoSuchModel(name);
  return versions;
}

Status Registry::Place(const std::string& digest, const std::filesystem::path& path) {
  // Reading checks the object; a link to it costs no space.
  const std::string bytes = PENSTOCK_TRY(objects_.Get(digest));
  PENSTOCK_TRY(options_.files->CreateDirectories(path.parent_path()));
  if (options_.files->Link(objects_.Path(digest), path).ok()) return {};
  PENSTOCK_TRY(options_.files->Write(path, bytes));
  return options_.files->SetReadOnly(path);
}

Status Registry::Unpack(const std::string& digest, const std::filesystem::path& folder) {
  const std::string bytes = PENSTOCK_TRY(objects_.Get(digest));
  const package::Manifest manifest = PENSTOCK_TRY(package::ParseManifest(bytes));
  PENSTOCK_TRY(Place(digest, folder / package::kManifestName));
  std::set<std::filesystem::path> folders = {folder};
  for (const package::FileEntry& file : manifest.files) {
    const std::filesystem::path path = folder / file.path;
    const Status placed = Place(file.sha256, path);
    if (!placed.ok()) return placed.Prefixed(fmt::format("file '{}'", file.path));
    folders.insert(path.parent_path());
  }
  for (const std::filesystem::path& each : folders)
    PENSTOCK_TRY(options_.files->SyncDirectory(each));
  return {};
}

Result<std::filesystem::path> Registry::Materialize(const ModelVersion& version) {
  os::FileSystem& files = *options_.files;
  const std::filesystem::path folder = home_ / "packages" / version.digest;
  if (!files.Exists(folder)) {
    const std::filesystem::path temporary = TemporaryFolder();
    const Status unpacked = Unpack(version.digest, temporary);
    const Status renamed = unpacked.ok() ? files.Rename(temporary, folder) : unpacked;
    if (!renamed.ok()) static_cast<void>(files.RemoveTree(temporary));
    // Another process may have come first; its folder is as good as ours.
    if (!renamed.ok() && !files.Exists(folder)) {
      const Status failed = renamed.Prefixed(version.ToString());
      if (failed.code() != Code::kPermissionDenied) return failed;
      return Status(failed.code(),
                    fmt::format("{}; unpack it once as a user who may write there: penstock models "
                                "show {}",
                                failed.message(), version.ToString()));
    }
    PENSTOCK_TRY(files.SyncDirectory(folder.parent_path()));
  }
  const Result<package::Package> package = package::Package::Open(files, folder);
  if (!package.ok()) return package.status().Prefixed(version.ToString());
  return folder;
}

Status Registry::Check() {
  sql::Statement integrity = PENSTOCK_TRY(session_.Prepare("PRAGMA integrity_check"));
  if (PENSTOCK_TRY(integrity.Step()) && integrity.Text(0) != "ok") {
    return DataLoss(fmt::format("'{}' is damaged ({}); restore it from a backup",
                                session_.path().string(), integrity.Text(0)));
  }
  for (const ModelVersion& version : PENSTOCK_TRY(Select("ORDER BY v.model, v.version", "", 0))) {
    const std::string bytes = PENSTOCK_TRY(objects_.Get(version.digest));
    const package::Manifest manifest = PENSTOCK_TRY(package::ParseManifest(bytes));
    for (const package::FileEntry& file : manifest.files) PENSTOCK_TRY(objects_.Get(file.sha256));
  }
  return {};
}

}  // namespace penstock::registry
