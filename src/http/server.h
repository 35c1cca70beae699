// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/handler.h"
#include "http/limits.h"

namespace penstock::http {

struct ServerOptions {
  // A numeric address or a name; the first address that can be bound is taken.
  std::string host = "127.0.0.1";
  // 0 takes a free port; port() tells which.
  int port = 0;
  // The flag of the program that sets port: a port that is taken is told with it.
  std::string port_flag = "--port";
  // Threads, each with its own epoll loop and connections. 1 to kLoopsMax.
  int loops = 1;
  Limits limits;
  // Called in Create, once for each loop 0 .. loops-1. The handlers are destroyed with the server.
  std::function<std::unique_ptr<Handler>(int loop)> make_handler;
};

inline constexpr int kLoopsMax = 256;
// Connections beyond connections_max that are open only to be told so; one more is closed without a
// word.
inline constexpr int kRefusedOpenMax = 256;

// Counts since Start, summed over the loops. Each number is exact; together they are not one
// instant.
struct ServerStats {
  int64_t connections_open = 0;
  int64_t connections_accepted = 0;
  int64_t connections_refused = 0;  // told 503 because connections_max were open
  int64_t accept_pauses =
      0;  // no file descriptor or memory was left: clients waited in the kernel's queue
  int64_t requests = 0;  // answered by the handler
  int64_t requests_refused =
      0;  // answered by the server itself: 400, 408, 413, 414, 417, 431, 501, 503, 505
  int64_t responses_cancelled = 0;  // the connection was gone before the answer was
  int64_t timeouts_receive = 0;
  int64_t timeouts_idle = 0;
  int64_t timeouts_send = 0;
  int64_t bytes_received = 0;
  int64_t bytes_sent = 0;
  std::array<int64_t, 6> responses_by_class{};  // [2] counts 200 to 299, and so on
};

// An HTTP/1.1 server (RFC 9110, RFC 9112) on its own epoll loops. The first loop accepts and gives
// each socket to the loop with the fewest connections. Several servers may live in one process.
//
// Answered by the server itself, as application/problem+json: 400 (not HTTP), 408, 413, 414, 417,
// 431, 501 (a transfer coding other than chunked, CONNECT), 505, and 503 beyond connections_max and
// receive_bytes_max.
// Everything else goes to the handler, HEAD and OPTIONS included. Requests that are pipelined are
// answered in order.
//
// Thread-safe: every method may be called from any thread except a loop's own; Start, Drain and
// Stop by one thread at a time.
class Server {
 public:
  // Binds and listens, so that port() is known and clients may connect; they are answered from
  // Start on. kInvalidArgument for options out of range or a host that cannot be resolved,
  // kAlreadyExists when the port is taken, kPermissionDenied for a port this user may not bind,
  // kResourceExhausted when the kernel has no descriptor left for the loops.
  static Result<std::unique_ptr<Server>> Create(ServerOptions options);
  // Stop().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Starts the threads. Call it once.
  Status Start();

  int port() const;
  // "http://127.0.0.1:8000"; an IPv6 address is in brackets.
  std::string url() const;

  // Ends the service without losing a request: takes every connection out of the kernel's queue,
  // closes the listener, answers every request that has been or is being received (with Connection:
  // close), and closes connections that stay without a request for idle_linger. Returns OK when no
  // connection is left, or kDeadlineExceeded, naming how many were cut off, after deadline. Tell
  // load balancers first: until Drain everything is served as before.
  Status Drain(std::chrono::milliseconds deadline,
               std::chrono::milliseconds idle_linger = std::chrono::milliseconds(1000));

  // Closes every connection at once, joins the threads. What is deferred is dropped when it
  // completes. Safe to repeat.
  void Stop();

  // Runs task on every loop's thread with that loop's handler, and returns after the last. Before
  // Start and after Stop it runs on the calling thread.
  void RunOnEveryLoop(const std::function<void(Handler&)>& task);

  ServerStats stats() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock::http
