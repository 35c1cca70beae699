// SPDX-License-Identifier: Apache-2.0
#include "os/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace penstock::os {
namespace {

// Of descriptors closed one by one, where the kernel cannot close a range.
constexpr int kDescriptorsMax = 65536;
// Between two looks at a child, where the kernel cannot watch a process.
constexpr std::chrono::milliseconds kLook{5};
// Of one poll(2), whose timeout is an int.
constexpr int64_t kPollMsMax = 1'000'000;

// What the child needs, made before fork: nothing may allocate after it.
struct Plan {
  std::vector<std::string> words;
  std::vector<char*> argv;
  std::vector<std::string> variables;
  std::vector<char*> envp;
};

Plan MakePlan(const ProcessOptions& options) {
  Plan plan;
  plan.words.push_back(options.program.string());
  for (const std::string& argument : options.arguments) plan.words.push_back(argument);
  for (std::string& word : plan.words) plan.argv.push_back(word.data());
  plan.argv.push_back(nullptr);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const size_t equals = std::min(text.find('='), text.size());
    const std::string_view name = text.substr(0, equals);
    const std::string_view value = text.substr(std::min(equals + 1, text.size()));
    const bool is_replaced = std::ranges::any_of(
        options.environment, [&](const auto& pair) { return name == pair.first; });
    const bool is_kept = !options.inherits_variable || options.inherits_variable(name, value);
    if (!is_replaced && is_kept) plan.variables.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment)
    plan.variables.push_back(fmt::format("{}={}", name, value));
  for (std::string& variable : plan.variables) plan.envp.push_back(variable.data());
  plan.envp.push_back(nullptr);
  return plan;
}

// Kernels before 5.9 and some sandboxes have no close_range. Async-signal-safe.
void CloseFrom(int first) {
  if (syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, 0U) == 0) return;
  rlimit limit{};
  const bool is_known = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < kDescriptorsMax;
  const int end = is_known ? static_cast<int>(limit.rlim_cur) : kDescriptorsMax;
  for (int fd = first; fd < end; ++fd) close(fd);
}

