// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace penstock::http {

// One header line as offsets from the request's first byte, so that it survives a move of the
// buffer.
struct HeaderField {
  uint32_t name_begin = 0;
  uint32_t name_size = 0;
  uint32_t value_begin = 0;
  uint32_t value_size = 0;
};

// A complete request. Every view points into the connection's buffer and is valid until the answer
// is complete: until Handle returns, or until Deferred::Complete. Immutable.
class Request {
 public:
  std::string_view method;  // as sent: methods are case-sensitive
  std::string_view target;  // the request target as sent
  std::string_view path;    // begins with '/' ("*" for OPTIONS *), not percent-decoded, without
                            // scheme and authority
  std::string_view query;   // what follows the first '?', or ""
  std::string_view body;    // chunks are undone
  int minor_version = 1;    // of HTTP/1

  // The value of the first header with this name (case-insensitive), without the white space around
  // it; nothing when there is none.
  std::optional<std::string_view> Header(std::string_view name) const;

 private:
  friend class Parser;
  const char* base_ = nullptr;
  std::span<const HeaderField> fields_;
};

// Undoes percent-encoding of one path segment or query value ('+' stays '+') into out. False, with
// out unspecified, when a '%' is not followed by two hexadecimal digits or the result would hold a
// NUL.
bool PercentDecode(std::string_view encoded, std::string& out);

}  // namespace penstock::http
