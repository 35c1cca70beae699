// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace penstock {
namespace {

constexpr std::array<std::string_view, 17> kNames = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const std::string kNone;

Code CodeOfErrno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EFBIG:
      return Code::kResourceExhausted;
    case EINVAL:
    case ENAMETOOLONG:
    case EISDIR:
      return Code::kInvalidArgument;
    case EAGAIN:
    case EBUSY:
    case ECONNREFUSED:
    case ECONNRESET:
    case EADDRINUSE:
      return Code::kUnavailable;
    case EIO:
      return Code::kDataLoss;
    default:
      return Code::kUnknown;
  }
}

}  // namespace

std::string_view CodeName(Code code) { return kNames.at(static_cast<size_t>(code)); }

Status::Status(Code code, std::string message)
    : rep_(std::make_shared<const Rep>(Rep{.code = code, .message = std::move(message)})) {
  PENSTOCK_CHECK(code != Code::kOk);
}

Status Status::At(std::string json_pointer) const {
  PENSTOCK_CHECK(!ok());
  Rep rep = *rep_;
  rep.pointer = std::move(json_pointer);
  return Status(std::make_shared<const Rep>(std::move(rep)));
}

Status Status::Prefixed(std::string_view prefix) const {
  PENSTOCK_CHECK(!ok());
  Rep rep = *rep_;
  rep.message = fmt::format("{}: {}", prefix, rep.message);
  return Status(std::make_shared<const Rep>(std::move(rep)));
}

Status Status::FromException(std::exception_ptr exception, std::string message) {
  PENSTOCK_CHECK(exception != nullptr);
  return Status(std::make_shared<const Rep>(Rep{
      .code = Code::kUnknown, .message = std::move(message), .exception = std::move(exception)}));
}

const std::string& Status::message() const { return ok() ? kNone : rep_->message; }

const std::string& Status::pointer() const { return ok() ? kNone : rep_->pointer; }

std::string Status::ToString() const {
  return ok() ? "OK" : fmt::format("{}: {}", CodeName(code()), message());
}

Status InvalidArgument(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }
Status NotFound(std::string message) { return {Code::kNotFound, std::move(message)}; }
Status AlreadyExists(std::string message) { return {Code::kAlreadyExists, std::move(message)}; }
Status PermissionDenied(std::string message) {
  return {Code::kPermissionDenied, std::move(message)};
}
Status ResourceExhausted(std::string message) {
  return {Code::kResourceExhausted, std::move(message)};
}
Status FailedPrecondition(std::string message) {
  return {Code::kFailedPrecondition, std::move(message)};
}
Status OutOfRange(std::string message) { return {Code::kOutOfRange, std::move(message)}; }
Status Unimplemented(std::string message) { return {Code::kUnimplemented, std::move(message)}; }
Status Internal(std::string message) { return {Code::kInternal, std::move(message)}; }
Status Unavailable(std::string message) { return {Code::kUnavailable, std::move(message)}; }
Status DataLoss(std::string message) { return {Code::kDataLoss, std::move(message)}; }

Status FromErrno(int error, std::string_view what) {
  return {CodeOfErrno(error), fmt::format("{}: {}", what, std::strerror(error))};
}

}  // namespace penstock
