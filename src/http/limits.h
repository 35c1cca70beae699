// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::http {

// What one client may ask for. Reaching a limit is answered with the status in brackets, as
// application/problem+json whose detail names the limit and its value; then the connection is
// closed, so that the client still gets the answer.
struct Limits {
  // The request line, without its CRLF (414).
  size_t request_line_bytes_max = 8 * 1024;
  // All header lines of a request with their CRLFs; again for the trailer lines of a chunked body
  // (431).
  size_t header_bytes_max = 32 * 1024;
  // Header lines of a request, trailer lines included (431).
  size_t header_count_max = 100;
  // A body after chunks are undone; refused as soon as it is known, from Content-Length before a
  // byte is read (413).
  size_t body_bytes_max = 16 * 1024 * 1024;

  // Memory for what is being received, of all connections together, where one takes more than 64
  // KiB (503). At least twice body_bytes_max, so that any one body fits.
  size_t receive_bytes_max = size_t{1} << 30;

  // Open connections of a server. One more is accepted, told 503 with Retry-After, and closed.
  int connections_max = 4096;
  // How long a connection may stay open between two requests; then it is closed without a word.
  int64_t idle_ms_max = 60'000;
  // From the first byte of a request to the end of its headers (408), and again to the end of its
  // body; the time for a body grows by one second for every body_bytes_per_s_min received, so a
  // large body on a slow line arrives.
  int64_t receive_ms_max = 30'000;
  int64_t body_bytes_per_s_min = 16 * 1024;
  // Sending an answer: without any progress, and from its end in the buffer to its last byte; then
  // the connection is reset. The whole time grows by one second for every send_bytes_per_s_min
  // sent, so that a large answer on a slow line arrives.
  int64_t send_ms_max = 30'000;
  int64_t send_bytes_per_s_min = 16 * 1024;
  // How long the server reads and drops what a client still sends after the last answer on a
  // connection.
  int64_t linger_ms_max = 2'000;
};

}  // namespace penstock::http
