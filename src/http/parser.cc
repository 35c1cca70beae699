// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "http/characters.h"

namespace penstock::http {
namespace {

// A chunk-size line with its extensions (RFC 9112, section 7.1.1); beyond it 400.
constexpr size_t kChunkLineBytesMax = 1024;
// Framing in excess of what chunks of a sensible size need; beyond it 400, or one byte of body
// could cost a kilobyte.
constexpr size_t kChunkExcessBytesMax = 16 * 1024;
constexpr size_t kChunkExcessBytesFree = 16;
constexpr size_t kChunkSizeDigitsMax = 15;

}  // namespace

void Parser::Reset() {
  stage_ = Stage::kRequestLine;
  line_begin_ = scanned_ = headers_begin_ = 0;
  body_begin_ = body_size_ = bytes_missing_ = 0;
  read_ = chunk_left_ = chunk_excess_ = header_lines_ = consumed_ = 0;
  content_length_ = 0;
  fields_.clear();
  has_begun_ = has_empty_line_ = has_head_ = has_host_ = has_content_length_ = is_chunked_ = false;
  has_close_ = has_keep_alive_ = keep_alive_ = expects_continue_ = false;
  minor_version_ = 1;
}

Parser::Outcome Parser::Parse(char* data, size_t& size) {
  while (Step(data, size)) {
  }
  if (stage_ == Stage::kDone) {
    EndRequest(data);
    return Outcome::kDone;
  }
  if (stage_ == Stage::kFailed) return Outcome::kFailed;
  if (stage_ > Stage::kSizedBody) CloseGap(data, size);
  return Outcome::kNeedMore;
}

// Each step returns whether another may follow: false when the request is complete, has failed, or
// needs more bytes.
bool Parser::Step(char* data, size_t& size) {
  switch (stage_) {
    case Stage::kRequestLine:
      return StepRequestLine(data, size);
    case Stage::kHeaders:
      return StepHeaders(data, size);
    case Stage::kSizedBody:
      return StepSizedBody(size);
    case Stage::kChunkSize:
      return StepChunkSize(data, size);
    case Stage::kChunkData:
      return StepChunkData(data, size);
    case Stage::kChunkEnd:
      return StepChunkEnd(data, size);
    case Stage::kTrailers:
      return StepTrailers(data, size);
    case Stage::kDone:
    case Stage::kFailed:
      return false;
  }
  return false;
}

bool Parser::Fail(int status, std::string detail) {
  stage_ = Stage::kFailed;
  keep_alive_ = false;
  error_ = {.status = status, .detail = std::move(detail)};
  return false;
}

// A line ends with CRLF. Whether it is too long is decided by where its LF is, so that the answer
// does not depend on how the bytes arrive.
Parser::Line Parser::TakeLine(const char* data, size_t size, size_t bytes_max) {
  const auto* lf = static_cast<const char*>(std::memchr(data + scanned_, '\n', size - scanned_));
  const size_t end = lf == nullptr ? size : static_cast<size_t>(lf - data);
  if (end - line_begin_ > bytes_max + 1) return Line::kTooLong;
  if (lf == nullptr) {
    scanned_ = size;
    return Line::kIncomplete;
  }
  if (end == line_begin_ || data[end - 1] != '\r') {
    Fail(400, "A line of the request ends with LF alone; lines end with CRLF.");
    return Line::kFailed;
  }
  line_ = {data + line_begin_, end - 1 - line_begin_};
  line_begin_ = scanned_ = end + 1;
  return Line::kComplete;
}

bool Parser::StepRequestLine(const char* data, size_t size) {
  if (!has_begun_ && line_begin_ < size && data[line_begin_] != '\r' && data[line_begin_] != '\n') {
    has_begun_ = true;
    if (!IsTokenCharacter(data[line_begin_])) {
      return Fail(400,
                  "The request does not begin with a method; is the client speaking TLS to a port "
                  "without it?");
    }
  }
  switch (TakeLine(data, size, limits_->request_line_bytes_max)) {
    case Line::kIncomplete:
    case Line::kFailed:
      return false;
    case Line::kTooLong:
      return Fail(414,
                  fmt::format("The request line has more than request_line_bytes_max = {} bytes.",
                              limits_->request_line_bytes_max));
    case Line::kComplete:
      break;
  }
  if (line_.empty()) {
    // RFC 9112, section 2.2: at least one empty line before a request is to be ignored.
    if (has_empty_line_) return Fail(400, "More than one empty line stands before the request.");
    has_empty_line_ = true;
    return true;
  }
  headers_begin_ = line_begin_;
  stage_ = Stage::kHeaders;
  return ReadRequestLine(data, line_);
}

bool Parser::ReadRequestLine(const char* data, std::string_view line) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || method_end == target_end) {
    return Fail(400, "The request line is not 'METHOD target HTTP/1.1' with single spaces.");
  }
  const std::string_view method = line.substr(0, method_end);
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  if (!IsToken(method))
    return Fail(400, "The method holds a character that a method may not have.");
  if (!ReadVersion(line.substr(target_end + 1))) return false;
  method_ = {static_cast<size_t>(method.data() - data), method.size()};
  if (method == "CONNECT")
    return Fail(501, "The method CONNECT is not supported: this server is not a proxy.");
  return ReadTarget(data, target);
}

