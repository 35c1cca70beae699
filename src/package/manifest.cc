// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "package/package.h"

namespace penstock::package {
namespace {

constexpr std::string_view kSelfDigest = "manifest_sha256";
const std::string& ZeroDigest() {
  static const std::string zeros(64, '0');
  return zeros;
}

constexpr std::array<std::pair<EngineKind, std::string_view>, 3> kEngineKinds = {
    {{EngineKind::kOwn, "own"},
     {EngineKind::kOnnxRuntime, "onnxruntime"},
     {EngineKind::kPython, "python"}}};

Result<EngineKind> EngineKindFromName(std::string_view name) {
  for (const auto& [kind, candidate] : kEngineKinds) {
    if (candidate == name) return kind;
  }
  return InvalidArgument(
      fmt::format("'{}' is no engine; one of 'own', 'onnxruntime', 'python' was expected", name));
}

Status Newer(const json::Value& format, int64_t reader_min) {
  return FailedPrecondition(
      fmt::format("the package was made by a newer Penstock (format {}, needs a reader of format "
                  "{}; this one reads up "
                  "to {}): upgrade Penstock here, or register the model again with this version",
                  json::Write(format), reader_min, kFormatVersion));
}

json::Value EngineToJson(const EngineEntry& entry) {
  json::Value value(json::Object{{"kind", EngineKindName(entry.kind)},
                                 {"file", entry.file},
                                 {"precision", TypeName(entry.precision)}});
  if (entry.kind != EngineKind::kPython) value.Set("encoding", entry.encoding.ToJson());
  if (!entry.options.is_null()) value.Set("options", entry.options);
  return value;
}

Result<EngineEntry> EngineFromJson(const json::Value& value, const Signature& signature) {
  EngineEntry entry;
  entry.kind = PENSTOCK_TRY(EngineKindFromName(PENSTOCK_TRY(value.String("kind"))));
  entry.file = PENSTOCK_TRY(value.String("file"));
  entry.precision = PENSTOCK_TRY(TypeFromName(PENSTOCK_TRY(value.String("precision"))));
  if (entry.precision != Type::kFloat32 && entry.precision != Type::kFloat64) {
    return InvalidArgument(fmt::format("'precision' is '{}'; 'float32' or 'float64' was expected",
                                       TypeName(entry.precision)));
  }
  if (entry.kind != EngineKind::kPython) {
    const json::Value encoding = PENSTOCK_TRY(value.Member("encoding"));
    entry.encoding = PENSTOCK_TRY(Encoding::FromJson(encoding, signature.inputs.size()));
    PENSTOCK_TRY(CheckEncoding(signature, entry.encoding));
  }
  if (const json::Value* options = value.Find("options")) entry.options = *options;
  return entry;
}

Result<FileEntry> FileFromJson(const json::Value& value) {
  FileEntry file;
  file.path = PENSTOCK_TRY(value.String("path"));
  PENSTOCK_TRY(CheckPath(file.path));
  file.size = PENSTOCK_TRY(value.Int("size"));
  if (file.size < 0 || file.size > kFileBytesMax) {
    return InvalidArgument(fmt::format("the size of file '{}' is {}; 0 to {} bytes were expected",
                                       file.path, file.size, kFileBytesMax));
  }
  file.sha256 = PENSTOCK_TRY(value.String("sha256"));
  if (!IsSha256Hex(file.sha256)) {
    return InvalidArgument(
        fmt::format("the digest of file '{}' is no SHA-256 of 64 hexadecimal digits", file.path));
  }
  return file;
}

Result<std::vector<FileEntry>> FilesFromJson(const json::Array& array) {
  std::vector<FileEntry> files;
  for (const json::Value& item : array) {
    files.push_back(PENSTOCK_TRY(FileFromJson(item)));
    if (files.size() > 1 && files[files.size() - 2].path >= files.back().path) {
      return InvalidArgument(
          fmt::format("file '{}' stands twice or out of order", files.back().path));
    }
  }
  return files;
}

Result<std::vector<EngineEntry>> EnginesFromJson(const json::Array& array,
                                                 const Manifest& manifest) {
  std::vector<EngineEntry> engines;
  for (const json::Value& item : array) {
    engines.push_back(PENSTOCK_TRY(EngineFromJson(item, manifest.signature)));
    const std::string& file = engines.back().file;
    const bool is_listed = std::any_of(manifest.files.begin(), manifest.files.end(),
                                       [&](const FileEntry& entry) { return entry.path == file; });
    if (!is_listed)
      return InvalidArgument(
          fmt::format("engine file '{}' is not among the package's files", file));
  }
  if (engines.empty())
    return InvalidArgument("the manifest names no engine; at least one was expected");
  return engines;
}

}  // namespace

std::string_view EngineKindName(EngineKind kind) {
  for (const auto& [candidate, name] : kEngineKinds) {
    if (candidate == kind) return name;
  }
  return "";
}

Status CheckPath(std::string_view path) {
  const auto refuse = [&](std::string_view why) {
    return InvalidArgument(
        fmt::format("'{}' cannot be the path of a file in a package: {}", path, why));
  };
  if (path.empty() || path.size() > kPathBytesMax) {
    return refuse(
        fmt::format("it has {} bytes; 1 to {} were expected", path.size(), kPathBytesMax));
  }
  if (path == kManifestName) return refuse("the manifest is not among the files it lists");
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '\\')
      return refuse("it holds a backslash or a control character");
  }
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view component = path.substr(begin, end - begin);
    if (component.empty() || component == "." || component == "..") {
      return refuse("it must be relative, without empty, '.' or '..' components");
    }
    begin = end + 1;
  }
  return {};
}

