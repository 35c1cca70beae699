// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "os/file_system.h"
#include "package/signature.h"
#include "package/tensors.h"

namespace penstock::package {

inline constexpr int kFormatVersion = 1;
inline constexpr std::string_view kManifestName = "penstock.json";

enum class EngineKind { kOwn, kOnnxRuntime, kPython };

std::string_view EngineKindName(EngineKind kind);  // "own", "onnxruntime", "python"

// One way to execute the package; a manifest lists them in order of preference. kPython is
// for models that have no native form: workers run the original.
struct EngineEntry {
  EngineKind kind = EngineKind::kOwn;
  std::string file;  // relative path: "evaluator.safetensors", "model.onnx", "python/model.pickle"
  Type precision = Type::kFloat64;  // kFloat64 or kFloat32: of what it computes and returns
  Encoding encoding;                // empty for kPython
  json::Value options;              // engine-specific: ONNX output names, the interpreter
};

struct FileEntry {
  std::string path;  // relative, '/'-separated, no '..', no leading '/'
  int64_t size = 0;
  std::string sha256;
};

// penstock.json, parsed. A value type.
struct Manifest {
  int format = kFormatVersion;
  int reader_min = 1;      // a reader older than this must refuse the package
  std::string created_by;  // "penstock 0.1.0"
  Signature signature;
  std::vector<EngineEntry> engines;
  std::string engine_reason;     // one sentence: which engine, why, what would make it native
  std::vector<FileEntry> files;  // every file but the manifest itself, sorted by path

  json::Value ToJson() const;
  // kFailedPrecondition: needs a newer reader. kInvalidArgument: anything else that is not as
  // docs/internals/ package-format.md says. Members it does not know are ignored: what a reader
  // must know raises reader_min.
  static Result<Manifest> FromJson(const json::Value& value);
};

inline constexpr size_t kManifestBytesMax = size_t{64} << 20;
inline constexpr size_t kPathBytesMax = 255;
// Of one file: a reader holds it in memory.
inline constexpr int64_t kFileBytesMax = int64_t{4} << 30;

// Refuses (kInvalidArgument) a path that could leave the package's directory or that not every file
// system takes: an absolute one, an empty, '.' or '..' component, a backslash, a control character,
// the manifest's own name.
Status CheckPath(std::string_view path);

// The manifest in the bytes of penstock.json, its own digest checked. kDataLoss where they were
// changed.
Result<Manifest> ParseManifest(std::string_view bytes);

// A package being made: files in memory, then written or stored. Value type.
struct Draft {
  Manifest manifest;                                          // files are filled in by Seal
  std::vector<std::pair<std::string, std::string>> contents;  // relative path, bytes

  // Sorts contents by path, fills manifest.files from them and returns the manifest's bytes, whose
  // SHA-256 is the package's identity: the same content gives the same identity. Paths must pass
  // CheckPath and be unique.
  std::string Seal();
};

// A package on disk whose manifest and every file's size and digest have been checked. Immutable.
class Package {
 public:
  // kNotFound: no such directory or manifest. kDataLoss: a file is missing, has another size or
  // digest ("file 'model.onnx' of package ... was changed: its SHA-256 is ..., the manifest says
  // ...; register or copy it again"), the manifest itself was changed (it carries a digest of
  // itself; where the directory is named by a SHA-256, that must be the manifest's), or a file is a
  // symbolic link. kFailedPrecondition: made by a newer Penstock. Files that the manifest does not
  // name are left alone. `files` must outlive the package.
  static Result<Package> Open(const os::FileSystem& files, const std::filesystem::path& directory);

  const Manifest& manifest() const { return manifest_; }
  const std::string& digest() const { return digest_; }  // SHA-256 of the manifest's bytes
  const std::filesystem::path& directory() const { return directory_; }
  // The bytes of a file the manifest names, checked again against the digest.
  Result<std::string> Read(std::string_view path) const;

 private:
  Manifest manifest_;
  std::string digest_;
  std::filesystem::path directory_;
  const os::FileSystem* files_ = nullptr;
};

}  // namespace penstock::package
