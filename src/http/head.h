// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::http {

// Room for the lines of an answer that are known only when its body is: status line, Date,
// Content-Length, Connection.
inline constexpr size_t kLateHeadBytesMax = 192;

// The Date line of the current second, formatted once a second. Not for two threads at once.
class DateLine {
 public:
  // "Date: Mon, 23 Nov 2026 21:17:20 GMT\r\n" (RFC 9110, section 5.6.7) for seconds since 1970.
  std::string_view At(int64_t unix_s);

 private:
  int64_t unix_s_ = -1;
  std::array<char, 48> text_{};
  size_t size_ = 0;
};

struct LateHead {
  int status = 200;
  size_t content_length = 0;
  bool has_content_length = true;  // false for 204 and 304, which have no body by definition
  bool keep_alive = true;
  int minor_version =
      1;  // of the request: an HTTP/1.0 client must be told that the connection stays
};

// Writes those lines so that they end at end; returns their first byte, at most kLateHeadBytesMax
// before end.
char* WriteLateHead(char* end, const LateHead& head, std::string_view date_line);

}  // namespace penstock::http
