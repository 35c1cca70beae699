// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/worker_log.h"
#include "engine/worker_protocol.h"
#include "os/process.h"

namespace penstock::engine {

// What a worker says when the model is loaded, and the texts of errors.
inline constexpr uint64_t kWorkerTextBytesMax = 1 << 20;

struct WorkerCommand {
  std::filesystem::path python;
  std::filesystem::path package;  // the folder
};

// A frame as it was received.
struct Frame {
  FrameHeader header;
  std::string payload;
};

// One process of `python -m penstock._worker` and the socket to it. For one thread at a time.
class WorkerProcess {
 public:
  // Returns at once: the first frame says when the model is loaded. The process is killed when the
  // thread that started it ends.
  static Result<std::unique_ptr<WorkerProcess>> Start(
      const WorkerCommand& command, int number, const std::function<void(const WorkerNote&)>& note);

  pid_t pid() const { return process_.pid(); }
  int socket() const { return socket_.get(); }
  const std::shared_ptr<WorkerLog>& log() const { return log_; }

  // Whether the socket has something to read, or is closed, without a call.
  bool is_unsettled() const;
  // Reads what has come of the first frame; empty while more of it is to come.
  Result<std::optional<Frame>> PollFirstFrame();

  // Sends a frame and reads its answer into `frame`, whose memory is reused. kDeadlineExceeded when
  // the monotonic clock reads deadline_ns, kUnavailable when the process is gone, kAborted when
  // it was gone before it had read all of the call, kInternal when what it sends is no answer to
  // this frame.
  Status Exchange(std::string_view request, uint64_t id, uint64_t payload_bytes_max,
                  int64_t deadline_ns, Frame& frame);

  // Whether any byte of the last call went to the process, which may have read it.
  bool has_sent() const { return has_sent_; }

  // Tells the process to end: its socket closes.
  void HangUp() { socket_.Close(); }
  // Ends the process, if it does not end by itself within `grace`, and returns how it ended:
  // "exited with code 3", "was ended by signal 11 (Segmentation fault)".
  std::string End(std::chrono::milliseconds grace);
  // Whether it has ended, so that destruction does not wait for it: a process may be stuck in the
  // kernel, or held by a debugger, even after SIGKILL.
  bool HasEnded();
  // Leaves the process and its descriptors to another: in a fork, they are the parent's.
  static void Abandon(std::unique_ptr<WorkerProcess> worker);

 private:
  WorkerProcess(os::Process process, os::FileDescriptor socket, std::shared_ptr<WorkerLog> log)
      : process_(std::move(process)), socket_(std::move(socket)), log_(std::move(log)) {}

  Status Send(std::string_view bytes, int64_t deadline_ns);
  Status Receive(char* bytes, size_t count, int64_t deadline_ns);
  Status WaitUntil(short events, int64_t deadline_ns);

  os::Process process_;
  os::FileDescriptor socket_;
  std::shared_ptr<WorkerLog> log_;
  std::string first_;  // bytes of the first frame so far
  bool has_sent_ = false;
};

}  // namespace penstock::engine
