// SPDX-License-Identifier: Apache-2.0
// penstock-server: serves one package over HTTP. docs/reference/http.md says what it answers.

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/exit_code.h"
#include "base/ids.h"
#include "base/version.h"
#include "config/flags.h"
#include "engine/engine.h"
#include "follow/pinned_source.h"
#include "http/server.h"
#include "json/value.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "observe/process_metrics.h"
#include "os/cpu.h"
#include "os/end_watch.h"
#include "os/file_system.h"
#include "protocol/admin.h"
#include "protocol/server_metrics.h"
#include "protocol/service.h"
#include "serve/executor.h"
#include "serve/health.h"
#include "serve/route_board.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;

constexpr int kDefaultWorkersMax = 4;
constexpr int64_t kMillisecondsMax = 24 * 60 * 60 * 1000;
constexpr int kArenasMax =
    2;  // of malloc: loops do not allocate in a steady state, so more only cost memory
constexpr int kSpareDescriptors =
    64;  // listeners, the admin port's clients, the model's file, what libraries open
constexpr int kDescriptorsPerLoop = 3;       // epoll, timer, mailbox
constexpr milliseconds kStartAgain{10'000};  // where this host cannot run the model
constexpr milliseconds kIdleLinger{
    250};  // a draining server waits so long for one more request on an open connection

struct Settings {
  std::string package;
  std::string as;
  std::string host = "127.0.0.1";
  int64_t port = 8000;
  std::string admin_host = "127.0.0.1";
  int64_t admin_port = 8002;
  int64_t loops = 0;
  http::Limits limits;
  int64_t body_bytes_max = static_cast<int64_t>(http::Limits().body_bytes_max);
  int64_t connections_max = http::Limits().connections_max;
  protocol::FeatureLimits features;
  int64_t queue_requests_max = serve::kQueueRequestsMax;
  int64_t inline_us_max = static_cast<int64_t>(serve::kInlineNsMax) / 1000;
  int64_t drain_ms = 30'000;
  int64_t drain_notice_ms = 500;
  int64_t until_eof = -1;
  std::string beyond_limits = "refuse";
  std::string announce = "text";
  std::string onnxruntime;
  int64_t workers = 0;
  std::string python;
  int64_t worker_ms_max = engine::WorkerOptions().call_ms_max;
  int64_t worker_mb_max = 0;
  bool log_json = false;

  serve::ModelId id;
};

config::Flags FlagsOf(Settings& settings) {
  config::Flags flags("penstock-server",
                      "Serves one package over HTTP, without Python where it is native.");
  flags.Positional("PACKAGE", "folder of the package", settings.package);
  flags.String("as",
               "NAME@N: the name and version under which it is served, such as churn@3 (required)",
               settings.as);
  flags.String("host", "address of the service", settings.host);
  flags.Int("port", "port of the service; 0 takes a free one", settings.port,
            {.min = 0, .max = 65535});
  flags.String("admin-host", "address of metrics and administration", settings.admin_host);
  flags.Int("admin-port", "port of metrics and administration; 0 takes a free one",
            settings.admin_port, {.min = 0, .max = 65535});
  flags.Int("loops", "threads that answer; 0: as many as CPUs may be used", settings.loops,
            {.min = 0, .max = http::kLoopsMax});
  flags.Int("body-bytes-max", "bytes of a request's body", settings.body_bytes_max,
            {.min = 1, .max = int64_t{1} << 32});
  flags.Int("batch-rows-max", "rows of a request", settings.features.batch_rows_max,
            {.min = 1, .max = 1'000'000'000});
  flags.Int("answer-cells-max", "values of an answer: rows times what the model gives for each",
            settings.features.answer_cells_max, {.min = 1, .max = 1'000'000'000});
  flags.Int("connections-max", "open connections", settings.connections_max,
            {.min = 1, .max = 1'000'000});
  flags.Int("idle-ms-max", "time between two requests of a connection", settings.limits.idle_ms_max,
            {.min = 1, .max = kMillisecondsMax});
  flags.Int("receive-ms-max", "time for a request's headers, and again for its body",
            settings.limits.receive_ms_max, {.min = 1, .max = kMillisecondsMax});
  flags.Int("queue-requests-max", "requests that may wait for a thread",
            settings.queue_requests_max, {.min = 1, .max = 1'000'000});
  flags.Int("inline-us-max", "predicted cost up to which a request is answered on its loop",
            settings.inline_us_max, {.min = 0, .max = 60'000'000});
  flags.Choice("beyond-limits", "what to do with values beyond those the package was checked for",
               settings.beyond_limits, {"refuse", "answer"});
  flags.Int("drain-ms", "time to finish requests after SIGTERM", settings.drain_ms,
            {.min = 0, .max = kMillisecondsMax});
  flags.Int("drain-notice-ms", "time between not ready and the closing of the port after SIGTERM",
            settings.drain_notice_ms, {.min = 0, .max = kMillisecondsMax});
  flags.Int("until-eof", "file descriptor at whose end the server drains; -1: none",
            settings.until_eof, {.min = -1, .max = 1'000'000});
  flags.Choice("announce", "how to say on stdout where it answers", settings.announce,
               {"text", "json"});
  flags.String("onnxruntime",
               "path of libonnxruntime.so.1; else PENSTOCK_ONNXRUNTIME, else beside this program",
               settings.onnxruntime);
  flags.Int("workers",
            "Python processes for a model that has no native form; 0: as many as CPUs may be used, "
            "at most 4",
            settings.workers, {.min = 0, .max = engine::kWorkersMax});
  flags.String("python", "path of the Python that workers run; else the one of the registration",
               settings.python);
  flags.Int("worker-ms-max", "time for a call to a worker, which is ended then",
            settings.worker_ms_max, {.min = 1, .max = kMillisecondsMax});
  flags.Int("worker-mb-max", "MiB of memory of a worker, which is ended beyond; 0: no limit",
            settings.worker_mb_max, {.min = 0, .max = 1'000'000'000});
  flags.Switch("log-json", "log records as JSON", settings.log_json);
  return flags;
}

Result<serve::ModelId> ParseModelId(const std::string& text) {
  const auto bad = [&](std::string_view why) {
    return InvalidArgument(
        fmt::format("--as is '{}', {}; NAME@N was expected, such as churn@3", text, why));
  };
  if (text.empty())
    return InvalidArgument(
        "--as is missing: a package does not know its name; say --as NAME@N, such as churn@3");
  const size_t at = text.rfind('@');
  if (at == std::string::npos || at == 0) return bad("which has no name and version");
  int64_t version = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + at + 1, end, version);
  if (error != std::errc() || stop != end || version < 1)
    return bad("whose version is not a whole number from 1 on");
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '/' || c == 0x7F)
      return bad("whose name holds a character that it must not");
  }
  return serve::ModelId{text.substr(0, at), version};
}

Status Complete(Settings& settings) {
  settings.id = PENSTOCK_TRY(ParseModelId(settings.as));
  settings.limits.body_bytes_max = static_cast<size_t>(settings.body_bytes_max);
  settings.limits.connections_max = static_cast<int>(settings.connections_max);
  if (settings.until_eof >= 0 && ::fcntl(static_cast<int>(settings.until_eof), F_GETFD) < 0) {
    return InvalidArgument(fmt::format(
        "--until-eof is {}, which is no open file descriptor; pass the end of a pipe that "
        "this program inherits",
        settings.until_eof));
  }
  if (settings.workers == 0) settings.workers = std::min(os::AvailableCpus(), kDefaultWorkersMax);
  if (settings.loops == 0) settings.loops = std::min(os::AvailableCpus(), http::kLoopsMax);
  return {};
}

int64_t DescriptorsNeeded(const Settings& settings) {
  const int64_t loops = settings.loops + 1;  // one is the admin port's
  return settings.connections_max + http::kRefusedOpenMax + kDescriptorsPerLoop * loops +
         kSpareDescriptors;
}

void RaiseDescriptorLimit(int64_t descriptors) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = static_cast<rlim_t>(descriptors);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The parts of a running server, in the order in which they are made.
class Program {
 public:
  Program(const Settings& settings, os::EndWatch& ends)
      : settings_(settings),
        ends_(ends),
        loops_(static_cast<int>(settings.loops)),
        threads_(std::max(loops_, static_cast<int>(settings.workers))),
        sink_(STDERR_FILENO,
              settings.log_json ? observe::LogFormat::kJson : observe::LogFormat::kText),
        logger_(&sink_, &clock_),
        metrics_(loops_ + threads_),
        unrouted_(metrics_, "", 0),
        board_(loops_),
        executor_({.threads = threads_, .queue_requests_max = settings.queue_requests_max}) {}

  // Serves until it is asked to end; then drains. An error when it could not serve.
  Status Run() {
    PENSTOCK_TRY(Listen());
    follow::PinnedSource source(
        {.package = settings_.package,
         .id = settings_.id,
         .snapshot = {.engine = {.onnxruntime = settings_.onnxruntime, .workers = Workers()},
                      .answers_beyond_limits = settings_.beyond_limits == "answer"}},
        {.files = os::FileSystem::System(),
         .clock = clock_,
         .metrics = metrics_,
         .board = board_,
         .health = health_});
    PENSTOCK_TRY(StartOrWait(source));
    ends_.Ready();
    Announce({});
    const int signal = ends_.Wait();
    source.Stop();
    Drain(signal);
    return {};
  }

 private:
  // Where no Python here runs the model (there is none, or of another version, a module is missing,
  // the model's own code fails), the server runs and says so, and tries again: what it lacks may be
  // mounted later.
  Status StartOrWait(follow::RouteSource& source) {
    std::string told;
    for (;;) {
      const Status started = source.Start();
      if (started.ok() || !source.may_start_later()) return started;
      if (told.empty()) Announce(started.message());
      if (told != started.message()) logger_.Error("not ready", {{"reason", started.message()}});
      told = started.message();
      std::this_thread::sleep_for(kStartAgain);
    }
  }

  engine::WorkerOptions Workers() {
    return {.workers = static_cast<int>(settings_.workers),
            .python = settings_.python,
            .call_ms_max = settings_.worker_ms_max,
            .memory_mb_max = settings_.worker_mb_max,
            .note = [this](const engine::WorkerNote& note) { Log(note); },
            .stats = worker_stats_};
  }

  void Log(const engine::WorkerNote& note) {
    const int64_t worker = note.worker;
    // A server without workers has no figures of them.
    std::call_once(has_workers_, [this] { protocol::AddWorkerMetrics(metrics_, worker_stats_); });
    switch (note.kind) {
      case engine::WorkerNote::Kind::kOutput:
        if (note.request.empty())
          return logger_.Info("a worker printed", {{"worker", worker}, {"text", note.text}});
        return logger_.Info("a worker printed",
                            {{"worker", worker}, {"id", note.request}, {"text", note.text}});
      case engine::WorkerNote::Kind::kStarted:
        health_.SetEngineState({});
        return logger_.Info("a worker is ready", {{"worker", worker}, {"python", note.text}});
      case engine::WorkerNote::Kind::kEnded:
        return logger_.Error("a worker ended", {{"worker", worker}, {"reason", note.text}});
      case engine::WorkerNote::Kind::kNotStarted:
        return logger_.Error("a worker cannot be started",
                             {{"worker", worker}, {"reason", note.text}});
      case engine::WorkerNote::Kind::kNoneAnswers:
        health_.SetEngineState(Unavailable(note.text));
        return logger_.Error("not ready: no worker can answer", {{"reason", note.text}});
    }
  }

  Status Listen() {
    const protocol::ServiceOptions options{
        .limits = settings_.features,
        .inline_ns_max = static_cast<double>(settings_.inline_us_max) * 1000,
        .replica = static_cast<uint32_t>(std::stoul(NewId().substr(0, 8), nullptr, 16))};
    const protocol::ServiceParts parts{executor_, loops_, health_, board_,
                                       unrouted_, clock_, logger_};
    server_ = PENSTOCK_TRY(http::Server::Create({.host = settings_.host,
                                                 .port = static_cast<int>(settings_.port),
                                                 .loops = loops_,
                                                 .limits = settings_.limits,
                                                 .make_handler = [=](int loop) {
                                                   return std::make_unique<protocol::Service>(
                                                       loop, options, parts);
                                                 }}));
    admin_ = PENSTOCK_TRY(http::Server::Create({.host = settings_.admin_host,
                                                .port = static_cast<int>(settings_.admin_port),
                                                .port_flag = "--admin-port",
                                                .make_handler = [this](int) {
                                                  return std::make_unique<protocol::Admin>(
                                                      metrics_, health_, board_);
                                                }}));
    board_.Attach([this](const std::function<void(serve::LoopSlot&)>& task) {
      server_->RunOnEveryLoop(
          [&](http::Handler& handler) { task(static_cast<protocol::Service&>(handler).slot()); });
    });
    observe::AddProcessMetrics(metrics_);
    protocol::AddServerMetrics(metrics_, {*server_, executor_, health_, board_});
    // Before the model is loaded: meanwhile the server is alive, and says that it is not ready.
    PENSTOCK_TRY(server_->Start());
    return admin_->Start();
  }

  // why_not_ready: empty once it is.
  void Announce(const std::string& why_not_ready) {
    const serve::ModelId& id = settings_.id;
    json::Value where = json::Object{{"url", server_->url()}, {"admin_url", admin_->url()}};
    if (!why_not_ready.empty()) where.Set("not_ready", why_not_ready);
    std::string line = json::Write(where);
    if (settings_.announce == "text") {
      line = fmt::format("{}@{} on {} (metrics: {}/metrics)", id.name, id.version, server_->url(),
                         admin_->url());
      if (!why_not_ready.empty()) line += " is not ready: " + why_not_ready;
    }
    std::puts(line.c_str());
    std::fflush(stdout);
    if (!why_not_ready.empty()) return;
    logger_.Info("serving", {{"model", id.name},
                             {"version", id.version},
                             {"url", server_->url()},
                             {"loops", int64_t{loops_}}});
  }

  // Not ready first, so that load balancers turn away before anything is refused; then nothing new,
  // and what is in flight is finished.
  void Drain(int signal) {
    health_.SetDraining();
    const bool has_notice = signal == SIGTERM && settings_.drain_notice_ms > 0;
    logger_.Info("draining", {{"notice_ms", has_notice ? settings_.drain_notice_ms : int64_t{0}}});
    if (has_notice) std::this_thread::sleep_for(milliseconds(settings_.drain_notice_ms));
    const Status drained = server_->Drain(milliseconds(settings_.drain_ms), kIdleLinger);
    if (!drained.ok()) {
      logger_.Warning("not everything was finished", {{"reason", drained.message()}});
    } else {
      logger_.Info("stopped");
    }
    // What still runs has nobody left who waits for it, and cannot be called off: the threads are
    // not joined.
    if (!drained.ok() || executor_.in_flight() > 0) std::_Exit(ExitCode(drained.code()));
    server_->Stop();
    admin_->Stop();
  }

  const Settings& settings_;
  os::EndWatch& ends_;
  const int loops_;
  const int threads_;  // of the executor: a call to a worker keeps one
  const Clock& clock_ = Clock::System();
  observe::LineSink sink_;
  observe::Logger logger_;
  observe::Metrics metrics_;  // shards: the loops, then the executor's threads
  serve::ModelMetrics unrouted_;
  serve::Health health_;
  serve::RouteBoard board_;
  serve::Executor executor_;
  const std::shared_ptr<engine::WorkerStats> worker_stats_ =
      std::make_shared<engine::WorkerStats>();
  std::once_flag has_workers_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> admin_;
};

int Fail(const Status& status) {
  fmt::print(stderr, "penstock-server: {}\n", status.message());
  return ExitCode(status.code());
}

int Main(const std::vector<std::string>& arguments) {
  Settings settings;
  config::Flags flags = FlagsOf(settings);
  if (const Status parsed = flags.Parse(arguments); !parsed.ok()) return Fail(parsed);
  if (flags.wants_help()) {
    std::fputs(flags.Help().c_str(), stdout);
    return 0;
  }
  if (flags.wants_version()) {
    fmt::print("penstock-server {}\n", kVersion);
    return 0;
  }
  if (const Status complete = Complete(settings); !complete.ok()) return Fail(complete);
  mallopt(M_ARENA_MAX, kArenasMax);
  RaiseDescriptorLimit(DescriptorsNeeded(settings));
  const Result<std::unique_ptr<os::EndWatch>> ends =
      os::EndWatch::Start(static_cast<int>(settings.until_eof));
  if (!ends.ok()) return Fail(ends.status());
  Program program(settings, **ends);
  const Status status = program.Run();
  return status.ok() ? 0 : Fail(status);
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main({argv + 1, argv + argc}); }
