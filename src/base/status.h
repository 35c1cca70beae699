// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace penstock {

// The canonical codes (google.rpc.Code); docs/reference/errors.md maps each to HTTP, exit code and
// Python class.
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "INVALID_ARGUMENT" and so on.
std::string_view CodeName(Code code);

// The outcome of a call: OK, or a code with one sentence that names the thing, the value, what was
// expected and the remedy. OK costs one null pointer. Copies share what they hold, which never
// changes; a value may be read from any thread.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message);

  // The same error with the JSON pointer (RFC 6901) of the value at fault in a request.
  Status At(std::string json_pointer) const;

  // The same error with "prefix: " before the message.
  Status Prefixed(std::string_view prefix) const;

  // An error of user code, which a language binding raises again as the same object.
  static Status FromException(std::exception_ptr exception, std::string message);

  bool ok() const { return rep_ == nullptr; }
  Code code() const { return ok() ? Code::kOk : rep_->code; }
  const std::string& message() const;
  // Empty unless the error stands at one place of a JSON document.
  const std::string& pointer() const;
  // Null unless user code raised it.
  std::exception_ptr exception() const { return ok() ? nullptr : rep_->exception; }

  // "INVALID_ARGUMENT: the message", or "OK".
  std::string ToString() const;

 private:
  struct Rep {
    Code code = Code::kUnknown;
    std::string message;
    std::string pointer;
    std::exception_ptr exception;
  };
  explicit Status(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  std::shared_ptr<const Rep> rep_;
};

Status InvalidArgument(std::string message);
Status NotFound(std::string message);
Status AlreadyExists(std::string message);
Status PermissionDenied(std::string message);
Status ResourceExhausted(std::string message);
Status FailedPrecondition(std::string message);
Status OutOfRange(std::string message);
Status Unimplemented(std::string message);
Status Internal(std::string message);
Status Unavailable(std::string message);
Status DataLoss(std::string message);

// The code that fits a failed system call, with "what: strerror(error)" as message. error is an
// errno value.
Status FromErrno(int error, std::string_view what);

}  // namespace penstock