bool Parser::ReadVersion(std::string_view version) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7])) {
    return Fail(400, "The request line does not end with an HTTP version such as HTTP/1.1.");
  }
  if (version[5] != '1' || version[7] > '1') {
    return Fail(505, "The HTTP version is not supported; send HTTP/1.1 or HTTP/1.0.");
  }
  minor_version_ = version[7] - '0';
  return true;
}

bool Parser::ReadTarget(const char* data, std::string_view target) {
  if (!IsTarget(target)) {
    return Fail(400, "The request target holds a character that must be percent-encoded.");
  }
  target_ = {static_cast<size_t>(target.data() - data), target.size()};
  if (target == "*") {
    if (std::string_view(data + method_.begin, method_.size) != "OPTIONS") {
      return Fail(400, "The request target '*' is only for OPTIONS.");
    }
  } else if (!target.starts_with('/')) {
    return ReadAbsoluteTarget(data, target);
  }
  SetPath(data, target);
  return true;
}

bool Parser::ReadAbsoluteTarget(const char* data, std::string_view target) {
  const size_t colon = target.find("://");
  if (colon == std::string_view::npos || !(EqualsLower(target.substr(0, colon), "http") ||
                                           EqualsLower(target.substr(0, colon), "https"))) {
    return Fail(400, "The request target begins neither with '/' nor with http:// or https://.");
  }
  const std::string_view rest = target.substr(colon + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.empty() || !IsAuthority(authority)) {
    return Fail(400, "The host in the request target is not a host with an optional port.");
  }
  SetPath(data, rest.substr(authority.size()));
  return true;
}

void Parser::SetPath(const char* data, std::string_view target) {
  const size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  path_ = {static_cast<size_t>(path.data() - data), path.size()};
  query_ = {path_.begin + path.size(), 0};
  if (question != std::string_view::npos)
    query_ = {path_.begin + question + 1, target.size() - question - 1};
}

bool Parser::StepHeaders(const char* data, size_t size) {
  switch (TakeLine(data, size, HeaderBytesLeft())) {
    case Line::kIncomplete:
    case Line::kFailed:
      return false;
    case Line::kTooLong:
      return FailHeaderBytes();
    case Line::kComplete:
      break;
  }
  if (line_.empty()) return EndHeaders();
  return ReadHeaderLine(data, line_);
}

// How long the next header line may be, without its CRLF; the empty line at the end comes on top.
size_t Parser::HeaderBytesLeft() const {
  const size_t used = line_begin_ - headers_begin_ + 2;
  return limits_->header_bytes_max - std::min(used, limits_->header_bytes_max);
}

bool Parser::FailHeaderBytes() {
  return Fail(431, fmt::format("The headers have more than header_bytes_max = {} bytes.",
                               limits_->header_bytes_max));
}

bool Parser::ReadHeaderLine(const char* data, std::string_view line) {
  if (++header_lines_ > limits_->header_count_max) {
    return Fail(431, fmt::format("There are more than header_count_max = {} headers.",
                                 limits_->header_count_max));
  }
  if (line[0] == ' ' || line[0] == '\t') {
    return Fail(400,
                "A header line begins with white space: line folding is obsolete and refused.");
  }
  size_t name_size = 0;
  while (name_size < line.size() && IsTokenCharacter(line[name_size])) ++name_size;
  if (name_size == 0 || name_size == line.size() || line[name_size] != ':') {
    return Fail(400, "A header line is not 'name: value' with a name made of token characters.");
  }
  const std::string_view name = line.substr(0, name_size);
  const std::string_view value = TrimWhiteSpace(line.substr(name_size + 1));
  if (!IsFieldValue(value)) return Fail(400, "A header value holds a control character.");
  if (stage_ == Stage::kTrailers) return true;
  fields_.push_back({.name_begin = static_cast<uint32_t>(name.data() - data),
                     .name_size = static_cast<uint32_t>(name.size()),
                     .value_begin = static_cast<uint32_t>(value.data() - data),
                     .value_size = static_cast<uint32_t>(value.size())});
  return ReadKnownHeader(name, value);
}

