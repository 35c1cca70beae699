// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"

namespace penstock::engine {

// The Python that a package was made with, from the options of its engine entry.
struct RecordedInterpreter {
  std::string path;            // a hint: another host may have it elsewhere
  std::string version;         // "3.11.2"
  std::string implementation;  // "cpython"

  static Result<RecordedInterpreter> FromJson(const json::Value& options);
};

// The interpreter that workers run: `named` where it is not empty, else the recorded path.
// kFailedPrecondition where there is none or it is of another minor version or implementation:
// pickled objects and their packages belong to one.
Result<std::filesystem::path> FindInterpreter(const RecordedInterpreter& recorded,
                                              const std::string& named);

// Whether a variable of the environment may hold a credential, by its name or as a URL with a
// password: workers, and the interpreter that is asked, run code of others and are not given it.
bool IsCredential(std::string_view name, std::string_view value);

}  // namespace penstock::engine
