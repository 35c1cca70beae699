// SPDX-License-Identifier: Apache-2.0
#include "data/file_uri.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>

#include "base/names.h"
#include "data/sqlite_uri.h"
#include "data/uri.h"

namespace penstock::data {
namespace {

constexpr std::string_view kForms =
    "a path of files (data/*.csv, x.parquet, x.jsonl), csv:PATH, parquet:PATH, json:PATH, "
    "file:///PATH, duckdb:///PATH#TABLE, duckdb:?query=SELECT ..., or sqlite:///PATH#TABLE";

struct Ending {
  std::string_view text;
  FileFormat format;
  bool is_lines;  // one JSON object a line
};
constexpr std::array kEndings = {
    Ending{".csv", FileFormat::kCsv, false},    Ending{".tsv", FileFormat::kCsv, false},
    Ending{".txt", FileFormat::kCsv, false},    Ending{".parquet", FileFormat::kParquet, false},
    Ending{".pq", FileFormat::kParquet, false}, Ending{".json", FileFormat::kJson, false},
    Ending{".jsonl", FileFormat::kJson, true},  Ending{".ndjson", FileFormat::kJson, true},
};

const Ending* EndingOf(std::string_view path) {
  std::string lower(path);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string_view compressed : {".gz", ".zst"}) {
    if (lower.ends_with(compressed)) lower.resize(lower.size() - compressed.size());
  }
  for (const Ending& ending : kEndings) {
    if (lower.ends_with(ending.text)) return &ending;
  }
  return nullptr;
}

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// "scheme" of "scheme:rest", or "" where there is none: a path may hold a ':' further on.
std::string_view SchemeOf(std::string_view uri) {
  const size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon < 2) return "";
  const std::string_view scheme = uri.substr(0, colon);
  return std::ranges::all_of(scheme, [](char c) { return IsNameCharacter(c) || c == '+'; }) ? scheme
                                                                                            : "";
}

// Where "?name=" begins: a '?' before anything else stands for one character of a file's name.
size_t OptionsAt(std::string_view text) {
  for (size_t at = text.find('?'); at != std::string_view::npos; at = text.find('?', at + 1)) {
    size_t end = at + 1;
    while (end < text.size() && IsNameCharacter(text[end])) ++end;
    if (end > at + 1 && end < text.size() && text[end] == '=') return at;
  }
  return std::string_view::npos;
}

