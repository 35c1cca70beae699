// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "data/file_uri.h"
#include "data/sql_text.h"
#include "data/uri.h"

// Any bytes are a URI that is refused with a sentence, or one that names something to read.
namespace penstock::data {
namespace {

void Parse(std::string_view uri) {
  const Result<FileUri> parsed = ParseFileUri(uri);
  if (!parsed.ok()) {
    PENSTOCK_CHECK(!parsed.status().message().empty());
    return;
  }
  PENSTOCK_CHECK(!parsed->path.empty() || !parsed->database.empty() || !parsed->query.empty());
  PENSTOCK_CHECK(parsed->path.empty() || parsed->database.empty());
  PENSTOCK_CHECK(parsed->table.empty() || !parsed->database.empty());
  for (const auto& [name, value] : parsed->options) PENSTOCK_CHECK(name != "query");
  if (parsed->query.empty()) return;
  PENSTOCK_CHECK(!IsBlankQuery(parsed->query));
  // What is cut off begins with a semicolon; a statement is itself.
  const std::string_view statement = FirstStatement(parsed->query);
  PENSTOCK_CHECK(parsed->query.starts_with(statement));
  PENSTOCK_CHECK(statement.size() == parsed->query.size() ||
                 parsed->query[statement.size()] == ';');
  PENSTOCK_CHECK(FirstStatement(statement) == statement);
}

}  // namespace
}  // namespace penstock::data

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  penstock::data::Parse(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
