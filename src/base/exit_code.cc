// SPDX-License-Identifier: Apache-2.0
#include "base/exit_code.h"

namespace penstock {

int ExitCode(Code code) {
  switch (code) {
    case Code::kOk:
      return 0;
    case Code::kUnknown:
      return 1;
    case Code::kInvalidArgument:
      return 2;
    case Code::kNotFound:
      return 3;
    case Code::kAlreadyExists:
      return 4;
    case Code::kPermissionDenied:
      return 5;
    case Code::kResourceExhausted:
      return 6;
    case Code::kFailedPrecondition:
      return 7;
    case Code::kUnimplemented:
      return 8;
    case Code::kUnavailable:
      return 9;
    case Code::kDataLoss:
      return 10;
    case Code::kDeadlineExceeded:
      return 11;
    case Code::kAborted:
      return 12;
    case Code::kOutOfRange:
      return 13;
    case Code::kUnauthenticated:
      return 14;
    case Code::kInternal:
      return 70;  // EX_SOFTWARE of sysexits.h
    case Code::kCancelled:
      return 130;  // what a shell gives a command that SIGINT ended
  }
  return 1;
}

}  // namespace penstock
