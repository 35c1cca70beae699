// SPDX-License-Identifier: Apache-2.0
#include "data/duckdb_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/names.h"
#include "os/executable.h"
#include "os/shared_library.h"

namespace penstock::data {
namespace {

constexpr std::string_view kLibraryName = "libduckdb.so";

std::vector<std::string> Places() {
  if (const char* path = std::getenv("PENSTOCK_DUCKDB"); path != nullptr && *path != '\0')
    return {path};
  const std::filesystem::path folder = os::DirectoryOfThisBinary();
  return {(folder / kLibraryName).string(), (folder.parent_path() / "lib" / kLibraryName).string()};
}

Status NotFoundAnywhere(const std::vector<std::string>& places, std::string_view why) {
  return FailedPrecondition(
      fmt::format("files are read by DuckDB, which is not at {}{}{}; install Penstock with its "
                  "libraries, or set PENSTOCK_DUCKDB to the path of a {} of version 1.5",
                  QuotedList(places), why.empty() ? "" : ": ", why, kLibraryName));
}

}  // namespace

Result<std::shared_ptr<const DuckdbLibrary>> DuckdbLibrary::Open() {
  const std::vector<std::string> places = Places();
  void* handle = nullptr;
  std::string why;
  for (const std::string& place : places) {
    handle = dlopen(place.c_str(), os::kOpenApart);
    if (handle != nullptr) break;
    const char* error = dlerror();
    std::error_code ignored;
    // That a file is not there is said already.
    if (std::filesystem::exists(place, ignored)) why = error == nullptr ? "" : error;
  }
  if (handle == nullptr) return NotFoundAnywhere(places, why);
  auto library = std::make_shared<DuckdbLibrary>();
  const char* missing = nullptr;
#define PENSTOCK_LOAD(name)                                                                  \
  library->name = reinterpret_cast<decltype(library->name)>(dlsym(handle, "duckdb_" #name)); \
  if (library->name == nullptr) missing = "duckdb_" #name;
  PENSTOCK_DUCKDB_FUNCTIONS(PENSTOCK_LOAD)
#undef PENSTOCK_LOAD
  if (missing != nullptr)
    return NotFoundAnywhere(places, fmt::format("the library has no {}", missing));
  return std::shared_ptr<const DuckdbLibrary>(std::move(library));
}

}  // namespace penstock::data
