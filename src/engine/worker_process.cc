// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/clock.h"
#include "engine/worker_interpreter.h"

namespace penstock::engine {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kPollMsMax = 1'000'000;

Status Gone() { return Unavailable("its process is gone"); }

Status GoneUnread() {
  return Status(Code::kAborted, "its process was gone before it had read the call");
}

std::string_view NameOfSignal(int signal) {
  const char* name = sigdescr_np(signal);
  return name == nullptr ? "unknown" : name;
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(
    const WorkerCommand& command, int number, const std::function<void(const WorkerNote&)>& note) {
  os::SocketPair sockets = PENSTOCK_TRY(os::MakeSocketPair());
  os::Process process = PENSTOCK_TRY(os::Process::Start(
      {.program = command.python,
       .arguments = {"-m", "penstock._worker", command.package.string()},
       // Neither the working directory nor the package's folder is to change what is imported.
       .environment = {{"PYTHONSAFEPATH", "1"}, {"PYTHONDONTWRITEBYTECODE", "1"}},
       .inherits_variable = [](std::string_view name,
                               std::string_view value) { return !IsCredential(name, value); },
       .stdin_descriptor = sockets.theirs.get(),
       .pipe_stderr = true,
       .joins_stdout = true,
       .dies_with_thread = true,
       .ignores_interrupt = true}));
  auto log = std::make_shared<WorkerLog>(std::move(process.stderr_pipe()), number, note);
  return std::unique_ptr<WorkerProcess>(
      new WorkerProcess(std::move(process), std::move(sockets.ours), std::move(log)));
}

bool WorkerProcess::is_unsettled() const {
  pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) != 0;
}

Result<std::optional<Frame>> WorkerProcess::PollFirstFrame() {
  char buffer[4096];
  for (;;) {
    const ssize_t count = recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) return Gone();
    first_.append(buffer, static_cast<size_t>(count));
    if (first_.size() > kFrameHeaderBytes + kWorkerTextBytesMax)
      return Internal("it sends more than one frame before it was asked");
  }
  if (first_.size() < kFrameHeaderBytes) return std::optional<Frame>();
  Frame frame{.header = PENSTOCK_TRY(ParseFrameHeader(first_, kWorkerTextBytesMax)), .payload = {}};
  if (first_.size() < kFrameHeaderBytes + frame.header.payload_bytes) return std::optional<Frame>();
  frame.payload = first_.substr(kFrameHeaderBytes);
  first_.clear();
  return std::optional(std::move(frame));
}

Status WorkerProcess::WaitUntil(short events, int64_t deadline_ns) {
  pollfd entry{.fd = socket_.get(), .events = events, .revents = 0};
  for (;;) {
    const int64_t left_ns = deadline_ns - Clock::System().MonotonicNs();
    if (left_ns <= 0) return Status(Code::kDeadlineExceeded, "it took too long");
    const int64_t left_ms = std::min(left_ns / kNsPerMs + 1, kPollMsMax);
    const int ready = poll(&entry, 1, static_cast<int>(left_ms));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return FromErrno(errno, "cannot wait for a worker");
  }
}

Status WorkerProcess::Send(std::string_view bytes, int64_t deadline_ns) {
  while (!bytes.empty()) {
    const ssize_t count =
        send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      has_sent_ = true;
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      PENSTOCK_TRY(WaitUntil(POLLOUT, deadline_ns));
    } else if (errno != EINTR) {
      return GoneUnread();
    }
  }
  return {};
}

Status WorkerProcess::Receive(char* bytes, size_t count, int64_t deadline_ns) {
  while (count > 0) {
    const ssize_t got = recv(socket_.get(), bytes, count, MSG_DONTWAIT);
    if (got > 0) {
      bytes += got;
      count -= static_cast<size_t>(got);
    } else if (got < 0 && errno == EAGAIN) {
      PENSTOCK_TRY(WaitUntil(POLLIN, deadline_ns));
    } else if (got < 0 && errno == ECONNRESET) {
      // What the kernel says when the other end has closed with bytes that it had not read.
      return GoneUnread();
    } else if (got == 0 || errno != EINTR) {
      return Gone();
    }
  }
  return {};
}

Status WorkerProcess::Exchange(std::string_view request, uint64_t id, uint64_t payload_bytes_max,
                               int64_t deadline_ns, Frame& frame) {
  has_sent_ = false;
  PENSTOCK_TRY(Send(request, deadline_ns));
  char header[kFrameHeaderBytes];
  PENSTOCK_TRY(Receive(header, sizeof(header), deadline_ns));
  frame.header =
      PENSTOCK_TRY(ParseFrameHeader(std::string_view(header, sizeof(header)), payload_bytes_max));
  frame.payload.resize(frame.header.payload_bytes);
  PENSTOCK_TRY(Receive(frame.payload.data(), frame.payload.size(), deadline_ns));
  if (frame.header.id != id) {
    return Internal(fmt::format("it answers call {} instead of call {}", frame.header.id, id));
  }
  return {};
}

std::string WorkerProcess::End(std::chrono::milliseconds grace) {
  socket_.Close();
  auto ended = process_.WaitFor(grace);
  if (ended.ok() && !*ended) {
    process_.Kill(SIGKILL);
    ended = process_.WaitFor(std::chrono::seconds(1));
  }
  log_->Drain();
  if (!ended.ok() || !*ended) return "does not end";
  const int code = **ended;
  // os::Process tells a signal as a shell does.
  if (code > 128)
    return fmt::format("was ended by signal {} ({})", code - 128, NameOfSignal(code - 128));
  return fmt::format("exited with code {}", code);
}

bool WorkerProcess::HasEnded() {
  const auto ended = process_.WaitFor(std::chrono::milliseconds(0));
  return !ended.ok() || ended->has_value();
}

void WorkerProcess::Abandon(std::unique_ptr<WorkerProcess> worker) {
  // Its destructor would kill and wait for a process that is not a child here.
  worker->socket_.Close();
  static_cast<void>(worker.release());
}

}  // namespace penstock::engine
