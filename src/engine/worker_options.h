// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace penstock::engine {

// What happens in and around a worker: a line that the user's code printed, its start or end, that
// it could not be started; and that no worker can answer, and why, until the next start.
struct WorkerNote {
  enum class Kind { kOutput, kStarted, kEnded, kNotStarted, kNoneAnswers };
  Kind kind = Kind::kOutput;
  int worker = 0;       // 1, 2, ...
  std::string request;  // whose call it was, where that is known
  std::string text;
};

inline constexpr int kWorkersMax = 64;

// Why a worker ended.
enum class WorkerEnd {
  kDied,      // by itself, in a call or without one
  kTimeout,   // a call took too long
  kMemory,    // it took too much
  kProtocol,  // it sent what is no answer
  kStart,     // it could not be started, or did not load the model
};
inline constexpr std::array<std::string_view, 5> kWorkerEndNames = {"died", "timeout", "memory",
                                                                    "protocol", "start"};

// Figures of the workers of one model, for whoever watches them. Any thread may read.
struct WorkerStats {
  std::atomic<int64_t> able = 0;     // workers that answer or wait for a call
  std::atomic<int64_t> waiting = 0;  // calls without a worker
  std::atomic<int64_t> calls = 0;    // that a worker was given
  std::atomic<int64_t> call_ns = 0;  // that they took together
  std::array<std::atomic<int64_t>, kWorkerEndNames.size()> ends{};  // by WorkerEnd
};

// How a model without a native form is run.
struct WorkerOptions {
  int workers = 1;                 // processes
  std::string python;              // path of the interpreter; empty: the one that the package names
  int64_t call_ms_max = 30'000;    // of one call; the worker is ended then
  int64_t memory_mb_max = 0;       // resident MiB of one worker; 0: no limit
  int64_t start_ms_max = 120'000;  // until the model is loaded
  // Called from several threads; may be empty.
  std::function<void(const WorkerNote&)> note;
  std::shared_ptr<WorkerStats> stats;  // null: nobody watches
};

}  // namespace penstock::engine