bool Parser::ReadKnownHeader(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      return !EqualsLower(name, "host") || ReadHost(value);
    case 6:
      return !EqualsLower(name, "expect") || ReadExpect(value);
    case 10:
      return !EqualsLower(name, "connection") || ReadConnection(value);
    case 14:
      return !EqualsLower(name, "content-length") || ReadContentLength(value);
    case 17:
      return !EqualsLower(name, "transfer-encoding") || ReadTransferEncoding(value);
    default:
      return true;
  }
}

bool Parser::ReadHost(std::string_view value) {
  if (has_host_) return Fail(400, "There are two Host headers.");
  has_host_ = true;
  if (!IsAuthority(value)) return Fail(400, "The Host header is not a host with an optional port.");
  return true;
}

bool Parser::ReadExpect(std::string_view value) {
  if (!EqualsLower(value, "100-continue")) {
    return Fail(417, "The Expect header asks for something other than 100-continue.");
  }
  expects_continue_ = minor_version_ == 1;
  return true;
}

bool Parser::ReadConnection(std::string_view value) {
  while (!value.empty()) {
    const size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = TrimWhiteSpace(value.substr(0, comma));
    if (EqualsLower(option, "close")) has_close_ = true;
    if (EqualsLower(option, "keep-alive")) has_keep_alive_ = true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return true;
}

// RFC 9112, section 6.3. A list of equal lengths could be accepted; nobody sends one who means
// well.
bool Parser::ReadContentLength(std::string_view value) {
  if (has_content_length_) return Fail(400, "There are two Content-Length headers.");
  has_content_length_ = true;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (value.empty() || !std::ranges::all_of(value, is_digit)) {
    return Fail(400, "The Content-Length is not a number of decimal digits.");
  }
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  for (const char c : value) {
    const auto digit = static_cast<uint64_t>(c - '0');
    content_length_ = content_length_ > (kMax - digit) / 10 ? kMax : content_length_ * 10 + digit;
  }
  return true;
}

bool Parser::ReadTransferEncoding(std::string_view value) {
  if (is_chunked_) return Fail(400, "There are two Transfer-Encoding headers.");
  if (minor_version_ == 0) return Fail(400, "Transfer-Encoding is not defined for HTTP/1.0.");
  if (value.empty()) return Fail(400, "The Transfer-Encoding header is empty.");
  if (EqualsLower(TrimWhiteSpace(value.substr(0, value.find(','))), "chunked") &&
      value.size() > 7) {
    return Fail(400, "Chunked is not the last transfer coding.");
  }
  if (!EqualsLower(value, "chunked")) {
    return Fail(
        501, "The transfer coding is not supported; send the body with Content-Length or chunked.");
  }
  is_chunked_ = true;
  return true;
}

bool Parser::EndHeaders() {
  if (minor_version_ == 1 && !has_host_)
    return Fail(400, "The Host header is missing; HTTP/1.1 requires it.");
  if (is_chunked_ && has_content_length_) {
    return Fail(
        400,
        "Both Content-Length and Transfer-Encoding are given: where the body ends is ambiguous.");
  }
  if (content_length_ > limits_->body_bytes_max) return FailBodyBytes();
  has_head_ = true;
  keep_alive_ = !has_close_ && (minor_version_ == 1 || has_keep_alive_);
  body_begin_ = read_ = line_begin_;
  stage_ = is_chunked_ ? Stage::kChunkSize : Stage::kSizedBody;
  return true;
}

bool Parser::FailBodyBytes() {
  return Fail(413, fmt::format("The body has more than body_bytes_max = {} bytes.",
                               limits_->body_bytes_max));
}

bool Parser::StepSizedBody(size_t size) {
  const auto length = static_cast<size_t>(content_length_);
  body_size_ = std::min(length, size - body_begin_);
  bytes_missing_ = length - body_size_;
  if (bytes_missing_ > 0) return false;
  consumed_ = body_begin_ + body_size_;
  stage_ = Stage::kDone;
  return false;
}

bool Parser::StepChunkSize(char* data, size_t size) {
  switch (TakeLine(data, size, kChunkLineBytesMax)) {
    case Line::kIncomplete:
    case Line::kFailed:
      return false;
    case Line::kTooLong:
      return Fail(400,
                  fmt::format("A chunk size line has more than {} bytes.", kChunkLineBytesMax));
    case Line::kComplete:
      break;
  }
  read_ = line_begin_;
  return ReadChunkSize(line_);
}

bool Parser::ReadChunkSize(std::string_view line) {
  size_t digits = 0;
  size_t bytes = 0;
  while (digits < line.size() && HexDigit(line[digits]) >= 0) {
    if (digits == kChunkSizeDigitsMax) return Fail(400, "A chunk size has too many digits.");
    bytes = bytes * 16 + static_cast<size_t>(HexDigit(line[digits++]));
  }
  const std::string_view extension = TrimWhiteSpace(line.substr(digits));
  if (digits == 0 || (digits < line.size() && !extension.starts_with(';')) ||
      !IsFieldValue(extension)) {
    return Fail(400, "A chunk does not begin with its size in hexadecimal digits.");
  }
  chunk_excess_ += line.size() + 2;
  chunk_excess_ -= std::min(chunk_excess_, kChunkExcessBytesFree + 2 * bytes);
  if (chunk_excess_ > kChunkExcessBytesMax)
    return Fail(400, "The chunks have far more framing than data.");
  if (bytes > limits_->body_bytes_max - body_size_) return FailBodyBytes();
  if (bytes == 0) headers_begin_ = line_begin_;
  chunk_left_ = bytes;
  stage_ = bytes == 0 ? Stage::kTrailers : Stage::kChunkData;
  return true;
}

bool Parser::StepChunkData(char* data, size_t size) {
  const size_t here = std::min(chunk_left_, size - read_);
  std::memmove(data + body_begin_ + body_size_, data + read_, here);
  body_size_ += here;
  read_ += here;
  chunk_left_ -= here;
  bytes_missing_ = chunk_left_;
  if (chunk_left_ > 0) return false;
  stage_ = Stage::kChunkEnd;
  return true;
}

bool Parser::StepChunkEnd(const char* data, size_t size) {
  constexpr std::string_view kEnd = "\r\n";
  const std::string_view end(data + read_, std::min(kEnd.size(), size - read_));
  if (!kEnd.starts_with(end))
    return Fail(400, "A chunk's data is not followed by CRLF: its size is wrong.");
  if (end.size() < kEnd.size()) return false;
  read_ += kEnd.size();
  line_begin_ = scanned_ = read_;
  stage_ = Stage::kChunkSize;
  return true;
}

// Trailers are checked like headers and dropped: nothing here needs one.
bool Parser::StepTrailers(const char* data, size_t size) {
  switch (TakeLine(data, size, HeaderBytesLeft())) {
    case Line::kIncomplete:
    case Line::kFailed:
      return false;
    case Line::kTooLong:
      return FailHeaderBytes();
    case Line::kComplete:
      break;
  }
  if (!line_.empty()) return ReadHeaderLine(data, line_);
  consumed_ = line_begin_;
  stage_ = Stage::kDone;
  return false;
}

// Moves what has not been read yet down behind the body, so that framing does not fill the buffer.
void Parser::CloseGap(char* data, size_t& size) {
  const size_t keep = stage_ == Stage::kTrailers ? headers_begin_ : read_;
  const size_t gap = keep - (body_begin_ + body_size_);
  if (gap == 0) return;
  std::memmove(data + keep - gap, data + keep, size - keep);
  size -= gap;
  read_ -= gap;
  if (stage_ == Stage::kTrailers) headers_begin_ -= gap;
  if (stage_ == Stage::kChunkSize || stage_ == Stage::kTrailers) {
    line_begin_ -= gap;
    scanned_ -= gap;
  }
}

void Parser::EndRequest(char* data) {
  const auto view = [data](Span span) { return std::string_view(data + span.begin, span.size); };
  request_.method = view(method_);
  request_.target = view(target_);
  request_.path = path_.size == 0 ? std::string_view("/") : view(path_);
  request_.query = view(query_);
  request_.body = {data + body_begin_, body_size_};
  request_.minor_version = minor_version_;
  request_.base_ = data;
  request_.fields_ = fields_;
}

}  // namespace penstock::http
