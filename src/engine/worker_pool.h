// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/worker_options.h"
#include "engine/worker_process.h"
#include "os/file_descriptor.h"

namespace penstock::engine {

inline constexpr int64_t kWorkerRestartMsMin = 100;
inline constexpr int64_t kWorkerRestartMsMax = 10'000;
// A call waits for a worker that is to be started within this; else it is refused at once. So long
// too may all be busy with starting before it is said that none can answer.
inline constexpr int64_t kWorkerPatienceMs = 1'000;

// The worker processes of one model. A thread of its own starts them, starts them again when they
// end, reads what they print and watches their memory. Thread-safe. Not for a fork of the process
// that made it.
class WorkerPool {
 public:
  // Returns when the first worker is ready. kFailedPrecondition with what it said where it is not.
  static Result<std::unique_ptr<WorkerPool>> Start(WorkerCommand command, WorkerOptions options);
  // Lets all workers end, and ends what does not. No call may be running.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // A worker that is this thread's until it is destroyed.
  class Lease {
   public:
    Lease(WorkerPool* pool, int slot) : pool_(pool), slot_(slot) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), slot_(other.slot_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    // As WorkerProcess::Exchange. A worker that fails is ended, and the error tells how: it is
    // about this call alone. After kAborted the model has not seen the whole call.
    Status Exchange(std::string_view request, uint64_t id, uint64_t payload_bytes_max,
                    Frame& frame);
    // Ends a worker whose answer makes no sense; returns the error for the caller.
    Status Discard(std::string_view why) { return Discard(why, WorkerEnd::kProtocol); }
    // Whether the worker was sent any of the call.
    bool has_sent() const { return has_sent_; }

   private:
    Status Discard(std::string_view why, WorkerEnd end);

    WorkerPool* pool_;
    int slot_;
    bool has_answered_ = false;
    bool has_sent_ = false;
  };

  // Waits for a worker that is free. kUnavailable where none will be.
  Result<Lease> Take(std::string_view request);

 private:
  enum class State { kStopped, kStarting, kIdle, kBusy, kEnding };
  // What lies in a busy slot's process is the lease's, and in an ending one's that of the thread
  // which ends it; everything else is guarded by mutex_.
  struct Slot {
    State state = State::kStopped;
    std::unique_ptr<WorkerProcess> process;
    std::shared_ptr<WorkerLog> log;
    pid_t pid = -1;              // while it may be killed
    std::string killed_for;      // by the watch over memory
    int64_t start_at_ns = 0;     // of a stopped one; kNever: not yet
    int64_t ready_until_ns = 0;  // of a starting one
    int64_t restart_ms = kWorkerRestartMsMin;
  };

  WorkerPool(WorkerCommand command, WorkerOptions options);

  void Run();
  void StartDue(int64_t now_ns);
  void PollStarting(int slot);
  void PollIdle(int slot);
  void WatchMemory();
  void TellWhereNoneAnswers();
  void ReapLate();
  void EndAll();
  int64_t NextLookNs(int64_t now_ns) const;
  void Look(int64_t timeout_ns);
  // Ends a worker, to be started again; returns how it ended and why.
  std::string Retire(int slot, std::chrono::milliseconds grace, std::string_view why,
                     WorkerEnd end);
  // Changes a slot's state and what follows from it. Under mutex_.
  void Set(Slot& slot, State state);
  void SetBackOff(Slot& slot);
  // Whether no worker runs or will within kWorkerPatienceMs. Under mutex_.
  bool AreGone() const;
  std::string NameOf(int slot) const;
  void Note(WorkerNote::Kind kind, int slot, std::string text) const;
  void Count(WorkerEnd end);
  void Wake() const;

  const WorkerCommand command_;
  const WorkerOptions options_;
  const std::shared_ptr<WorkerStats> stats_;
  const pid_t owner_;
  os::FileDescriptor wake_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::string last_failure_;
  int64_t none_able_since_ns_ = 0;  // 0: some worker is able to answer
  std::string told_;                // why none answers, where that was noted
  std::vector<std::unique_ptr<WorkerProcess>> unreaped_;
  bool has_been_ready_ = false;
  bool is_ending_ = false;
  std::jthread thread_;
};

}  // namespace penstock::engine
