// SPDX-License-Identifier: Apache-2.0
#include "data/duckdb_errors.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "base/names.h"
#include "base/utf8.h"

namespace penstock::data {
namespace {

constexpr size_t kMessageBytesMax = 2'000;

// What stands between two texts; empty where they are not there.
std::string_view Between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t at = text.find(before);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = text.substr(at + before.size());
  const size_t end = rest.find(after);
  return end == std::string_view::npos ? "" : rest.substr(0, end);
}

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// All the names in double quotes.
std::vector<std::string> QuotedNames(std::string_view text) {
  std::vector<std::string> names;
  for (size_t begin = text.find('"'); begin != std::string_view::npos;) {
    const size_t end = text.find('"', begin + 1);
    if (end == std::string_view::npos) break;
    names.emplace_back(text.substr(begin + 1, end - begin - 1));
    begin = text.find('"', end + 1);
  }
  return names;
}

// The first paragraph without "Kind Error: ", as one line.
std::string FirstParagraph(std::string_view text) {
  text = text.substr(0, text.find("\n\n"));
  const size_t kind = text.find(" Error: ");
  if (kind != std::string_view::npos && kind < text.find('\n'))
    text = text.substr(kind + std::string_view(" Error: ").size());
  std::string line;
  for (const char c : text.substr(0, kMessageBytesMax)) {
    if (c != '\n') {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += line.back() == '.' || line.back() == ':' || line.back() == '!' ? " " : "; ";
    }
  }
  line.erase(line.find_last_not_of(" .;!") + 1);
  return std::string(CutUtf8(line, kMessageBytesMax));
}

Status FromCsv(std::string_view text) {
  const std::string where = fmt::format("'{}', line {}", Between(text, "\n  file = ", "\n"),
                                        Between(text, "Line: ", "\n"));
  if (const auto column = Between(text, "Error when converting column \"", "\".");
      !column.empty()) {
    const std::string_view value = Between(text, "Could not convert string \"", "\" to '");
    const std::string_view type = Between(text, "\" to '", "'");
    const bool is_guess = Has(text, "was auto-detected");
    return InvalidArgument(fmt::format(
        "{}, column '{}': '{}' is not a {}, the type that {}; add types={{'{}': 'VARCHAR'}}{} to "
        "the source, or mend the value",
        where, column, ShownName(value), type,
        is_guess ? "the first rows decided" : "was asked for", column,
        is_guess ? " or sample_size=-1" : ""));
  }
  if (const auto expected = Between(text, "Expected Number of Columns: ", " Found: ");
      !expected.empty()) {
    return InvalidArgument(fmt::format(
        "{}: {} columns were expected, and {} were found; mend the line, or add null_padding=true "
        "(short lines are filled) or ignore_errors=true (such lines are left out) to the source",
        where, expected, Between(text, " Found: ", "\n")));
  }
  if (Has(text, "not utf-8 encoded") || Has(text, "Invalid unicode")) {
    return InvalidArgument(
        fmt::format("{}: the text is not UTF-8; name its encoding in the source, as "
                    "encoding=latin-1 or encoding=utf-16",
                    where));
  }
  // The line after the original one says what is wrong.
  const size_t original = text.find("Original Line: ");
  const size_t detail = original == std::string_view::npos ? 0 : text.find('\n', original) + 1;
  return InvalidArgument(fmt::format(
      "{}: {}; mend the line, or tell the form of the file in the source, as delim=; or quote='",
      where, FirstParagraph(text.substr(detail, text.find('\n', detail) - detail))));
}

Status FromMissingColumn(std::string_view text) {
  std::vector<std::string> names = QuotedNames(text);
  const size_t candidates_at = text.find("Candidate bindings: ");
  if (names.empty() || candidates_at == std::string_view::npos)
    return InvalidArgument("the query is wrong: " + FirstParagraph(text));
  const std::vector<std::string> candidates =
      QuotedNames(text.substr(candidates_at, text.find("\n\n") - candidates_at));
  // "Table "t" does not have a column named "c"", or "Referenced column "c" not found".
  const std::string_view named = Between(text, "column named \"", "\"");
  const std::string name = named.empty() ? names.front() : std::string(named);
  return InvalidArgument(
      fmt::format("the query names the column '{}', which is not there; near it are {}.{}", name,
                  QuotedList(candidates), DidYouMean(name, candidates)));
}

Status FromMissingTable(std::string_view text) {
  return InvalidArgument(
      fmt::format("the query names the table '{}', which is not there; the files of a source are "
                  "the table 'data', and others stand in quotes, as FROM 'other.csv'",
                  Between(text, "Table with name ", " does not exist")));
}

Status FromExtension(std::string_view text) {
  return Unimplemented(fmt::format(
      "{}; extensions of DuckDB are neither downloaded nor loaded here: bring what it would read "
      "onto this machine, as CSV or Parquet",
      FirstParagraph(text.substr(0, text.find('\n')))));
}

struct Rule {
  std::string_view part;  // of the message
  Status (*explain)(std::string_view text);
};

// The first rule whose part is in the text speaks.
constexpr std::array kRules = {
    Rule{"CSV Error on Line", FromCsv},
    Rule{"Candidate bindings: ", FromMissingColumn},
    Rule{"Catalog Error: Table with name ", FromMissingTable},
    Rule{"requires the extension", FromExtension},
    Rule{"Missing Extension Error", FromExtension},
    Rule{"No magic bytes found",
         [](std::string_view text) {
           return DataLoss(fmt::format(
               "'{}' is not a whole Parquet file: its last bytes are not Parquet's; it may have "
               "been cut off, or never was one: write or copy it again",
               Between(text, "end of file '", "'")));
         }},
    Rule{"No files found that match",
         [](std::string_view text) {
           return NotFound(
               fmt::format("no file matches '{}'", Between(text, "the pattern \"", "\"")));
         }},
    Rule{"Permission denied",
         [](std::string_view text) { return PermissionDenied(FirstParagraph(text)); }},
    Rule{"Could not set lock on file",
         [](std::string_view text) {
           return Unavailable(FirstParagraph(text) +
                              "; close the database there, or read a copy of it");
         }},
    Rule{"JSON transform error",
         [](std::string_view text) {
           return InvalidArgument(fmt::format(
               "{}; add sample_size=-1, or columns={{'name': 'VARCHAR'}}, to the source",
               FirstParagraph(text.substr(0, text.find('\n')))));
         }},
    Rule{"Malformed JSON",
         [](std::string_view text) {
           return InvalidArgument(FirstParagraph(text) +
                                  "; mend it, or add ignore_errors=true to the source");
         }},
    Rule{
        "Type INT128 with value",
        [](std::string_view text) {
          return OutOfRange(fmt::format(
              "a whole number in the result, {}, is beyond int64; write CAST(... AS DOUBLE) in the "
              "query",
              Between(text, "with value ", " can't")));
        }},
    Rule{"Schema mismatch",
         [](std::string_view text) {
           return InvalidArgument(fmt::format(
               "the files have different columns: '{}' lacks '{}', which '{}' has; add "
               "union_by_name=true to the source",
               Between(text, "Current file: ", "\n"), Between(text, "Column with name: \"", "\""),
               Between(text, "Main file schema: ", "\n")));
         }},
    Rule{"Out of Memory Error",
         [](std::string_view text) {
           return ResourceExhausted(
               FirstParagraph(text.substr(0, text.find('\n'))) +
               "; read fewer columns or rows, or put less into one ORDER BY, join or GROUP BY");
         }},
    Rule{"INTERRUPT",
         [](std::string_view) { return Status(Code::kCancelled, "the read was stopped"); }},
    Rule{"Parser Error",
         [](std::string_view text) {
           return InvalidArgument("the query does not parse: " + FirstParagraph(text));
         }},
    Rule{"Snappy decompression",
         [](std::string_view text) {
           return DataLoss(FirstParagraph(text) + "; the file is damaged: write or copy it again");
         }},
    Rule{"Internal Error",
         [](std::string_view text) { return Internal("DuckDB failed: " + FirstParagraph(text)); }},
};

}  // namespace

Status FromDuckdb(std::string_view message) {
  for (const Rule& rule : kRules) {
    if (Has(message, rule.part)) return rule.explain(message);
  }
  const Code code = message.starts_with("IO Error") ? Code::kUnknown : Code::kInvalidArgument;
  return {code, FirstParagraph(message)};
}

}  // namespace penstock::data
