// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "os/file_descriptor.h"

namespace penstock::os {

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};
// Both ends close on exec.
Result<Pipe> MakePipe();

struct SocketPair {
  FileDescriptor ours;
  FileDescriptor theirs;
};
// Two connected stream sockets; both close on exec.
Result<SocketPair> MakeSocketPair();

struct ProcessOptions {
  std::filesystem::path program;
  std::vector<std::string> arguments;                            // without argv[0]
  std::vector<std::pair<std::string, std::string>> environment;  // added to this process's
  // Of this process's variables, those that the child gets; empty: all.
  std::function<bool(std::string_view name, std::string_view value)> inherits_variable;
  int stdin_descriptor = -1;  // borrowed; the child's stdin, else that is /dev/null
  bool pipe_stdout = false;
  bool pipe_stderr = false;
  bool joins_stdout = false;  // what the child writes to stdout goes where its stderr goes
  // The child is killed (SIGKILL) when the thread that started it ends: only for threads that
  // outlive the child.
  bool dies_with_thread = false;
  // Ctrl-C, which a terminal sends to every process in the foreground, is this process's to handle.
  bool ignores_interrupt = false;
};

// A running child. Destruction kills it and waits. Not for two threads at once, except for Kill.
class Process {
 public:
  // Starts the program with no descriptor of this process but stdin, stdout and stderr.
  // Only async-signal-safe calls run between fork and exec, so it is safe in a process with
  // threads.
  static Result<Process> Start(const ProcessOptions& options);

  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  FileDescriptor& stdout_pipe() { return stdout_; }
  FileDescriptor& stderr_pipe() { return stderr_; }

  void Kill(int signal);
  // The exit code, or 128 + signal; waits until the child has ended.
  Result<int> Wait();
  // The same within a time: empty when it still runs.
  Result<std::optional<int>> WaitFor(std::chrono::milliseconds timeout);

 private:
  Process() = default;

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
  FileDescriptor stdout_;
  FileDescriptor stderr_;
};

// All bytes until the other end closes; kResourceExhausted beyond bytes_max.
Result<std::string> ReadAll(const FileDescriptor& file, size_t bytes_max);

}  // namespace penstock::os
