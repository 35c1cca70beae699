// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_pool.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/names.h"

namespace penstock::engine {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kMemoryLookNs = 50 * kNsPerMs;
constexpr int64_t kEndLookNs = 20 * kNsPerMs;
constexpr int64_t kReapLookNs = 1'000 * kNsPerMs;
// A process whose socket has closed is about to tell how it ended.
constexpr milliseconds kGrace{500};

int64_t NowNs() { return Clock::System().MonotonicNs(); }

// 0 where the process is gone.
int64_t ResidentMb(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  int64_t total = 0;
  int64_t resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

std::string TextOf(const Frame& frame) {
  const auto columns = ParseFramePayload(frame.header, frame.payload);
  const bool is_text = columns.ok() && columns->size() == 1 &&
                       (*columns)[0].type() == package::Type::kString && (*columns)[0].count() == 1;
  return is_text ? std::string((*columns)[0].String(0)) : "no reason was given";
}

}  // namespace

WorkerPool::WorkerPool(WorkerCommand command, WorkerOptions options)
    : command_(std::move(command)),
      options_(std::move(options)),
      stats_(options_.stats ? options_.stats : std::make_shared<WorkerStats>()),
      owner_(getpid()),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      slots_(static_cast<size_t>(std::clamp(options_.workers, 1, kWorkersMax))) {
  // One first: where it cannot start, the others could not either.
  for (size_t i = 1; i < slots_.size(); ++i) slots_[i].start_at_ns = kNever;
}

Result<std::unique_ptr<WorkerPool>> WorkerPool::Start(WorkerCommand command,
                                                      WorkerOptions options) {
  std::unique_ptr<WorkerPool> pool(new WorkerPool(std::move(command), std::move(options)));
  if (!pool->wake_.is_open()) return FromErrno(errno, "cannot make an eventfd");
  pool->thread_ = std::jthread([&pool = *pool] { pool.Run(); });
  std::unique_lock lock(pool->mutex_);
  pool->changed_.wait(lock, [&] { return pool->has_been_ready_ || !pool->last_failure_.empty(); });
  if (pool->has_been_ready_) return pool;
  return FailedPrecondition(fmt::format("the model cannot be run by '{}': {}",
                                        pool->command_.python.string(), pool->last_failure_));
}

WorkerPool::~WorkerPool() {
  if (getpid() != owner_) {
    // The thread and the processes are those of the process that was forked.
    if (thread_.joinable()) thread_.detach();
    for (Slot& slot : slots_) {
      if (slot.process) WorkerProcess::Abandon(std::move(slot.process));
    }
    for (auto& process : unreaped_) WorkerProcess::Abandon(std::move(process));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
}

void WorkerPool::Run() {
  while (true) {
    const int64_t now_ns = NowNs();
    int64_t look_ns = 0;
    {
      const std::lock_guard lock(mutex_);
      if (is_ending_) break;
      look_ns = NextLookNs(now_ns);
    }
    StartDue(now_ns);
    Look(look_ns - now_ns);
    for (size_t i = 0; i < slots_.size(); ++i) {
      PollStarting(static_cast<int>(i));
      PollIdle(static_cast<int>(i));
    }
    WatchMemory();
    ReapLate();
    TellWhereNoneAnswers();
  }
  // Not by another thread later: the kernel kills the processes of a thread that ends.
  EndAll();
}

// The end of its socket tells a worker to end. They are told together, so that they share the time.
void WorkerPool::EndAll() {
  const std::lock_guard lock(mutex_);
  for (Slot& slot : slots_) {
    if (slot.process) slot.process->HangUp();
  }
  const int64_t end_ns = NowNs() + kGrace.count() * kNsPerMs;
  for (Slot& slot : slots_) {
    if (!slot.process) continue;
    slot.process->End(milliseconds(std::max<int64_t>(0, (end_ns - NowNs()) / kNsPerMs)));
    if (!slot.process->HasEnded()) unreaped_.push_back(std::move(slot.process));
    Set(slot, State::kStopped);
  }
  // To wait for these may take for ever.
  for (auto& process : unreaped_) WorkerProcess::Abandon(std::move(process));
  unreaped_.clear();
}

// A process that did not end after SIGKILL is a zombie one day.
void WorkerPool::ReapLate() {
  std::vector<std::unique_ptr<WorkerProcess>> late;
  {
    const std::lock_guard lock(mutex_);
    late.swap(unreaped_);
  }
  std::erase_if(late, [](const auto& process) { return process->HasEnded(); });
  const std::lock_guard lock(mutex_);
  for (auto& process : late) unreaped_.push_back(std::move(process));
}

// Only this thread notes whether workers can answer, so that the notes are in order.
void WorkerPool::TellWhereNoneAnswers() {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    // Before the first was ready, Start says how it fared.
    if (none_able_since_ns_ == 0 || !has_been_ready_) return;
    const bool is_long = NowNs() - none_able_since_ns_ >= kWorkerPatienceMs * kNsPerMs;
    if (!is_long && !AreGone()) return;
    if (told_ == last_failure_) return;
    text = told_ = last_failure_;
  }
  Note(WorkerNote::Kind::kNoneAnswers, 0, text);
}

void WorkerPool::Set(Slot& slot, State state) {
  slot.state = state;
  const auto able = std::ranges::count_if(slots_, [](const Slot& each) {
    return each.state == State::kIdle || each.state == State::kBusy;
  });
  stats_->able = able;
  if (able > 0) {
    none_able_since_ns_ = 0;
    told_.clear();
  } else if (none_able_since_ns_ == 0) {
    none_able_since_ns_ = NowNs();
  }
}

void WorkerPool::SetBackOff(Slot& slot) {
  slot.start_at_ns = NowNs() + slot.restart_ms * kNsPerMs;
  slot.restart_ms = std::min(slot.restart_ms * 2, kWorkerRestartMsMax);
}

int64_t WorkerPool::NextLookNs(int64_t now_ns) const {
  int64_t next = kNever;
  for (const Slot& slot : slots_) {
    if (slot.state == State::kStopped) next = std::min(next, slot.start_at_ns);
    if (slot.state == State::kStarting) next = std::min(next, slot.ready_until_ns);
    if (slot.state != State::kStopped && options_.memory_mb_max > 0)
      next = std::min(next, now_ns + kMemoryLookNs);
    // The end of its pipe was seen, that of its socket is to follow.
    if (slot.state != State::kStopped && !slot.log) next = std::min(next, now_ns + kEndLookNs);
  }
  if (!unreaped_.empty()) next = std::min(next, now_ns + kReapLookNs);
  const int64_t tell_ns = none_able_since_ns_ + kWorkerPatienceMs * kNsPerMs;
  if (none_able_since_ns_ > 0 && tell_ns > now_ns) next = std::min(next, tell_ns);
  return std::max(next, now_ns);
}

void WorkerPool::StartDue(int64_t now_ns) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    const int slot = static_cast<int>(i);
    {
      const std::lock_guard lock(mutex_);
      if (slots_[i].state != State::kStopped || slots_[i].start_at_ns > now_ns) continue;
    }
    // A stopped slot is this thread's.
    auto process = WorkerProcess::Start(command_, slot + 1, options_.note);
    if (!process.ok()) {
      const std::string why =
          fmt::format("{} cannot be started: {}", NameOf(slot), process.status().message());
      Note(WorkerNote::Kind::kNotStarted, slot, why);
      Count(WorkerEnd::kStart);
      const std::lock_guard lock(mutex_);
      last_failure_ = why;
      SetBackOff(slots_[i]);
      changed_.notify_all();
      continue;
    }
    const std::lock_guard lock(mutex_);
    slots_[i].process = *std::move(process);
    slots_[i].log = slots_[i].process->log();
    slots_[i].pid = slots_[i].process->pid();
    slots_[i].killed_for.clear();
    slots_[i].ready_until_ns = now_ns + options_.start_ms_max * kNsPerMs;
    Set(slots_[i], State::kStarting);
  }
}

