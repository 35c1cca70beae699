// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/limits.h"
#include "http/request.h"

namespace penstock::http {

// What the server says itself about a request that it does not hand on.
struct ParseError {
  int status = 400;
  std::string detail;  // one sentence; holds no byte of the request
};

// Reads one HTTP/1.x request (RFC 9112) from a buffer that grows, strictly: what two
// implementations could read in two ways is refused. However the bytes are cut into calls, the
// outcome is the same. Allocates only for an error, and once for the list of headers. Not for two
// threads at once.
class Parser {
 public:
  enum class Outcome {
    kNeedMore,
    kDone,    // request() is complete; the bytes from consumed() on belong to the next request
    kFailed,  // error() is to be answered, and the connection to be closed: its framing is lost
  };

  explicit Parser(const Limits& limits) : limits_(&limits) {}

  // Forgets the request. The next Parse begins with another.
  void Reset();

  // data[0, size) begins with the request's first byte and holds what was passed before, unchanged
  // since, and new bytes behind it; it may have moved. Chunked bodies are undone in place: what
  // follows the framing moves down, and size shrinks.
  Outcome Parse(char* data, size_t& size);

  // After kDone; its views point into the data of the last call.
  const Request& request() const { return request_; }
  // After kDone: how many bytes of data the request took.
  size_t consumed() const { return consumed_; }
  // After kFailed.
  const ParseError& error() const { return error_; }

  // True once the first byte of a request has been seen. An empty line before it does not count.
  bool has_begun() const { return has_begun_; }
  // True once the headers are complete.
  bool has_head() const { return has_head_; }
  // True after kDone, until Reset.
  bool is_done() const { return stage_ == Stage::kDone; }
  // After the headers are complete: whether the client waits for 100 Continue before it sends the
  // body.
  bool expects_continue() const { return expects_continue_; }
  // Whether the connection may serve another request after this one. Known once the headers are
  // complete; false before.
  bool keep_alive() const { return keep_alive_; }
  // Body bytes received so far.
  size_t body_bytes() const { return body_size_; }
  // How many more bytes the body certainly needs: a hint for the size of the buffer; 0 when not
  // known.
  size_t bytes_missing() const { return bytes_missing_; }

 private:
  enum class Stage {
    kRequestLine,
    kHeaders,
    kSizedBody,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailers,
    kDone,
    kFailed
  };
  enum class Line { kComplete, kIncomplete, kTooLong, kFailed };

  // Sets error(); returns false, so that a step can end with it.
  bool Fail(int status, std::string detail);
  bool FailHeaderBytes();
  bool FailBodyBytes();

  Line TakeLine(const char* data, size_t size, size_t bytes_max);
  bool Step(char* data, size_t& size);
  bool StepRequestLine(const char* data, size_t size);
  bool StepHeaders(const char* data, size_t size);
  bool StepSizedBody(size_t size);
  bool StepChunkSize(char* data, size_t size);
  bool StepChunkData(char* data, size_t size);
  bool StepChunkEnd(const char* data, size_t size);
  bool StepTrailers(const char* data, size_t size);

  bool ReadRequestLine(const char* data, std::string_view line);
  bool ReadVersion(std::string_view version);
  bool ReadTarget(const char* data, std::string_view target);
  bool ReadAbsoluteTarget(const char* data, std::string_view target);
  void SetPath(const char* data, std::string_view target);
  size_t HeaderBytesLeft() const;
  bool ReadHeaderLine(const char* data, std::string_view line);
  bool ReadKnownHeader(std::string_view name, std::string_view value);
  bool ReadHost(std::string_view value);
  bool ReadContentLength(std::string_view value);
  bool ReadTransferEncoding(std::string_view value);
  bool ReadConnection(std::string_view value);
  bool ReadExpect(std::string_view value);
  bool EndHeaders();
  bool ReadChunkSize(std::string_view line);
  void CloseGap(char* data, size_t& size);
  void EndRequest(char* data);

  const Limits* limits_;
  Stage stage_ = Stage::kRequestLine;

  size_t line_begin_ = 0;     // of the line being read
  size_t scanned_ = 0;        // no LF in [line_begin_, scanned_)
  std::string_view line_;     // set by TakeLine, without CRLF
  size_t headers_begin_ = 0;  // of the headers, then of the trailers
  size_t body_begin_ = 0;
  size_t body_size_ = 0;  // bytes of body received and, if chunked, moved to their place
  size_t bytes_missing_ = 0;
  size_t read_ = 0;  // chunked: the next framing byte to read
  size_t chunk_left_ = 0;
  size_t chunk_excess_ = 0;
  size_t header_lines_ = 0;
  size_t consumed_ = 0;
  uint64_t content_length_ = 0;

  struct Span {
    size_t begin = 0;
    size_t size = 0;
  };
  Span method_, target_, path_, query_;
  std::vector<HeaderField> fields_;

  bool has_begun_ = false;
  bool has_empty_line_ = false;
  bool has_head_ = false;
  bool has_host_ = false;
  bool has_content_length_ = false;
  bool is_chunked_ = false;
  bool has_close_ = false;
  bool has_keep_alive_ = false;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
  int minor_version_ = 1;

  Request request_;
  ParseError error_;
};

}  // namespace penstock::http
