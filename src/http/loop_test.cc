// SPDX-License-Identifier: Apache-2.0
#include "http/loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>

#include "http/server.h"
#include "http/test_client.h"

namespace penstock::http {
namespace {

using testing::HasSubstr;

class OkHandler final : public Handler {
 public:
  void Handle(Exchange& exchange) override { exchange.response().Begin(200, "text/plain"); }
};

TEST(Loop, DropsASocketThatTheKernelDoesNotWatchAndServesTheNext) {
  const Limits limits;
  const auto loop = *Loop::Make({.limits = limits,
                                 .receive_budget = std::make_shared<ReceiveBudget>(0),
                                 .handler = std::make_unique<OkHandler>()});
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
  const os::FileDescriptor client(ends[0]);
  // epoll takes no plain file (EPERM): it stands for a kernel that is out of memory.
  EXPECT_TRUE(
      loop->mailbox().Give(os::FileDescriptor(::open(PENSTOCK_TESTDATA "/../loop.h", O_RDONLY))));
  EXPECT_TRUE(loop->mailbox().Give(os::FileDescriptor(ends[1])));
  std::jthread thread([&] { loop->Run([] {}); });
  const std::string request = TestGet("/");
  ASSERT_EQ(::send(client.get(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  pollfd readable = {.fd = client.get(), .events = POLLIN};
  ASSERT_EQ(::poll(&readable, 1, TestClient::kReadMsMax), 1);
  std::array<char, 64> answer{};
  ASSERT_GT(::recv(client.get(), answer.data(), answer.size(), 0), 0);
  EXPECT_THAT(std::string(answer.data(), answer.size()), HasSubstr("HTTP/1.1 200 OK"));
  ASSERT_TRUE(loop->mailbox().Run([&] { loop->Stop(); }));
}

TEST(Loop, IsNotMadeWithoutADescriptor) {
  const auto create = [](int loops) {
    return Server::Create(
        {.loops = loops, .make_handler = [](int) { return std::make_unique<OkHandler>(); }});
  };
  // The sanitizer of types wants a descriptor of its own, the first time that it sees one.
  EXPECT_TRUE(create(1).ok());
  EXPECT_FALSE(create(0).ok());
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const os::FileDescriptor next(::socket(AF_INET, SOCK_STREAM, 0));
  // Enough for the listener and some of the loops.
  const rlimit few = {.rlim_cur = static_cast<rlim_t>(next.get()) + 6, .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const Status status = create(8).status();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("start fewer, or raise the limit of open files"));
}

}  // namespace
}  // namespace penstock::http