// Sleeps until something has happened, and reads what workers print. A worker that has been called
// since the last look is not among the sockets: the end of its pipe tells of its own.
void WorkerPool::Look(int64_t timeout_ns) {
  std::vector<pollfd> entries = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  std::vector<std::shared_ptr<WorkerLog>> logs;
  {
    const std::lock_guard lock(mutex_);
    for (const Slot& slot : slots_) {
      if (slot.state == State::kStarting || slot.state == State::kIdle)
        entries.push_back({.fd = slot.process->socket(), .events = POLLIN, .revents = 0});
    }
    for (const Slot& slot : slots_) {
      if (slot.log) logs.push_back(slot.log);
    }
  }
  const size_t first_log = entries.size();
  for (const auto& log : logs) entries.push_back({.fd = log->fd(), .events = POLLIN, .revents = 0});
  const int64_t timeout_ms = std::min<int64_t>(timeout_ns / kNsPerMs + 1, 1'000'000);
  if (poll(entries.data(), entries.size(), static_cast<int>(timeout_ms)) <= 0) return;
  uint64_t count = 0;
  if (entries[0].revents != 0 && read(wake_.get(), &count, sizeof(count)) < 0) return;
  for (size_t i = 0; i < logs.size(); ++i) {
    if (entries[first_log + i].revents == 0 || logs[i]->Drain()) continue;
    const std::lock_guard lock(mutex_);
    for (Slot& slot : slots_) {
      if (slot.log == logs[i]) slot.log.reset();
    }
  }
}

