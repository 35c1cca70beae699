// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock::bindings {

// The memory of an array, borrowed through Python's buffer protocol: read-only and strided arrays
// are taken as they are. Made, used and destroyed with the GIL held.
class ArrayView {
 public:
  // Throws (InvalidArgumentError, with `what` in the message) for what is no array of numbers or
  // booleans.
  ArrayView(nanobind::handle array, const std::string& what);
  ~ArrayView() { PyBuffer_Release(&buffer_); }
  ArrayView(const ArrayView&) = delete;
  ArrayView& operator=(const ArrayView&) = delete;

  int dimensions() const { return buffer_.ndim; }
  int64_t size(int dimension) const { return static_cast<int64_t>(buffer_.shape[dimension]); }
  int64_t count() const { return static_cast<int64_t>(buffer_.len / buffer_.itemsize); }
  size_t item_bytes() const { return static_cast<size_t>(buffer_.itemsize); }
  bool is_bool() const { return kind_ == Kind::kBool; }
  bool is_float() const { return kind_ == Kind::kFloat; }
  bool is_signed() const { return kind_ == Kind::kSigned; }

  // All elements in row-major order. Integers() throws where one does not fit int64.
  std::vector<double> Doubles() const;
  std::vector<int64_t> Integers() const;
  std::string Bytes() const;

 private:
  enum class Kind { kBool, kSigned, kUnsigned, kFloat };

  template <typename T, typename F>
  void Visit(F&& f) const;
  template <typename F>
  void VisitAll(F&& f) const;  // f(value) with the element's own type

  Py_buffer buffer_{};
  Kind kind_ = Kind::kFloat;
  std::string what_;
};

// A NumPy array that owns the vector's memory: nothing is copied. `shape` must multiply to the
// vector's size.
template <typename T>
nanobind::object ToNumPy(std::vector<T> values, std::vector<size_t> shape) {
  auto kept = std::make_unique<std::vector<T>>(std::move(values));
  T* data = kept->data();
  const nanobind::capsule owner(kept.release(),
                                [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nanobind::cast(
      nanobind::ndarray<nanobind::numpy, T>(data, shape.size(), shape.data(), owner));
}

}  // namespace penstock::bindings
