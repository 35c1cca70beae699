// SPDX-License-Identifier: Apache-2.0
#include "bindings/reading.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <memory>
#include <optional>
#include <string>

#include "bindings/errors.h"
#include "bindings/signals.h"
#include "data/source.h"
#include "table/gather.h"
#include "table/stream.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

constexpr const char* kCapsuleName = "arrow_array_stream";  // of the Arrow PyCapsule interface

// Rows on their way, which can be taken once.
class Table {
 public:
  explicit Table(table::TableStream stream)
      : stream_(std::move(stream)), outcome_(stream_->outcome()) {}

  // Makes Take give all rows in one batch.
  void Gather() {
    CheckNotTaken();
    stream_ = table::Gather(std::move(*stream_));
    outcome_ = stream_->outcome();
  }

  nb::object Take() {
    CheckNotTaken();
    auto stream = std::make_unique<ArrowArrayStream>();
    std::move(*stream_).Export(stream.get());
    stream_.reset();
    PyObject* capsule = PyCapsule_New(stream.get(), kCapsuleName, &Release);
    if (capsule == nullptr) {
      stream->release(stream.get());
      throw nb::python_error();
    }
    static_cast<void>(stream.release());  // the capsule's now
    return nb::steal(capsule);
  }

  // Raises what ended the stream, which Arrow's interface passes on as a text only.
  void Check() const { RaiseUnlessOk(outcome_->status()); }

 private:
  void CheckNotTaken() const {
    if (stream_) return;
    Raise(FailedPrecondition(
        "these rows were taken already, they come once; keep the table that was made of them, "
        "or read the source again"));
  }

  static void Release(PyObject* capsule) {
    auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule, kCapsuleName));
    if (stream == nullptr) return;
    if (stream->release != nullptr) {
      // Ends the reading thread or process: other threads need not wait for that.
      const nb::gil_scoped_release no_gil;
      stream->release(stream);
    }
    delete stream;
  }

  std::optional<table::TableStream> stream_;
  std::shared_ptr<const table::StreamOutcome> outcome_;
};

}  // namespace

void AddReading(nb::module_& module) {
  nb::class_<Table>(module, "Table")
      .def(
          "__arrow_c_stream__", [](Table& table, const nb::object&) { return table.Take(); },
          "requested_schema"_a = nb::none())
      .def("gather", &Table::Gather)
      .def("check", &Table::Check);
  module.def(
      "read",
      [](const std::string& uri) {
        auto signals = std::make_shared<Signals>();
        auto stream = [&] {
          const nb::gil_scoped_release no_gil;
          return data::Read(uri, {.poll = [signals] { return signals->Poll(); }});
        }();
        return std::make_unique<Table>(ValueOrRaise(std::move(stream)));
      },
      "uri"_a);
}

}  // namespace penstock::bindings