void WorkerPool::PollStarting(int slot) {
  Slot& mine = slots_[static_cast<size_t>(slot)];
  {
    const std::lock_guard lock(mutex_);
    if (mine.state != State::kStarting) return;
  }
  // A starting slot is this thread's.
  const auto first = mine.process->PollFirstFrame();
  if (first.ok() && !*first) {
    if (NowNs() < mine.ready_until_ns) return;
    Retire(slot, milliseconds(0),
           fmt::format("it was not ready within {} ms", options_.start_ms_max), WorkerEnd::kStart);
    return;
  }
  if (!first.ok() || (*first)->header.kind != FrameKind::kReady) {
    Retire(slot, kGrace, first.ok() ? TextOf(**first) : first.status().message(),
           WorkerEnd::kStart);
    return;
  }
  Note(WorkerNote::Kind::kStarted, slot, TextOf(**first));
  const std::lock_guard lock(mutex_);
  Set(mine, State::kIdle);
  if (!has_been_ready_) {
    for (Slot& other : slots_) {
      if (other.start_at_ns == kNever) other.start_at_ns = 0;
    }
    has_been_ready_ = true;
    Wake();
  }
  changed_.notify_all();
}

void WorkerPool::PollIdle(int slot) {
  Slot& mine = slots_[static_cast<size_t>(slot)];
  {
    const std::lock_guard lock(mutex_);
    if (mine.state != State::kIdle || !mine.process->is_unsettled()) return;
    Set(mine, State::kEnding);
  }
  Retire(slot, kGrace, "nobody had asked it", WorkerEnd::kDied);
}

void WorkerPool::WatchMemory() {
  if (options_.memory_mb_max <= 0) return;
  const std::lock_guard lock(mutex_);
  for (Slot& slot : slots_) {
    if (slot.pid < 0 || !slot.killed_for.empty()) continue;
    const int64_t used_mb = ResidentMb(slot.pid);
    if (used_mb <= options_.memory_mb_max) continue;
    slot.killed_for = fmt::format("it used {} MiB of memory, more than the {} of --worker-mb-max",
                                  used_mb, options_.memory_mb_max);
    kill(slot.pid, SIGKILL);
  }
}

// For a slot that is starting, idle, or leased to the caller.
std::string WorkerPool::Retire(int slot, milliseconds grace, std::string_view why, WorkerEnd end) {
  Slot& mine = slots_[static_cast<size_t>(slot)];
  std::string killed_for;
  {
    const std::lock_guard lock(mutex_);
    mine.pid = -1;  // which may be another's soon
    killed_for = mine.killed_for;
    Set(mine, State::kEnding);
  }
  Count(killed_for.empty() ? end : WorkerEnd::kMemory);
  const std::string how = mine.process->End(grace);
  const std::string said = mine.process->log()->last_line();
  std::string text =
      fmt::format("{} {}: {}", NameOf(slot), how, killed_for.empty() ? why : killed_for);
  const std::string with_said =
      said.empty() ? text : fmt::format("{}; the last it printed: {}", text, said);
  Note(WorkerNote::Kind::kEnded, slot, with_said);
  std::unique_ptr<WorkerProcess> process = std::move(mine.process);
  const bool has_ended = process->HasEnded();
  {
    const std::lock_guard lock(mutex_);
    if (!has_ended) unreaped_.push_back(std::move(process));
    Set(mine, State::kStopped);
    SetBackOff(mine);
    // What it printed may be about others' requests: once there are any, only the log tells.
    last_failure_ = has_been_ready_ ? text : with_said;
  }
  changed_.notify_all();
  Wake();
  return text;
}

