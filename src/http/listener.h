// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "http/mailbox.h"

namespace penstock::http {

struct ListenAddress {
  std::string host;
  int port = 0;
  std::string port_flag;  // what the user says to have another port; for messages
};

// A listening TCP socket, non-blocking, with TCP_NODELAY for what it accepts.
class Listener {
 public:
  // Errors are those of Server::Create.
  static Result<Listener> Open(const ListenAddress& address);

  int fd() const { return socket_.get(); }
  int port() const { return port_; }
  bool is_open() const { return socket_.is_open(); }

  // From now on the kernel drops every new connection attempt without an answer (the client tries
  // again by itself) while those that are under way complete: after a moment and a last Accept,
  // Close resets nobody. Best effort: where the kernel offers no filter, a client that connects at
  // the very moment of Close is reset.
  void StopNewConnections();
  void Close() { socket_.Close(); }

 private:
  os::FileDescriptor socket_;
  int port_ = 0;
};

}  // namespace penstock::http
