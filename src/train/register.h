// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "package/package.h"
#include "train/original.h"
#include "train/parity.h"

namespace penstock::train {

inline constexpr int64_t kExamplesMax = 5;

// A model as Python workers run it.
struct PythonForm {
  json::Value options;  // of the engine's entry
  // Paths in the package and their bytes; the first is the pickled model.
  std::vector<std::pair<std::string, std::string>> files;
};

// A fitted model as it is handed over.
struct Submission {
  package::Signature signature;
  std::vector<Candidate> candidates;  // in order of preference
  Columns rows;                       // all rows at hand
  // Makes the pickled model, which may be large: called only when no candidate passes. An error
  // tells why it cannot be made. The bytes are kept, never opened.
  std::function<Result<PythonForm>()> python_form;
  std::string native_hint;  // one sentence: what would make the model native
};

// A package ready for the registry, and the evidence in it.
struct BuiltPackage {
  package::Draft draft;
  ParityReport report;
};

// Checks parity and makes the package: the first engine that passed with its file, or the Python
// form; parity.json; examples.json with up to kExamplesMax rows and the original's
// answers. Errors as CheckParity's; kInvalidArgument when nothing passed and there is no Python
// form.
Result<BuiltPackage> BuildPackage(Submission submission, Original& original,
                                  const ParityOptions& options = {});

}  // namespace penstock::train