Status ReadOptionsInto(FileUri& parsed, std::string_view uri, std::string_view text) {
  while (!text.empty()) {
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return InvalidArgument(fmt::format(
          "'{}' has '{}' where option=value was expected; write %26 for an & in a value",
          ShownName(uri), ShownName(text)));
    }
    const std::string name = DecodePercent(text.substr(0, equals));
    text.remove_prefix(equals + 1);
    if (name == "query") {
      parsed.query = DecodeQuery(text);
      if (!IsBlankQuery(parsed.query)) return {};
      return InvalidArgument(
          fmt::format("'{}' has an empty query; expected ?query=SELECT ...", ShownName(uri)));
    }
    const size_t end = std::min(text.find('&'), text.size());
    parsed.options.emplace_back(name, DecodePercent(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

Result<FileUri> ParseDatabase(std::string_view uri) {
  std::string_view rest = uri.substr(kDuckdbScheme.size());
  FileUri parsed;
  const size_t options = OptionsAt(rest);
  if (options != std::string_view::npos) {
    PENSTOCK_TRY(ReadOptionsInto(parsed, uri, rest.substr(options + 1)));
    rest = rest.substr(0, options);
  }
  if (!parsed.options.empty()) {
    const std::string& name = parsed.options.front().first;
    const std::vector<std::string> known = {"query"};
    return InvalidArgument(
        fmt::format("'{}' has the option '{}'; a duckdb: source has only 'query'.{}",
                    ShownName(uri), name, DidYouMean(name, known)));
  }
  if (rest.empty() && !parsed.query.empty()) return parsed;
  const size_t hash = parsed.query.empty() ? rest.rfind('#') : std::string_view::npos;
  if (rest.starts_with("///")) parsed.database = DecodePercent(rest.substr(3, hash - 3));
  if (hash != std::string_view::npos) parsed.table = DecodePercent(rest.substr(hash + 1));
  if (parsed.database.empty() || (parsed.table.empty() && parsed.query.empty())) {
    return InvalidArgument(
        fmt::format("'{}' is not complete; expected duckdb:///PATH#TABLE, "
                    "duckdb:///PATH?query=SELECT ... or duckdb:?query=SELECT ...",
                    ShownName(uri)));
  }
  return parsed;
}

// What follows a scheme: a path, or ///path, which is absolute.
Result<std::string> PathBehindScheme(std::string_view uri, std::string_view scheme,
                                     std::string_view rest) {
  if (!rest.starts_with("//")) return DecodePercent(rest);
  if (rest.starts_with("///")) return DecodePercent(rest.substr(2));
  return InvalidArgument(
      fmt::format("'{}' names the host '{}', and files are read on this machine only; write {}:///"
                  "PATH for an absolute path",
                  ShownName(uri), rest.substr(2, rest.find('/', 2) - 2), scheme));
}

Status UnknownScheme(std::string_view uri, std::string_view scheme) {
  const std::vector<std::string> known = {"sqlite", "duckdb", "csv", "parquet", "json", "file"};
  for (const std::string_view far : {"http", "https", "s3", "gs", "gcs", "r2", "az", "hf"}) {
    if (scheme != far) continue;
    return Unimplemented(fmt::format(
        "'{}' is on the network, from where this release does not read; copy it here first",
        ShownName(uri)));
  }
  return InvalidArgument(fmt::format("'{}' is not a source that this release reads; expected {}.{}",
                                     ShownName(uri), kForms, DidYouMean(scheme, known)));
}

}  // namespace

bool IsPattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

Status IsADirectory(const std::filesystem::path& path) {
  return InvalidArgument(fmt::format("'{}' is a directory; name its files, as '{}'", path.string(),
                                     (path / "*.csv").string()));
}

Result<FileUri> ParseFileUri(std::string_view uri) {
  if (uri.find('\0') != std::string_view::npos)
    return InvalidArgument("the URI of a source holds a NUL byte; remove it");
  if (uri.starts_with(kDuckdbScheme)) return ParseDatabase(uri);
  const size_t options = OptionsAt(uri);
  const std::string_view place = uri.substr(0, options);
  const std::string_view scheme = SchemeOf(place);
  const std::string_view rest = scheme.empty() ? place : place.substr(scheme.size() + 1);
  FileUri parsed;
  if (options != std::string_view::npos)
    PENSTOCK_TRY(ReadOptionsInto(parsed, uri, uri.substr(options + 1)));
  const std::array<std::pair<std::string_view, FileFormat>, 3> formats = {
      {{"csv", FileFormat::kCsv}, {"parquet", FileFormat::kParquet}, {"json", FileFormat::kJson}}};
  const auto* told =
      std::ranges::find(formats, scheme, [](const auto& entry) { return entry.first; });
  const bool is_told = told != formats.end();
  if (!scheme.empty() && !is_told && scheme != "file") return UnknownScheme(uri, scheme);
  parsed.path =
      scheme.empty() ? std::string(rest) : PENSTOCK_TRY(PathBehindScheme(uri, scheme, rest));
  if (parsed.path.empty()) {
    return InvalidArgument(fmt::format("'{}' names no file; expected {}", ShownName(uri), kForms));
  }
  const Ending* ending = EndingOf(parsed.path);
  if (!is_told && ending == nullptr) {
    std::error_code ignored;
    if (std::filesystem::is_directory(parsed.path, ignored)) return IsADirectory(parsed.path);
    return InvalidArgument(
        fmt::format("'{}' has no ending that tells its format (.csv, .parquet, .json, .jsonl, with "
                    ".gz too); write csv:{}, parquet:{} or json:{}, or "
                    "name a database, as {}",
                    ShownName(uri), parsed.path, parsed.path, parsed.path, kSqliteForms));
  }
  parsed.format = is_told ? told->second : ending->format;
  const bool has_format = std::ranges::any_of(
      parsed.options, [](const auto& option) { return option.first == "format"; });
  if (parsed.format == FileFormat::kJson && ending != nullptr && ending->is_lines && !has_format)
    parsed.options.emplace_back("format", "newline_delimited");
  return parsed;
}

}  // namespace penstock::data
