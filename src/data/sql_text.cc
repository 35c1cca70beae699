// SPDX-License-Identifier: Apache-2.0
#include "data/sql_text.h"

#include <algorithm>
#include <cctype>

namespace penstock::data {
namespace {

bool IsInName(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
}

// Each returns where what begins at `at` ends; what has no end ends with the text.

// '...' or "...": a doubled quote ends one and begins the next. E'...' has \' too.
size_t EndOfQuoted(std::string_view sql, size_t at, bool has_escapes) {
  for (size_t i = at + 1; i < sql.size(); ++i) {
    if (sql[i] == '\\' && has_escapes) {
      ++i;
    } else if (sql[i] == sql[at]) {
      return i + 1;
    }
  }
  return sql.size();
}

size_t EndOfLine(std::string_view sql, size_t at) {
  return std::min(sql.find_first_of("\r\n", at), sql.size());
}

// Comments in comments count.
size_t EndOfComment(std::string_view sql, size_t at) {
  int depth = 1;
  for (at += 2; at < sql.size() && depth > 0;) {
    const std::string_view two = sql.substr(at, 2);
    if (two == "/*") ++depth;
    if (two == "*/") --depth;
    at += two == "/*" || two == "*/" ? 2 : 1;
  }
  return at;
}

// $tag$...$tag$, the tag being a name or nothing; a lone $ is a parameter's.
size_t EndOfDollars(std::string_view sql, size_t at) {
  size_t end = at + 1;
  while (end < sql.size() && IsInName(sql[end])) ++end;
  if (end == sql.size() || sql[end] != '$') return at + 1;
  const std::string_view tag = sql.substr(at, end + 1 - at);
  const size_t close = sql.find(tag, end + 1);
  return close == std::string_view::npos ? sql.size() : close + tag.size();
}

}  // namespace

std::string_view FirstStatement(std::string_view sql) {
  for (size_t at = 0; at < sql.size();) {
    const std::string_view two = sql.substr(at, 2);
    if (sql[at] == ';') return sql.substr(0, at);
    if (sql[at] == '"' || sql[at] == '\'') {
      at = EndOfQuoted(sql, at, false);
    } else if (two == "--") {
      at = EndOfLine(sql, at);
    } else if (two == "/*") {
      at = EndOfComment(sql, at);
    } else if (sql[at] == '$') {
      at = EndOfDollars(sql, at);
    } else if (IsInName(sql[at])) {
      const size_t begin = at;
      while (at < sql.size() && (IsInName(sql[at]) || sql[at] == '$')) ++at;
      const bool is_escape = at - begin == 1 && (sql[begin] == 'e' || sql[begin] == 'E');
      if (is_escape && at < sql.size() && sql[at] == '\'') at = EndOfQuoted(sql, at, true);
    } else {
      ++at;
    }
  }
  return sql;
}

}  // namespace penstock::data