json::Value Manifest::ToJson() const {
  json::Array engine_list;
  for (const EngineEntry& entry : engines) engine_list.push_back(EngineToJson(entry));
  json::Array file_list;
  for (const FileEntry& file : files) {
    file_list.push_back(
        json::Object{{"path", file.path}, {"size", file.size}, {"sha256", file.sha256}});
  }
  return json::Object{{"format", format},
                      {"reader_min", reader_min},
                      {"created_by", created_by},
                      {"signature", signature.ToJson()},
                      {"engines", std::move(engine_list)},
                      {"engine_reason", engine_reason},
                      {"files", std::move(file_list)}};
}

Result<Manifest> Manifest::FromJson(const json::Value& value) {
  Manifest manifest;
  const int64_t reader_min = PENSTOCK_TRY(value.Int("reader_min"));
  if (reader_min > kFormatVersion) return Newer(PENSTOCK_TRY(value.Member("format")), reader_min);
  const int64_t format = PENSTOCK_TRY(value.Int("format"));
  if (format < 1 || reader_min < 1 || reader_min > format ||
      format > std::numeric_limits<int>::max()) {
    return InvalidArgument(
        fmt::format("'format' is {} and 'reader_min' {}; 1 <= reader_min <= format was expected",
                    format, reader_min));
  }
  manifest.format = static_cast<int>(format);
  manifest.reader_min = static_cast<int>(reader_min);
  manifest.created_by = PENSTOCK_TRY(value.String("created_by"));
  manifest.signature = PENSTOCK_TRY(Signature::FromJson(PENSTOCK_TRY(value.Member("signature"))));
  manifest.files = PENSTOCK_TRY(FilesFromJson(PENSTOCK_TRY(value.List("files"))));
  manifest.engines = PENSTOCK_TRY(EnginesFromJson(PENSTOCK_TRY(value.List("engines")), manifest));
  manifest.engine_reason = PENSTOCK_TRY(value.String("engine_reason"));
  return manifest;
}

std::string Draft::Seal() {
  std::sort(contents.begin(), contents.end());
  manifest.files.clear();
  for (const auto& [path, bytes] : contents) {
    PENSTOCK_CHECK(CheckPath(path).ok());
    PENSTOCK_CHECK(manifest.files.empty() || manifest.files.back().path != path);
    manifest.files.push_back({path, static_cast<int64_t>(bytes.size()), Sha256Hex(bytes)});
  }
  json::Value value = manifest.ToJson();
  value.Set(kSelfDigest, ZeroDigest());
  std::string text = json::WritePretty(value);
  text.replace(text.rfind(ZeroDigest()), ZeroDigest().size(), Sha256Hex(text));
  return text;
}

Result<Manifest> ParseManifest(std::string_view bytes) {
  const auto changed = [](std::string_view why) {
    return DataLoss(fmt::format(
        "'{}' was changed: {}; register the model or copy the package again", kManifestName, why));
  };
  const auto value = json::Parse(bytes);
  if (!value.ok()) return changed(value.status().message());
  // Every format carries it, so that a changed byte is never taken for a newer format.
  const auto digest = value->String(kSelfDigest);
  if (!digest.ok()) return changed(digest.status().message());
  std::string zeroed(bytes);
  const size_t place = zeroed.rfind(*digest);
  if (!IsSha256Hex(*digest) || place == std::string::npos)
    return changed("its own SHA-256 is not in it");
  zeroed.replace(place, digest->size(), ZeroDigest());
  const std::string actual = Sha256Hex(zeroed);
  if (actual != *digest)
    return changed(fmt::format("its SHA-256 is {}, it says {}", actual, *digest));
  return Manifest::FromJson(*value);
}

}  // namespace penstock::package
