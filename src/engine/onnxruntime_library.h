// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::engine {

// libonnxruntime, opened while a model needs it, and ONNX Runtime's environment (one for the
// process, which ONNX Runtime itself counts the users of). It stays mapped after the last user: it
// cannot be unloaded safely. Immutable and thread-safe.
class OrtLibrary {
 public:
  // The library at `path`; if empty at PENSTOCK_ONNXRUNTIME; if that is not set beside this program
  // or module, then in
  // ../lib from there. kFailedPrecondition, with the places, when it is in none of them or too old.
  static Result<std::shared_ptr<const OrtLibrary>> Open(const std::string& path);

  OrtLibrary(const OrtLibrary&) = delete;
  OrtLibrary& operator=(const OrtLibrary&) = delete;
  ~OrtLibrary();

  const OrtApi& api() const { return *api_; }
  OrtEnv* env() const { return env_; }

  // Takes and releases an ONNX Runtime status. kInvalidArgument or kInternal, with what it says
  // after "what: ".
  Status Take(OrtStatus* status, std::string_view what) const;

 private:
  explicit OrtLibrary(const OrtApi* api) : api_(api) {}

  const OrtApi* api_;
  OrtEnv* env_ = nullptr;
};

// An ONNX Runtime object, released with the library's function for its type.
template <typename T>
class OrtHandle {
 public:
  using Release = void(ORT_API_CALL*)(T*);

  explicit OrtHandle(Release release) : release_(release) {}
  OrtHandle(OrtHandle&& other) noexcept : release_(other.release_), value_(other.value_) {
    other.value_ = nullptr;
  }
  OrtHandle& operator=(OrtHandle&& other) noexcept {
    std::swap(release_, other.release_);
    std::swap(value_, other.value_);
    return *this;
  }
  ~OrtHandle() {
    if (value_ != nullptr) release_(value_);
  }

  T* get() const { return value_; }
  // Where a creating function writes to; only for an empty handle.
  T** out() { return &value_; }

 private:
  Release release_;
  T* value_ = nullptr;
};

}  // namespace penstock::engine
