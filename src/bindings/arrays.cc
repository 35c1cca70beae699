// SPDX-License-Identifier: Apache-2.0
#include "bindings/arrays.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <string_view>

#include "bindings/errors.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

[[noreturn]] void RaiseNoArray(const std::string& what, nb::handle array) {
  const nb::str type = nb::str(array.type().attr("__name__"));
  Raise(InvalidArgument(fmt::format(
      "{} is of type {}; an array of numbers or booleans was expected", what, type.c_str())));
}

}  // namespace

ArrayView::ArrayView(nb::handle array, const std::string& what) : what_(what) {
  if (PyObject_GetBuffer(array.ptr(), &buffer_, PyBUF_STRIDES | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    RaiseNoArray(what, array);
  }
  std::string_view format = buffer_.format == nullptr ? "B" : buffer_.format;
  if (!format.empty() && (format[0] == '@' || format[0] == '=' || format[0] == '<'))
    format.remove_prefix(1);
  const char code = format.size() == 1 ? format[0] : '\0';
  const size_t bytes = item_bytes();
  if (code == '?') {
    kind_ = Kind::kBool;
  } else if (std::string_view("bhilqn").find(code) != std::string_view::npos && code != '\0') {
    kind_ = Kind::kSigned;
  } else if (std::string_view("BHILQN").find(code) != std::string_view::npos && code != '\0') {
    kind_ = Kind::kUnsigned;
  } else if ((code == 'd' && bytes == 8) || (code == 'f' && bytes == 4)) {
    kind_ = Kind::kFloat;
  } else {
    PyBuffer_Release(&buffer_);
    RaiseNoArray(fmt::format("{} (element format '{}')", what, format), array);
  }
}

template <typename T, typename F>
void ArrayView::Visit(F&& f) const {
  const auto* base = static_cast<const char*>(buffer_.buf);
  if (buffer_.ndim == 0) return f(*reinterpret_cast<const T*>(base));
  std::vector<Py_ssize_t> index(static_cast<size_t>(buffer_.ndim));
  const int last = buffer_.ndim - 1;
  for (int64_t left = count(); left > 0; left -= size(last)) {
    const char* row = base;
    for (int d = 0; d < last; ++d) row += index[static_cast<size_t>(d)] * buffer_.strides[d];
    for (int64_t i = 0; i < size(last); ++i) {
      T value;
      std::memcpy(&value, row + i * buffer_.strides[last],
                  sizeof(T));  // elements need not be aligned
      f(value);
    }
    for (int d = last - 1; d >= 0 && ++index[static_cast<size_t>(d)] == buffer_.shape[d]; --d) {
      index[static_cast<size_t>(d)] = 0;
    }
  }
}

template <typename F>
void ArrayView::VisitAll(F&& f) const {
  const size_t bytes = item_bytes();
  if (kind_ == Kind::kFloat) return bytes == 8 ? Visit<double>(f) : Visit<float>(f);
  if (kind_ == Kind::kBool) return Visit<uint8_t>(f);
  if (kind_ == Kind::kSigned) {
    if (bytes == 8) return Visit<int64_t>(f);
    if (bytes == 4) return Visit<int32_t>(f);
    return bytes == 2 ? Visit<int16_t>(f) : Visit<int8_t>(f);
  }
  if (bytes == 8) return Visit<uint64_t>(f);
  if (bytes == 4) return Visit<uint32_t>(f);
  return bytes == 2 ? Visit<uint16_t>(f) : Visit<uint8_t>(f);
}

std::vector<double> ArrayView::Doubles() const {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(count()));
  VisitAll([&](auto value) { values.push_back(static_cast<double>(value)); });
  return values;
}

std::vector<int64_t> ArrayView::Integers() const {
  std::vector<int64_t> values;
  values.reserve(static_cast<size_t>(count()));
  uint64_t too_large = 0;
  VisitAll([&](auto value) {
    if constexpr (std::is_same_v<decltype(value), uint64_t>) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) too_large = value;
    }
    values.push_back(static_cast<int64_t>(value));
  });
  if (too_large == 0) return values;
  Raise(InvalidArgument(
      fmt::format("{} holds {}; integers up to 2^63 - 1 were expected", what_, too_large)));
}

std::string ArrayView::Bytes() const {
  std::string bytes;
  bytes.reserve(static_cast<size_t>(buffer_.len));
  VisitAll([&](auto value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof(value)); });
  return bytes;
}

}  // namespace penstock::bindings
