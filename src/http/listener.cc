// SPDX-License-Identifier: Apache-2.0
#include "http/listener.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>

namespace penstock::http {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<AddressList> Resolve(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) {
    return InvalidArgument(
        fmt::format("the host '{}' to listen on cannot be resolved ({}): give an address of this "
                    "machine, such as 127.0.0.1 or 0.0.0.0",
                    address.host, ::gai_strerror(error)));
  }
  return AddressList(found, &::freeaddrinfo);
}

Status ListenError(int error, const ListenAddress& address) {
  switch (error) {
    case EADDRINUSE:
      return AlreadyExists(
          fmt::format("port {} on {} is in use: choose another with {}, or stop the program that "
                      "listens there (ss -ltnp)",
                      address.port, address.host, address.port_flag));
    case EACCES:
      return PermissionDenied(
          fmt::format("this user may not listen on port {} on {}: choose a port of 1024 or above",
                      address.port, address.host));
    case EADDRNOTAVAIL:
      return InvalidArgument(
          fmt::format("{} is not an address of this machine: listen on one that `ip address` shows",
                      address.host));
    default:
      return FromErrno(error,
                       fmt::format("cannot listen on port {} on {}", address.port, address.host));
  }
}

// The socket, or an errno value.
int TryListen(const addrinfo& info, os::FileDescriptor& socket) {
  socket =
      os::FileDescriptor(::socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return errno;
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::bind(socket.get(), info.ai_addr, info.ai_addrlen) != 0) return errno;
  if (::listen(socket.get(), SOMAXCONN) != 0) return errno;
  return 0;
}

int BoundPort(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  // The port stands at the same place for both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

Result<Listener> Listener::Open(const ListenAddress& address) {
  const AddressList list = PENSTOCK_TRY(Resolve(address));
  int error = EADDRNOTAVAIL;
  for (const addrinfo* info = list.get(); info != nullptr; info = info->ai_next) {
    Listener listener;
    error = TryListen(*info, listener.socket_);
    if (error == 0) {
      listener.port_ = BoundPort(listener.fd());
      return listener;
    }
  }
  return ListenError(error, address);
}

void Listener::StopNewConnections() {
  // The filter sees a segment from its TCP header on: byte 13 holds the flags, SYN is 2. 0 drops,
  // else keep it whole.
  std::array<sock_filter, 4> program = {{{BPF_LD | BPF_B | BPF_ABS, 0, 0, 13},
                                         {BPF_JMP | BPF_JSET | BPF_K, 0, 1, TH_SYN},
                                         {BPF_RET | BPF_K, 0, 0, 0},
                                         {BPF_RET | BPF_K, 0, 0, 0x40000}}};
  const sock_fprog filter = {.len = program.size(), .filter = program.data()};
  ::setsockopt(fd(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

}  // namespace penstock::http