bool WorkerPool::AreGone() const {
  // restart_ms is what the wait after the next failure will be: twice that of this one.
  return std::ranges::none_of(slots_, [](const Slot& slot) {
    return slot.state != State::kStopped || slot.restart_ms <= 2 * kWorkerPatienceMs;
  });
}

std::string WorkerPool::NameOf(int slot) const { return fmt::format("worker {}", slot + 1); }

void WorkerPool::Note(WorkerNote::Kind kind, int slot, std::string text) const {
  if (options_.note) options_.note({kind, slot + 1, {}, std::move(text)});
}

void WorkerPool::Count(WorkerEnd end) { ++stats_->ends[static_cast<size_t>(end)]; }

void WorkerPool::Wake() const {
  const uint64_t one = 1;
  static_cast<void>(write(wake_.get(), &one, sizeof(one)));
}

Result<WorkerPool::Lease> WorkerPool::Take(std::string_view request) {
  if (getpid() != owner_) {
    return FailedPrecondition(
        "the model's workers belong to the process that this one was forked from; load the model "
        "again in this one");
  }
  const auto deadline = std::chrono::steady_clock::now() + milliseconds(options_.call_ms_max);
  std::unique_lock lock(mutex_);
  for (bool is_over = false;;) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.state != State::kIdle) continue;
      if (slot.process->is_unsettled()) {
        Wake();  // it has ended, which is the other thread's to retire
        continue;
      }
      Set(slot, State::kBusy);
      slot.process->log()->SetRequest(request);
      return Lease(this, static_cast<int>(i));
    }
    if (AreGone()) {
      return Unavailable(fmt::format("no worker is running: {}; it is started again within {} s",
                                     last_failure_, kWorkerRestartMsMax / 1000));
    }
    if (is_over) {
      return Unavailable(
          fmt::format("none of {} workers was free within {} ms (--worker-ms-max); send the "
                      "request again later, or serve with more --workers",
                      slots_.size(), options_.call_ms_max));
    }
    // At the end of the time all are looked at once more: the word that one is free may have come
    // to this call with it, and no other call was given it.
    ++stats_->waiting;
    is_over = changed_.wait_until(lock, deadline) == std::cv_status::timeout;
    --stats_->waiting;
  }
}

WorkerPool::Lease::~Lease() {
  if (pool_ == nullptr) return;
  Slot& slot = pool_->slots_[static_cast<size_t>(slot_)];
  // What was printed in this call is noted as printed in it, and nothing else.
  slot.process->log()->Drain();
  slot.process->log()->SetRequest({});
  {
    const std::lock_guard lock(pool_->mutex_);
    pool_->Set(slot, State::kIdle);
    if (has_answered_) slot.restart_ms = kWorkerRestartMsMin;
  }
  pool_->changed_.notify_one();
}

Status WorkerPool::Lease::Exchange(std::string_view request, uint64_t id,
                                   uint64_t payload_bytes_max, Frame& frame) {
  const WorkerOptions& options = pool_->options_;
  WorkerProcess& process = *pool_->slots_[static_cast<size_t>(slot_)].process;
  const int64_t began_ns = NowNs();
  const int64_t deadline_ns = began_ns + options.call_ms_max * kNsPerMs;
  Status status = process.Exchange(request, id, payload_bytes_max, deadline_ns, frame);
  ++pool_->stats_->calls;
  pool_->stats_->call_ns += NowNs() - began_ns;
  has_sent_ = process.has_sent();
  if (status.ok()) {
    has_answered_ = true;
    return status;
  }
  if (status.code() == Code::kDeadlineExceeded) {
    const std::string why =
        fmt::format("the model did not answer within {} ms (--worker-ms-max)", options.call_ms_max);
    std::exchange(pool_, nullptr)->Retire(slot_, milliseconds(0), why, WorkerEnd::kTimeout);
    return Status(Code::kDeadlineExceeded, why + ", and its worker was ended");
  }
  const bool is_protocol = status.code() == Code::kInternal;
  const Status discarded =
      Discard(status.message(), is_protocol ? WorkerEnd::kProtocol : WorkerEnd::kDied);
  return status.code() == Code::kAborted ? Status(Code::kAborted, discarded.message()) : discarded;
}

Status WorkerPool::Lease::Discard(std::string_view why, WorkerEnd end) {
  WorkerPool& pool = *std::exchange(pool_, nullptr);
  return Unavailable(fmt::format("the request was not answered: {}; send it again",
                                 pool.Retire(slot_, kGrace, why, end)));
}

}  // namespace penstock::engine