// Runs in the child; only async-signal-safe calls. Reports errno through `failure` and ends.
// Pipes and sockets were made with descriptors above 2, so no dup2 here closes one that is still
// needed.
[[noreturn]] void Exec(const Plan& plan, const ProcessOptions& options, pid_t parent, int out,
                       int err, int failure) {
  if (options.dies_with_thread) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // it ended before the kernel was told
  }
  signal(SIGPIPE, SIG_DFL);
  if (options.ignores_interrupt) signal(SIGINT, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int in = options.stdin_descriptor >= 0 ? options.stdin_descriptor
                                               : open("/dev/null", O_RDWR | O_CLOEXEC);
  bool is_ready = in >= 0 && dup2(in, STDIN_FILENO) >= 0;
  is_ready = is_ready && (out < 0 || dup2(out, STDOUT_FILENO) >= 0) &&
             (err < 0 || dup2(err, STDERR_FILENO) >= 0) &&
             (!options.joins_stdout || dup2(STDERR_FILENO, STDOUT_FILENO) >= 0);
  // Descriptors that others opened without CLOEXEC stay out of the child.
  if (failure != 3) {
    dup2(failure, 3);
    fcntl(3, F_SETFD, FD_CLOEXEC);
  }
  CloseFrom(4);
  if (is_ready) execve(plan.argv[0], plan.argv.data(), plan.envp.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(3, &error, sizeof(error));
  _exit(127);
}

// errno of a failed exec; 0 when the pipe closed because exec succeeded.
int ReadFailure(const FileDescriptor& pipe) {
  int error = 0;
  ssize_t count = 0;
  do {
    count = read(pipe.get(), &error, sizeof(error));
  } while (count < 0 && errno == EINTR);
  return count == static_cast<ssize_t>(sizeof(error)) ? error : 0;
}

// In a process whose stdin or stdout was closed, a pipe must not take their place.
Status MoveAboveStandard(FileDescriptor& end) {
  if (end.get() > STDERR_FILENO) return {};
  FileDescriptor moved(fcntl(end.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved.is_open()) return FromErrno(errno, "cannot move a descriptor");
  end = std::move(moved);
  return {};
}

int ExitCodeOf(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

Result<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return FromErrno(errno, "cannot make a pipe");
  Pipe pipe;
  pipe.read = FileDescriptor(ends[0]);
  pipe.write = FileDescriptor(ends[1]);
  PENSTOCK_TRY(MoveAboveStandard(pipe.read));
  PENSTOCK_TRY(MoveAboveStandard(pipe.write));
  return pipe;
}

Result<SocketPair> MakeSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return FromErrno(errno, "cannot make a socket pair");
  SocketPair pair;
  pair.ours = FileDescriptor(ends[0]);
  pair.theirs = FileDescriptor(ends[1]);
  PENSTOCK_TRY(MoveAboveStandard(pair.ours));
  PENSTOCK_TRY(MoveAboveStandard(pair.theirs));
  return pair;
}

Result<Process> Process::Start(const ProcessOptions& options) {
  const Plan plan = MakePlan(options);
  Process process;
  Pipe failure = PENSTOCK_TRY(MakePipe());
  Pipe out;
  Pipe err;
  if (options.pipe_stdout) out = PENSTOCK_TRY(MakePipe());
  if (options.pipe_stderr) err = PENSTOCK_TRY(MakePipe());

  // The child must not run the parent's signal handlers.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = getpid();
  process.pid_ = fork();
  if (process.pid_ == 0)
    Exec(plan, options, parent, out.write.get(), err.write.get(), failure.write.get());
  const int fork_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (process.pid_ < 0) return FromErrno(fork_error, "cannot start a process");

  failure.write.Close();
  if (const int error = ReadFailure(failure.read); error != 0) {
    PENSTOCK_TRY(process.Wait());
    return FromErrno(error, fmt::format("cannot run '{}'", options.program.string()));
  }
  process.stdout_ = std::move(out.read);
  process.stderr_ = std::move(err.read);
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      exit_code_(other.exit_code_),
      stdout_(std::move(other.stdout_)),
      stderr_(std::move(other.stderr_)) {}

Process::~Process() {
  if (pid_ < 0 || exit_code_) return;
  Kill(SIGKILL);
  static_cast<void>(Wait());
}

void Process::Kill(int signal) {
  if (pid_ > 0 && !exit_code_) kill(pid_, signal);
}

Result<int> Process::Wait() {
  while (!exit_code_) {
    int status = 0;
    const pid_t ended = waitpid(pid_, &status, 0);
    if (ended == pid_) exit_code_ = ExitCodeOf(status);
    if (ended < 0 && errno != EINTR)
      return FromErrno(errno, fmt::format("cannot wait for process {}", pid_));
  }
  return *exit_code_;
}

Result<std::optional<int>> Process::WaitFor(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const FileDescriptor watched(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  while (!exit_code_) {
    int status = 0;
    const pid_t ended = waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) exit_code_ = ExitCodeOf(status);
    if (ended < 0 && errno != EINTR)
      return FromErrno(errno, fmt::format("cannot wait for process {}", pid_));
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (exit_code_ || left.count() <= 0) break;
    pollfd entry{.fd = watched.get(), .events = POLLIN, .revents = 0};
    const auto pause = watched.is_open() ? left : std::min(left, kLook);
    poll(&entry, watched.is_open() ? 1 : 0,
         static_cast<int>(std::min<int64_t>(pause.count(), kPollMsMax)));
  }
  return exit_code_;
}

Result<std::string> ReadAll(const FileDescriptor& file, size_t bytes_max) {
  std::string bytes;
  char buffer[65536];
  while (true) {
    const ssize_t count = read(file.get(), buffer, sizeof(buffer));
    if (count == 0) return bytes;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "cannot read from a pipe");
    bytes.append(buffer, static_cast<size_t>(count));
    if (bytes.size() > bytes_max) {
      return ResourceExhausted(fmt::format("more than {} bytes came through a pipe", bytes_max));
    }
  }
}

}  // namespace penstock::os
