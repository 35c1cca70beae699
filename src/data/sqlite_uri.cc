// SPDX-License-Identifier: Apache-2.0
#include "data/sqlite_uri.h"

#include <fmt/format.h>

#include <vector>

#include "base/names.h"
#include "data/uri.h"

namespace penstock::data {
namespace {

constexpr std::string_view kPrefix = "sqlite:///";
constexpr std::string_view kQueryKey = "?query=";

Status UnknownParameter(std::string_view uri, std::string_view parameter) {
  const std::string name(parameter.substr(0, parameter.find('=')));
  const std::vector<std::string> known = {"query"};
  return InvalidArgument(
      fmt::format("'{}' has the parameter '{}'; a SQLite source has only 'query'.{} A '?' in the "
                  "path is written %3F",
                  uri, name, DidYouMean(name, known)));
}

}  // namespace

Result<SqliteUri> ParseSqliteUri(std::string_view uri) {
  if (!uri.starts_with(kPrefix)) {
    return InvalidArgument(
        fmt::format("'{}' is not a SQLite source; expected {}", uri, kSqliteForms));
  }
  if (uri.find('\0') != std::string_view::npos) {
    return InvalidArgument("the URI of a SQLite source holds a NUL byte; remove it");
  }
  const std::string_view rest = uri.substr(kPrefix.size());
  const size_t question = rest.find('?');
  const size_t query = rest.find(kQueryKey);
  SqliteUri parsed;
  if (query != std::string_view::npos && query == question) {
    parsed.path = DecodePercent(rest.substr(0, query));
    parsed.query = DecodeQuery(rest.substr(query + kQueryKey.size()));
    if (IsBlankQuery(parsed.query)) {
      return InvalidArgument(
          fmt::format("'{}' has an empty query; expected ?query=SELECT ...", uri));
    }
  } else {
    const size_t hash = rest.rfind('#');
    if (question != std::string_view::npos && (hash == std::string_view::npos || question < hash)) {
      return UnknownParameter(uri, rest.substr(question + 1));
    }
    parsed.path = DecodePercent(rest.substr(0, hash));
    if (hash != std::string_view::npos) {
      parsed.table = DecodePercent(rest.substr(hash + 1));
      if (parsed.table.empty()) {
        return InvalidArgument(
            fmt::format("'{}' has no table after '#'; expected {}", uri, kSqliteForms));
      }
    }
  }
  if (parsed.path.empty()) {
    return InvalidArgument(fmt::format("'{}' names no file; expected {}", uri, kSqliteForms));
  }
  return parsed;
}

}  // namespace penstock::data
