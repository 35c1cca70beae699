// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace penstock {

// A value, or the error that stands in its place. Reading the value of an error ends the process.
template <typename T>
class [[nodiscard]] Result {
 public:
  // `return value;` and `return error;` are the point:
  // NOLINTBEGIN(google-explicit-constructor)
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) { PENSTOCK_CHECK(!status_.ok()); }
  template <typename U>
    requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Status> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result>)
  Result(U&& value) : value_(std::forward<U>(value)) {}
  // NOLINTEND(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& operator*() & { return Checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->Checked(); }
  // By value, so that a loop over the value of a temporary keeps it.
  T operator*() && { return std::move(Checked()); }
  T* operator->() { return &Checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->Checked(); }

 private:
  T& Checked() {
    PENSTOCK_CHECK(value_.has_value());
    return *value_;
  }

  std::optional<T> value_;
  Status status_;
};

namespace internal {

inline Status TakeStatus(Status&& status) { return std::move(status); }
inline Status TakeStatus(const Status& status) { return status; }
template <typename T>
Status TakeStatus(const Result<T>& result) {
  return result.status();
}

inline void TakeValue(Status&&) {}
template <typename T>
T TakeValue(Result<T>&& result) {
  return *std::move(result);
}

}  // namespace internal
}  // namespace penstock

// The value of a Result, or nothing for a Status; on an error the enclosing function returns it.
//   Table table = PENSTOCK_TRY(Read(uri));
//   PENSTOCK_TRY(file.Sync());
#define PENSTOCK_TRY(...) \
  PENSTOCK_TRY_NAMED_(PENSTOCK_CONCAT_(penstock_try_, __COUNTER__), __VA_ARGS__)
#define PENSTOCK_CONCAT_(a, b) PENSTOCK_CONCAT_EXPANDED_(a, b)
#define PENSTOCK_CONCAT_EXPANDED_(a, b) a##b
#define PENSTOCK_TRY_NAMED_(name, ...)                          \
  __extension__({                                               \
    auto name = (__VA_ARGS__);                                  \
    if (!name.ok()) [[unlikely]] {                              \
      return ::penstock::internal::TakeStatus(std::move(name)); \
    }                                                           \
    ::penstock::internal::TakeValue(std::move(name));           \
  })
