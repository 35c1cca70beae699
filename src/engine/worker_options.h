// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace penstock::engine {

// What happens in and around a worker: a line that the user's code printed, its start or end; and
// that none runs and none will soon, until the next start.
struct WorkerNote {
  enum class Kind { kOutput, kStarted, kEnded, kNoneRuns };
  Kind kind = Kind::kOutput;
  int worker = 0;       // 1, 2, ...
  std::string request;  // whose call it was, where that is known
  std::string text;
};

inline constexpr int kWorkersMax = 64;

// How a model without a native form is run.
struct WorkerOptions {
  int workers = 1;                 // processes
  std::string python;              // path of the interpreter; empty: the one that the package names
  int64_t call_ms_max = 30'000;    // of one call; the worker is ended then
  int64_t memory_mb_max = 0;       // resident MiB of one worker; 0: no limit
  int64_t start_ms_max = 120'000;  // until the model is loaded
  // Called from several threads; may be empty.
  std::function<void(const WorkerNote&)> note;
};

}  // namespace penstock::engine
