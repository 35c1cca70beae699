// SPDX-License-Identifier: Apache-2.0
#include <nanobind/nanobind.h>

#include <string>

#include "base/version.h"
#include "bindings/command_line.h"
#include "bindings/errors.h"
#include "bindings/predictor.h"
#include "bindings/reading.h"
#include "bindings/registration.h"
#include "bindings/runs.h"
#include "os/executable.h"

// python/_penstock.pyi is the documentation of this module.
NB_MODULE(_penstock, module) {
  // Objects that live until the interpreter ends are the user's affair.
  nanobind::set_leak_warnings(false);
  module.attr("version") = penstock::kVersion;
  module.attr("binary_dir") = penstock::os::DirectoryOfThisBinary().string().c_str();
  penstock::bindings::AddErrors(module);
  penstock::bindings::AddRegistration(module);
  penstock::bindings::AddRuns(module);
  penstock::bindings::AddPredictor(module);
  penstock::bindings::AddReading(module);
  penstock::bindings::AddCommandLine(module);
}
