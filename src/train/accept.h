// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "json/value.h"
#include "package/package.h"
#include "train/parity.h"

namespace penstock::train {

// In a package whose original workers run: the manifest that it would have with a native form that
// differed from the original on few rows. The form's own file lies beside it.
inline constexpr std::string_view kOfferedFile = "offered.json";
// In a package whose native form was accepted: the acceptance.
inline constexpr std::string_view kAcceptedFile = "accepted.json";
inline constexpr size_t kBecauseBytesMax = 1000;

// Keeps a form that is offered (CandidateReport::is_offered) beside the Python form in `draft`,
// whose engines are complete.
void KeepOffered(const CandidateReport& report, const std::string& bytes, package::Draft& draft);

// What somebody decided about a native form that differs.
struct Acceptance {
  double share_max = 0;  // of rows that may differ; the 95 % upper bound is held against it
  std::string because;   // why that is good enough
  std::string actor;
  int64_t at_us = 0;   // since 1970-01-01 UTC
  std::string origin;  // the version it was offered in: "churn@3"
};

// The same package with the offered form as its first engine, the original behind it, and the
// acceptance. `accepted` gets what stands in kAcceptedFile. kFailedPrecondition: nothing was
// offered, or more rows may differ than the acceptance allows; kInvalidArgument: a share outside
// (0, kOfferedShareMax], or no reason.
Result<package::Draft> Accept(const package::Package& package, const Acceptance& acceptance,
                              json::Value& accepted);

}  // namespace penstock::train
