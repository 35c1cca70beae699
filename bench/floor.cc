// SPDX-License-Identifier: Apache-2.0
// The floor of the serving benchmark: the least that any server on this kernel can spend on a
// request. A bare epoll loop that looks for the end of the headers and the length of the body,
// understands nothing else, and sends back the bytes of one fixed answer. It checks no input and
// has no limits: it is a ruler, not a server.
//
//     penstock-floor PORT [ANSWER_FILE]    prints its port; ends on SIGTERM
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

namespace {

struct Connection {
  explicit Connection(int socket) : fd(socket) {}
  int fd;
  size_t size = 0;
  std::array<char, 16384> data;
};

// The bytes of the first request in data, or 0 when it is not complete.
size_t RequestBytes(std::string_view data) {
  const size_t head = data.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  constexpr std::string_view kName = "Content-Length: ";
  const size_t at = data.find(kName);
  const size_t body = at < head ? std::strtoul(data.data() + at + kName.size(), nullptr, 10) : 0;
  const size_t all = head + 4 + body;
  return all <= data.size() ? all : 0;
}

// False when the connection is over.
bool Serve(Connection& connection, std::string_view answer) {
  const ssize_t got = ::recv(connection.fd, connection.data.data() + connection.size,
                             connection.data.size() - connection.size, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  connection.size += static_cast<size_t>(got);
  size_t used = 0;
  while (const size_t bytes =
             RequestBytes({connection.data.data() + used, connection.size - used})) {
    used += bytes;
    if (::send(connection.fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
  }
  connection.size -= used;
  if (connection.size > 0)
    std::memmove(connection.data.data(), connection.data.data() + used, connection.size);
  return true;
}

int Listen(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, SOMAXCONN) != 0) {
    std::perror("penstock-floor: cannot listen");
    std::exit(1);
  }
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

std::string Answer(int argc, char** argv) {
  if (argc > 2) {
    std::ifstream file(argv[2], std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
}

void Watch(int epoll, int fd, void* tag) {
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = tag}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string answer = Answer(argc, argv);
  const int listener = Listen(argc > 1 ? std::atoi(argv[1]) : 0);
  const int epoll = ::epoll_create1(0);
  epoll_event listening{.events = EPOLLIN, .data = {.ptr = nullptr}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
      if (connection == nullptr) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (fd >= 0) Watch(epoll, fd, std::make_unique<Connection>(fd).release());
      } else if (!Serve(*connection, answer)) {
        ::close(connection->fd);
        const std::unique_ptr<Connection> ended(connection);
      }
    }
  }
}
