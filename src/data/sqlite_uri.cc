// SPDX-License-Identifier: Apache-2.0
#include "data/sqlite_uri.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "base/names.h"

namespace penstock::data {
namespace {

constexpr std::string_view kPrefix = "sqlite:///";
constexpr std::string_view kQueryKey = "?query=";

std::optional<int> HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return std::nullopt;
}

// %XX becomes its byte; a '%' that two hexadecimal digits do not follow stays.
std::string Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const std::optional<int> high = HexDigit(text[i + 1]);
      const std::optional<int> low = HexDigit(text[i + 2]);
      if (high && low) {
        decoded += static_cast<char>(*high * 16 + *low);
        i += 2;
        continue;
      }
    }
    decoded += text[i];
  }
  return decoded;
}

// A statement without any white space is rare, an encoded one has none: LIKE '%ab%' must not become
// another byte.
std::string DecodeQuery(std::string_view text) {
  return text.find_first_of(" \t\r\n") == std::string_view::npos ? Decode(text) : std::string(text);
}

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
    parsed.path = Decode(rest.substr(0, query));
    parsed.query = DecodeQuery(rest.substr(query + kQueryKey.size()));
    if (parsed.query.find_first_not_of(" \t\r\n;") == std::string::npos) {
      return InvalidArgument(
          fmt::format("'{}' has an empty query; expected ?query=SELECT ...", uri));
    }
  } else {
    const size_t hash = rest.rfind('#');
    if (question != std::string_view::npos && (hash == std::string_view::npos || question < hash)) {
      return UnknownParameter(uri, rest.substr(question + 1));
    }
    parsed.path = Decode(rest.substr(0, hash));
    if (hash != std::string_view::npos) {
      parsed.table = Decode(rest.substr(hash + 1));
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
