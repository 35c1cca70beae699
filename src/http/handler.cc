// SPDX-License-Identifier: Apache-2.0
#include "http/handler.h"

#include <utility>

#include "http/connection.h"
#include "http/mailbox.h"

namespace penstock::http {

Deferred::Deferred(std::shared_ptr<Connection> connection, std::shared_ptr<Mailbox> mailbox)
    : connection_(std::move(connection)), mailbox_(std::move(mailbox)) {}

Deferred& Deferred::operator=(Deferred&& other) noexcept {
  if (this != &other) {
    if (connection_ != nullptr) Complete();
    connection_ = std::move(other.connection_);
    mailbox_ = std::move(other.mailbox_);
  }
  return *this;
}

Deferred::~Deferred() {
  if (connection_ != nullptr) Complete();
}

const Request& Deferred::request() const { return connection_->request(); }

Response& Deferred::response() { return connection_->response(); }

void Deferred::Complete() { mailbox_->Complete(std::move(connection_)); }

void Deferred::CompleteOnLoop() { std::exchange(connection_, nullptr)->OnCompleted(); }

bool Deferred::cancelled() const { return connection_->is_peer_gone(); }

const Request& Exchange::request() const { return connection_.request(); }

Response& Exchange::response() { return connection_.response(); }

Deferred Exchange::Defer() { return connection_.Defer(); }

}  // namespace penstock::http
