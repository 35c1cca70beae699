// SPDX-License-Identifier: Apache-2.0
#include "bindings/errors.h"

#include <array>
#include <exception>
#include <string>

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

struct ErrorClass {
  Code code;
  const char* name;
  PyObject** natural;  // Python's own class of the kind, which `except` may name too; null: none
};

// As docs/reference/errors.md has it.
const std::array<ErrorClass, 16> kClasses = {{
    {Code::kCancelled, "CancelledError", nullptr},
    {Code::kUnknown, "UnknownError", nullptr},
    {Code::kInvalidArgument, "InvalidArgumentError", &PyExc_ValueError},
    {Code::kDeadlineExceeded, "DeadlineExceededError", &PyExc_TimeoutError},
    {Code::kNotFound, "NotFoundError", &PyExc_LookupError},
    {Code::kAlreadyExists, "AlreadyExistsError", nullptr},
    {Code::kPermissionDenied, "PermissionDeniedError", &PyExc_PermissionError},
    {Code::kResourceExhausted, "ResourceExhaustedError", nullptr},
    {Code::kFailedPrecondition, "FailedPreconditionError", &PyExc_RuntimeError},
    {Code::kAborted, "AbortedError", nullptr},
    {Code::kOutOfRange, "OutOfRangeError", &PyExc_IndexError},
    {Code::kUnimplemented, "UnimplementedError", &PyExc_NotImplementedError},
    {Code::kInternal, "InternalError", nullptr},
    {Code::kUnavailable, "UnavailableError", &PyExc_ConnectionError},
    {Code::kDataLoss, "DataLossError", nullptr},
    {Code::kUnauthenticated, "UnauthenticatedError", nullptr},
}};

// Live as long as the module, which Python never unloads. By code.
std::array<PyObject*, 17> python_classes{};
PyObject* base_class = nullptr;

std::string Text(nb::handle object) {
  PyObject* text = PyObject_Str(object.ptr());
  if (text == nullptr) {
    PyErr_Clear();
    return "an exception without a text";
  }
  return nb::cast<std::string>(nb::steal(text));
}

std::string TypeNameOf(const nb::python_error& error) {
  return Text(error.type().attr("__name__"));
}

Code CodeOf(const nb::python_error& error) {
  for (const ErrorClass& error_class : kClasses) {
    if (error.matches(python_classes[static_cast<size_t>(error_class.code)]))
      return error_class.code;
  }
  return Code::kUnknown;
}

}  // namespace

void AddErrors(nb::module_& module) {
  base_class = PyErr_NewExceptionWithDoc(
      "penstock.PenstockError",
      "Whatever Penstock refuses or fails at. The message is one sentence with the "
      "remedy; `code` is the canonical code, as in \"INVALID_ARGUMENT\".",
      PyExc_Exception, nullptr);
  if (base_class == nullptr) throw nb::python_error();
  nb::handle(base_class).attr("code") = "UNKNOWN";
  module.attr("PenstockError") = nb::handle(base_class);
  for (const ErrorClass& error_class : kClasses) {
    const nb::tuple bases =
        error_class.natural == nullptr
            ? nb::make_tuple(nb::handle(base_class))
            : nb::make_tuple(nb::handle(base_class), nb::handle(*error_class.natural));
    const std::string name = std::string("penstock.") + error_class.name;
    PyObject* made = PyErr_NewException(name.c_str(), bases.ptr(), nullptr);
    if (made == nullptr) throw nb::python_error();
    const std::string_view code = CodeName(error_class.code);
    nb::handle(made).attr("code") = nb::str(code.data(), code.size());
    module.attr(error_class.name) = nb::handle(made);
    python_classes[static_cast<size_t>(error_class.code)] = made;
  }
}

Status FromPython(const nb::python_error& error) {
  if (error.matches(base_class)) return Status(CodeOf(error), Text(error.value()));
  return Status::FromException(std::make_exception_ptr(error),
                               TypeNameOf(error) + ": " + Text(error.value()));
}

bool IsInterrupt(const nb::python_error& error) {
  return !error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError);
}

void Raise(const Status& status) {
  if (status.exception() != nullptr) {
    try {
      std::rethrow_exception(status.exception());
    } catch (const nb::python_error& error) {
      throw nb::python_error(
          error);  // a copy: raising uses the object up, and the status may be shared
    }
  }
  // File names may hold any bytes.
  const std::string& message = status.message();
  const nb::object text = nb::steal(
      PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace"));
  if (text.is_valid())
    PyErr_SetObject(python_classes[static_cast<size_t>(status.code())], text.ptr());
  throw nb::python_error();
}

}  // namespace penstock::bindings
