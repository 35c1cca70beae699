// SPDX-License-Identifier: Apache-2.0
#include "bindings/command_line.h"

#include <fmt/format.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <csignal>
#include <string>
#include <vector>

#include "bindings/errors.h"
#include "cli/cli.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

// A handler of SIGINT for as long as it lives.
class InterruptHandler {
 public:
  explicit InterruptHandler(PyOS_sighandler_t handler) : before_(PyOS_setsig(SIGINT, handler)) {}
  ~InterruptHandler() { PyOS_setsig(SIGINT, before_); }
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

  PyOS_sighandler_t before() const { return before_; }

 private:
  PyOS_sighandler_t before_;
};

// The commands that need the user's Python, by the object that the package gives.
class PythonUserCode : public cli::UserCode {
 public:
  PythonUserCode(nb::handle object, PyOS_sighandler_t python_interrupt)
      : object_(object), python_interrupt_(python_interrupt) {}

  Status Register(const cli::RegisterArguments& arguments) override {
    return Call("register", [&](const nb::object& method) {
      method("model"_a = arguments.model, "name"_a = arguments.name,
             "examples"_a = arguments.examples, "target"_a = arguments.target,
             "engine"_a = arguments.engine, "text"_a = arguments.text,
             "is_json"_a = arguments.is_json);
    });
  }

  Status Train(const cli::TrainArguments& arguments) override {
    return Call("train", [&](const nb::object& method) {
      method("app"_a = arguments.app, "set"_a = arguments.set, "param"_a = arguments.param,
             "split"_a = arguments.split, "trainer"_a = arguments.trainer,
             "name"_a = arguments.name, "registers"_a = arguments.registers,
             "is_json"_a = arguments.is_json);
    });
  }

  Status Check(const cli::CheckArguments& arguments) override {
    return Call("check", [&](const nb::object& method) {
      method("app"_a = arguments.app, "set"_a = arguments.set, "param"_a = arguments.param,
             "split"_a = arguments.split, "trainer"_a = arguments.trainer,
             "against"_a = arguments.against, "native"_a = arguments.is_native,
             "examples"_a = arguments.examples, "is_json"_a = arguments.is_json);
    });
  }

 private:
  template <typename F>
  Status Call(const char* name, F call) {
    if (object_.is_none()) {
      return FailedPrecondition(fmt::format(
          "'penstock {}' needs a Python environment; run it as the console script of one", name));
    }
    const nb::gil_scoped_acquire gil;
    const InterruptHandler handler(python_interrupt_);
    try {
      call(object_.attr(name));
      // What it printed must stand before what the command prints next.
      nb::module_::import_("sys").attr("stdout").attr("flush")();
      return {};
    } catch (const nb::python_error& error) {
      if (error.matches(PyExc_KeyboardInterrupt))
        return Status(Code::kCancelled,
                      "interrupted; 'penstock models list' shows whether it was registered");
      return FromPython(error);
    }
  }

  nb::handle object_;
  PyOS_sighandler_t python_interrupt_;
};

int Main(std::vector<std::string> argv, const nb::object& user_code) {
  if (!argv.empty()) argv.erase(argv.begin());
  // Nothing of the command line but a callback looks at Python's pending signals: Ctrl-C ends the
  // process, as it does in the program.
  const InterruptHandler handler(SIG_DFL);
  PythonUserCode code(user_code, handler.before());
  const nb::gil_scoped_release no_gil;
  return cli::Run(argv, code);
}

}  // namespace

void AddCommandLine(nb::module_& module) {
  module.def("cli_main", &Main, "argv"_a, "user_code"_a.none());
}

}  // namespace penstock::bindings
