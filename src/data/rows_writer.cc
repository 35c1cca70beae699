// SPDX-License-Identifier: Apache-2.0
#include "data/rows_writer.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "base/exit_code.h"
#include "data/duckdb_source.h"
#include "data/file_uri.h"
#include "data/sqlite_reader.h"
#include "data/sqlite_uri.h"
#include "json/value.h"
#include "table/ipc.h"

namespace penstock::data {
namespace {

constexpr size_t kMessageBytesMax = size_t{16} << 10;

Status WriteDuckdb(std::string_view uri, int descriptor) {
  const auto poll = [descriptor] {
    return IsReaderGone(descriptor) ? Status(Code::kCancelled, "the reader went away") : Status();
  };
  const FileUri parsed = PENSTOCK_TRY(ParseFileUri(uri));
  table::TableStream stream(PENSTOCK_TRY(OpenDuckdb(parsed, poll)));
  table::IpcWriter writer =
      PENSTOCK_TRY(table::IpcWriter::Open(descriptor, PENSTOCK_TRY(stream.Fields())));
  while (true) {
    const table::Batch batch = PENSTOCK_TRY(stream.Next());
    if (batch.empty()) return writer.Finish();
    PENSTOCK_TRY(writer.Write(batch));
  }
}

}  // namespace

Status WriteRows(std::string_view uri, int descriptor) {
  return uri.starts_with(kSqliteScheme) ? WriteSqlite(uri, descriptor)
                                        : WriteDuckdb(uri, descriptor);
}

int RunReadRows(std::string_view uri) {
  signal(SIGPIPE, SIG_IGN);
  const Status status = WriteRows(uri, STDOUT_FILENO);
  if (status.ok()) return 0;
  close(STDOUT_FILENO);  // the parent reads standard error only after this
  json::Value error;
  error.Set("code", static_cast<int>(status.code()));
  error.Set("message", status.message().substr(0, kMessageBytesMax));
  std::fprintf(stderr, "%s\n", json::Write(error).c_str());
  return ExitCode(status.code());
}

Status ErrorFromChild(std::string_view standard_error) {
  while (!standard_error.empty()) {
    const size_t end = standard_error.find_last_not_of('\n');
    if (end == std::string_view::npos) break;
    standard_error = standard_error.substr(0, end + 1);
    const size_t begin = standard_error.rfind('\n') + 1;
    const Result<json::Value> line = json::Parse(standard_error.substr(begin));
    if (line.ok()) {
      const Result<int64_t> code = line->Int("code");
      const Result<std::string> message = line->String("message");
      if (code.ok() && message.ok() && *code > 0 &&
          *code <= static_cast<int>(Code::kUnauthenticated)) {
        return {static_cast<Code>(*code), *message};
      }
    }
    standard_error = standard_error.substr(0, begin);
  }
  return {};
}

}  // namespace penstock::data
