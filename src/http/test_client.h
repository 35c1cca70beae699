// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "http/mailbox.h"

namespace penstock::http {

// An answer as a test client reads it.
struct TestResponse {
  int status = 0;  // 0: the connection ended before an answer, or nothing came for read_ms_max
  std::string head;
  std::string body;
  bool closes() const { return head.find("\r\nConnection: close\r\n") != std::string::npos; }
};

// A blocking HTTP client for tests, over a real socket: sends any bytes, reads one answer at a
// time. Reading gives up after read_ms_max.
class TestClient {
 public:
  static constexpr int kReadMsMax = 10'000;

  explicit TestClient(int port);

  bool is_connected() const { return is_connected_; }
  // False when the connection is gone.
  bool Send(std::string_view bytes);
  // The answer to one request; for HEAD no body is read.
  TestResponse Read(bool is_head = false);
  // Send, then Read.
  TestResponse Call(std::string_view bytes);
  // Receives up to 64 KiB; false when the connection is gone, or nothing came for kReadMsMax.
  bool Fill();
  // What came beyond the answers read so far, up to the end of the connection.
  std::string ReadToEnd();
  // True when the server has closed its side, waiting for it up to kReadMsMax, and nothing came
  // before.
  bool IsClosedByServer() { return ReadToEnd().empty() && is_at_end_; }

  void CloseSending();
  // Closes so that the server sees a reset.
  void Reset();

 private:
  os::FileDescriptor socket_;
  std::string buffer_;
  bool is_connected_ = false;
  bool is_at_end_ = false;
};

inline TestClient::TestClient(int port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  is_connected_ =
      ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

inline bool TestClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

inline bool TestClient::Fill() {
  pollfd readable = {.fd = socket_.get(), .events = POLLIN};
  if (::poll(&readable, 1, kReadMsMax) != 1) return false;
  std::array<char, 65536> bytes;
  const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  is_at_end_ = got == 0;
  if (got <= 0) return false;
  buffer_.append(bytes.data(), static_cast<size_t>(got));
  return true;
}

inline TestResponse TestClient::Read(bool is_head) {
  TestResponse response;
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return response;
  }
  response.head = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  size_t length = 0;
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const size_t at = response.head.find(kLength);
  if (at != std::string::npos && !is_head) {
    std::from_chars(response.head.data() + at + kLength.size(),
                    response.head.data() + response.head.size(), length);
  }
  while (buffer_.size() < length) {
    if (!Fill()) return response;
  }
  response.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  // "HTTP/1.1 200 OK"
  std::from_chars(response.head.data() + 9, response.head.data() + 12, response.status);
  return response;
}

inline TestResponse TestClient::Call(std::string_view bytes) {
  if (!Send(bytes)) return {};
  return Read();
}

inline std::string TestClient::ReadToEnd() {
  while (Fill()) {
  }
  return std::exchange(buffer_, {});
}

inline void TestClient::CloseSending() { ::shutdown(socket_.get(), SHUT_WR); }

inline void TestClient::Reset() {
  const linger now = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket_.Close();
}

// A complete request with Host, and Content-Length for a POST.
inline std::string TestGet(std::string_view path, std::string_view headers = "") {
  return std::string("GET ")
      .append(path)
      .append(" HTTP/1.1\r\nHost: a\r\n")
      .append(headers)
      .append("\r\n");
}

inline std::string TestPost(std::string_view path, std::string_view body,
                            std::string_view headers = "") {
  return std::string("POST ")
      .append(path)
      .append(" HTTP/1.1\r\nHost: a\r\nContent-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n")
      .append(headers)
      .append("\r\n")
      .append(body);
}

}  // namespace penstock::http
