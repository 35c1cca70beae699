// SPDX-License-Identifier: Apache-2.0
#include "engine/onnxruntime_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/names.h"
#include "os/executable.h"
#include "os/shared_library.h"

namespace penstock::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLibraryName = "libonnxruntime.so.1";

std::vector<std::string> Places(const std::string& path) {
  if (!path.empty()) return {path};
  if (const char* variable = std::getenv("PENSTOCK_ONNXRUNTIME");
      variable != nullptr && *variable != '\0') {
    return {variable};
  }
  const fs::path directory = os::DirectoryOfThisBinary();
  return {(directory / kLibraryName).string(),
          (directory.parent_path() / "lib" / kLibraryName).string()};
}

Status NotFoundAnywhere(const std::vector<std::string>& places, std::string_view why) {
  return FailedPrecondition(
      fmt::format("the model needs ONNX Runtime, which is not at {}{}{}; install Penstock with its "
                  "libraries, or set "
                  "PENSTOCK_ONNXRUNTIME to the path of {}",
                  QuotedList(places), why.empty() ? "" : ": ", why, kLibraryName));
}

Result<void*> OpenAnywhere(const std::vector<std::string>& places) {
  std::string why;
  for (const std::string& place : places) {
    if (void* library = dlopen(place.c_str(), os::kOpenApart)) return library;
    const char* error = dlerror();
    std::error_code ignored;
    // That a file is not there is said already.
    if (fs::exists(place, ignored)) why = error == nullptr ? "" : error;
  }
  return NotFoundAnywhere(places, why);
}

// "1.32.0" -> 32; -1 where it does not look like that.
int MinorVersion(std::string_view version) {
  if (!version.starts_with("1.")) return -1;
  int minor = 0;
  for (const char c : version.substr(2)) {
    if (c < '0' || c > '9') break;
    minor = 10 * minor + (c - '0');
  }
  return minor;
}

// What ONNX Runtime logs as an error it also returns as a status.
void ORT_API_CALL IgnoreLog(void*, OrtLoggingLevel, const char*, const char*, const char*,
                            const char*) {}

}  // namespace

Result<std::shared_ptr<const OrtLibrary>> OrtLibrary::Open(const std::string& path) {
  const std::vector<std::string> places = Places(path);
  void* handle = PENSTOCK_TRY(OpenAnywhere(places));
  using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();
  const auto get_api_base = reinterpret_cast<GetApiBase>(dlsym(handle, "OrtGetApiBase"));
  if (get_api_base == nullptr) return NotFoundAnywhere(places, "the library has no OrtGetApiBase");
  const OrtApiBase* base = get_api_base();
  const char* version = base->GetVersionString();
  // GetApi of an older library complains on the terminal: ask for the version first.
  const OrtApi* api =
      MinorVersion(version) >= ORT_API_VERSION ? base->GetApi(ORT_API_VERSION) : nullptr;
  if (api == nullptr) {
    return FailedPrecondition(
        fmt::format("ONNX Runtime at {} is version {}; 1.{} or a later 1.x was expected",
                    QuotedList(places), version, ORT_API_VERSION));
  }
  std::shared_ptr<OrtLibrary> library(new OrtLibrary(api));
  PENSTOCK_TRY(
      library->Take(api->CreateEnvWithCustomLogger(IgnoreLog, nullptr, ORT_LOGGING_LEVEL_ERROR,
                                                   "penstock", &library->env_),
                    "ONNX Runtime did not start"));
  PENSTOCK_TRY(
      library->Take(api->DisableTelemetryEvents(library->env_), "ONNX Runtime did not start"));
  return std::shared_ptr<const OrtLibrary>(std::move(library));
}

OrtLibrary::~OrtLibrary() {
  if (env_ != nullptr) api_->ReleaseEnv(env_);
}

Status OrtLibrary::Take(OrtStatus* status, std::string_view what) const {
  if (status == nullptr) return {};
  std::string message = fmt::format("{}: {}", what, api_->GetErrorMessage(status));
  const OrtErrorCode code = api_->GetErrorCode(status);
  api_->ReleaseStatus(status);
  return code == ORT_INVALID_ARGUMENT ? InvalidArgument(std::move(message))
                                      : Internal(std::move(message));
}

}  // namespace penstock::engine
