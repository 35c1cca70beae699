// SPDX-License-Identifier: Apache-2.0
#include "data/child_source.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "data/rows_writer.h"
#include "data/sqlite_uri.h"
#include "os/executable.h"
#include "os/process.h"
#include "table/ipc.h"

namespace penstock::data {
namespace {

// One argument of a process holds 128 KiB on Linux.
constexpr size_t kUriBytesMax = 100'000;
constexpr int kPollMs = 50;
constexpr std::chrono::seconds kChildEndMax{10};

// The rows that a child process writes.
class ChildSource : public table::BatchSource {
 public:
  ChildSource(os::Process process, std::string uri, std::function<Status()> poll)
      : process_(std::move(process)),
        uri_(std::move(uri)),
        poll_(std::move(poll)),
        reader_([this](std::span<uint8_t> into) { return ReadSome(into); }) {}

  Result<table::OwnedSchema> Schema() override {
    Result<table::OwnedSchema> schema = reader_.Schema();
    if (schema.ok()) return schema;
    return Explain(schema.status());
  }

  Result<table::Batch> Next() override {
    Result<table::Batch> batch = reader_.Next();
    if (!batch.ok()) return Explain(batch.status());
    if (batch->empty()) PENSTOCK_TRY(CheckEnd());
    return batch;
  }

 private:
  Result<size_t> ReadSome(std::span<uint8_t> into) {
    const int descriptor = process_.stdout_pipe().get();
    while (true) {
      if (poll_) {
        pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
        const int ready = poll(&entry, 1, kPollMs);
        poll_status_ = poll_();
        if (!poll_status_.ok()) return poll_status_;
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
      }
      const ssize_t count = read(descriptor, into.data(), into.size());
      if (count >= 0) return static_cast<size_t>(count);
      if (errno != EINTR)
        return FromErrno(errno, "cannot read what the reader of a database wrote");
    }
  }

  // Why the child's stream ended early: what the child says, else how it ended.
  Status Explain(const Status& read_status) {
    if (!poll_status_.ok()) return poll_status_;
    process_.stdout_pipe().Close();
    if (explained_.ok()) explained_ = AskChild(read_status);
    return explained_;
  }

  Status AskChild(const Status& read_status) {
    const Result<std::string> words = os::ReadAll(process_.stderr_pipe(), kErrorBytesMax);
    if (words.ok()) PENSTOCK_TRY(ErrorFromChild(*words));
    const Result<std::optional<int>> ended = process_.WaitFor(kChildEndMax);
    if (ended.ok() && *ended && **ended != 0) {
      const int code = **ended;
      const std::string how = code > 128 ? fmt::format("was killed by signal {}", code - 128)
                                         : fmt::format("ended with exit code {}", code);
      return DataLoss(
          fmt::format("reading '{}' stopped in the middle: the process that reads the database {}; "
                      "nothing of it "
                      "is used: read it again",
                      uri_, how));
    }
    return read_status.Prefixed(fmt::format("reading '{}'", uri_));
  }

  // The stream is whole only if the child says so too.
  Status CheckEnd() {
    const std::optional<int> code = PENSTOCK_TRY(process_.WaitFor(kChildEndMax));
    if (code == 0) return {};
    return Explain(DataLoss("the process that reads the database did not end well; read it again"));
  }

  os::Process process_;
  std::string uri_;
  std::function<Status()> poll_;
  Status poll_status_;
  Status explained_;
  table::IpcReader reader_;
};

}  // namespace

Result<std::unique_ptr<table::BatchSource>> OpenInChild(std::string_view uri,
                                                        const ReadOptions& options) {
  if (uri.size() > kUriBytesMax) {
    return InvalidArgument(fmt::format(
        "the URI of the source has {} bytes, more than {}; put the query into a view of the "
        "database",
        uri.size(), kUriBytesMax));
  }
  if (uri.starts_with(kSqliteScheme)) PENSTOCK_TRY(ParseSqliteUri(uri));
  const std::filesystem::path program = options.program.empty()
                                            ? PENSTOCK_TRY(os::ProgramBeside("penstock"))
                                            : std::filesystem::path(options.program);
  os::Process process = PENSTOCK_TRY(os::Process::Start({
      .program = program,
      .arguments = {std::string(kReadRowsCommand), std::string(uri)},
      .pipe_stdout = true,
      .pipe_stderr = true,
      .ignores_interrupt = true,  // it ends when nobody reads it any more
  }));
  auto source = std::make_unique<ChildSource>(std::move(process), std::string(uri), options.poll);
  PENSTOCK_TRY(source->Schema());
  return std::unique_ptr<table::BatchSource>(std::move(source));
}

}  // namespace penstock::data
