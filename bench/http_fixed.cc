// SPDX-License-Identifier: Apache-2.0
// The HTTP server alone: src/http with a handler that sends one fixed answer. Beside penstock-floor
// it shows what the parser, the limits and the response writer cost.
//
//     penstock-http-fixed PORT    prints its URL; ends on SIGTERM
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "http/server.h"

namespace {

class FixedAnswer : public penstock::http::Handler {
 public:
  void Handle(penstock::http::Exchange& exchange) override {
    exchange.response().Begin(200, "application/json");
    exchange.response().body() += "{}";
  }
};

}  // namespace

int main(int argc, char** argv) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  auto server = penstock::http::Server::Create(
      {.port = argc > 1 ? std::atoi(argv[1]) : 0,
       .make_handler = [](int) { return std::make_unique<FixedAnswer>(); }});
  if (!server.ok() || !(*server)->Start().ok()) {
    std::fprintf(stderr, "penstock-http-fixed: %s\n", server.status().message().c_str());
    return 1;
  }
  std::printf("%s\n", (*server)->url().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  return (*server)->Drain(std::chrono::seconds(5), std::chrono::milliseconds(10)).ok() ? 0 : 1;
}
