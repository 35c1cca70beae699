// SPDX-License-Identifier: Apache-2.0
// What becomes of a server when memory runs out. Replaces the allocator of this test program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "http/server.h"
#include "http/test_client.h"

namespace {

// There is memory for smaller pieces only.
std::atomic<size_t> refused_from = SIZE_MAX;

}  // namespace

// Not inline: GCC would take malloc and free for a mistake.
[[gnu::noinline]] void* operator new(size_t size) {
  void* const memory = size >= refused_from ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// A sanitizer brings its own for lists.
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace penstock::http {
namespace {

using testing::HasSubstr;

constexpr size_t kScarce = 200'000;

// Answers "/large" with more than there is memory for.
class LargeHandler final : public Handler {
 public:
  void Handle(Exchange& exchange) override {
    exchange.response().Begin(200, "text/plain");
    if (exchange.request().path == "/large") exchange.response().body().append(2 * kScarce, 'x');
  }
};

class MemoryTest : public testing::Test {
 protected:
  MemoryTest() {
    server_ =
        *Server::Create({.make_handler = [](int) { return std::make_unique<LargeHandler>(); }});
    EXPECT_TRUE(server_->Start().ok());
  }
  ~MemoryTest() override { refused_from = SIZE_MAX; }

  TestClient Connect() { return TestClient(server_->port()); }

  std::unique_ptr<Server> server_;
};

TEST_F(MemoryTest, ABodyThatFindsNoneEndsItsConnectionAlone) {
  TestClient client = Connect();
  TestClient other = Connect();
  ASSERT_EQ(other.Call(TestGet("/")).status, 200);
  const std::string request = TestPost("/", std::string(4 * kScarce, 'b'));
  refused_from = kScarce;
  // It may be cut off while it sends.
  static_cast<void>(client.Send(request));
  EXPECT_EQ(client.Read().status, 0);
  EXPECT_EQ(other.Call(TestGet("/")).status, 200);
}

TEST_F(MemoryTest, AnAnswerThatFindsNoneIsTold) {
  TestClient client = Connect();
  refused_from = kScarce;
  const TestResponse refused = client.Call(TestGet("/large"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.head, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(refused.body, HasSubstr("no memory left"));
  EXPECT_EQ(client.Call(TestGet("/")).status, 200);
}

}  // namespace
}  // namespace penstock::http
