// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "http/listener.h"
#include "http/loop.h"

namespace penstock::http {
namespace {

Status CheckOptions(const ServerOptions& options) {
  if (options.port < 0 || options.port > 65535) {
    return InvalidArgument(
        fmt::format("port {} is not a port: expected 0 (any free one) to 65535", options.port));
  }
  if (options.loops < 1 || options.loops > kLoopsMax) {
    return InvalidArgument(fmt::format("loops is {}: expected 1 to {}", options.loops, kLoopsMax));
  }
  const Limits& limits = options.limits;
  const bool is_positive = limits.request_line_bytes_max > 0 && limits.header_bytes_max > 0 &&
                           limits.header_count_max > 0 && limits.connections_max > 0 &&
                           limits.idle_ms_max > 0 && limits.receive_ms_max > 0 &&
                           limits.body_bytes_per_s_min > 0 && limits.send_ms_max > 0 &&
                           limits.send_bytes_per_s_min > 0 && limits.linger_ms_max > 0;
  if (!is_positive)
    return InvalidArgument("a limit of the HTTP server is 0 or less: expected at least 1");
  PENSTOCK_CHECK(options.make_handler != nullptr);
  return {};
}

}  // namespace

struct Server::Impl {
  explicit Impl(ServerOptions given) : options(std::move(given)) {}

  // Runs task on the thread of each loop, and returns after the last.
  void OnEveryLoop(const std::function<void(Loop&)>& task);
  int64_t connections_open() const;
  bool has_drained() const;

  const ServerOptions options;
  Listener listener;
  int port = 0;
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<std::jthread> threads;
  std::atomic<bool> is_running = false;

  std::mutex mutex;
  std::condition_variable changed;  // a draining loop has lost connections or the listener
};

void Server::Impl::OnEveryLoop(const std::function<void(Loop&)>& task) {
  if (!is_running) {
    for (const auto& loop : loops) task(*loop);
    return;
  }
  std::latch left(static_cast<ptrdiff_t>(loops.size()));
  for (const auto& loop : loops) {
    const std::function<void()> run = [&task, &left, at = loop.get()] {
      task(*at);
      left.count_down();
    };
    // A loop that has ended calls its handler no more, so this thread may.
    if (!loop->mailbox().Run(run)) run();
  }
  left.wait();
}

int64_t Server::Impl::connections_open() const {
  return std::accumulate(loops.begin(), loops.end(), int64_t{0}, [](int64_t sum, const auto& loop) {
    return sum + loop->counts().connections_open.load(std::memory_order_relaxed);
  });
}

bool Server::Impl::has_drained() const {
  return !loops.front()->counts().is_listening.load(std::memory_order_relaxed) &&
         connections_open() == 0;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { Stop(); }

Result<std::unique_ptr<Server>> Server::Create(ServerOptions options) {
  PENSTOCK_TRY(CheckOptions(options));
  auto impl = std::make_unique<Impl>(std::move(options));
  impl->listener = PENSTOCK_TRY(Listener::Open({.host = impl->options.host,
                                                .port = impl->options.port,
                                                .port_flag = impl->options.port_flag}));
  impl->port = impl->listener.port();
  const Limits& limits = impl->options.limits;
  const auto budget = std::make_shared<ReceiveBudget>(
      std::max(limits.receive_bytes_max, 2 * limits.body_bytes_max));
  for (int i = 0; i < impl->options.loops; ++i) {
    impl->loops.push_back(PENSTOCK_TRY(Loop::Make(
        {.limits = limits, .receive_budget = budget, .handler = impl->options.make_handler(i)})));
  }
  PENSTOCK_TRY(impl->loops.front()->AcceptFrom(impl->listener, impl->loops));
  return std::unique_ptr<Server>(
      new Server(std::move(impl)));  // NOLINT: the constructor is private
}

Status Server::Start() {
  PENSTOCK_CHECK(impl_->threads.empty());
  Impl& impl = *impl_;
  impl.is_running = true;
  for (const auto& loop : impl.loops) {
    impl.threads.emplace_back([&impl, at = loop.get()] {
      at->Run([&impl] {
        const std::lock_guard lock(impl.mutex);
        impl.changed.notify_all();
      });
    });
  }
  return {};
}

int Server::port() const { return impl_->port; }

std::string Server::url() const {
  const std::string& host = impl_->options.host;
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(is_ipv6 ? "http://[{}]:{}" : "http://{}:{}"), host, impl_->port);
}

Status Server::Drain(std::chrono::milliseconds deadline, std::chrono::milliseconds idle_linger) {
  if (!impl_->is_running) return {};
  const auto end = std::chrono::steady_clock::now() + deadline;
  impl_->OnEveryLoop([idle_linger](Loop& loop) { loop.BeginDrain(idle_linger.count()); });
  std::unique_lock lock(impl_->mutex);
  if (impl_->changed.wait_until(lock, end, [this] { return impl_->has_drained(); })) return {};
  return Status(
      Code::kDeadlineExceeded,
      fmt::format(
          "{} connections were still open {} ms after the server began to drain, and are cut off",
          impl_->connections_open(), deadline.count()));
}

void Server::Stop() {
  impl_->OnEveryLoop([](Loop& loop) { loop.Stop(); });
  impl_->threads.clear();
  impl_->is_running = false;
  impl_->listener.Close();
}

void Server::RunOnEveryLoop(const std::function<void(Handler&)>& task) {
  impl_->OnEveryLoop([&task](Loop& loop) { task(loop.handler()); });
}

ServerStats Server::stats() const {
  ServerStats sum;
  for (const auto& loop : impl_->loops) {
    const LoopCounts& counts = loop->counts();
    sum.connections_open += counts.connections_open.load(std::memory_order_relaxed);
    sum.connections_accepted += counts.connections_accepted.value();
    sum.connections_refused += counts.connections_refused.value();
    sum.accept_pauses += counts.accept_pauses.value();
    sum.requests += counts.requests.value();
    sum.requests_refused += counts.requests_refused.value();
    sum.responses_cancelled += counts.responses_cancelled.value();
    sum.timeouts_receive += counts.timeouts_receive.value();
    sum.timeouts_idle += counts.timeouts_idle.value();
    sum.timeouts_send += counts.timeouts_send.value();
    sum.bytes_received += counts.bytes_received.value();
    sum.bytes_sent += counts.bytes_sent.value();
    for (size_t i = 0; i < sum.responses_by_class.size(); ++i) {
      sum.responses_by_class[i] += counts.responses_by_class[i].value();
    }
  }
  return sum;
}

}  // namespace penstock::http
