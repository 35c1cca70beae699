// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// The one command tree of Penstock. The console script of a Python environment and the program
// `penstock` run the same code; they differ in who can open a Python model.
namespace penstock::cli {

// What `penstock register` was asked for.
struct RegisterArguments {
  std::string model;  // path of a joblib file
  std::string name;
  std::string examples;           // path of a CSV file
  std::string target;             // its target column; empty: there is none
  std::vector<std::string> text;  // columns of the CSV file that are text, whatever they look like
  std::string engine;             // "own", "onnxruntime", or empty: the first that passes
  bool is_json = false;
};

// What `penstock train` was asked for. Values are "name=value", as they were written.
struct TrainArguments {
  std::string app;                   // "module:variable"
  std::vector<std::string> set;      // hyperparameters
  std::vector<std::string> param;    // of the reader
  std::vector<std::string> split;    // of the splitter
  std::vector<std::string> trainer;  // of the trainer
  std::string name;                  // to register under; empty: the model's
  bool registers = true;
  bool is_json = false;
};

// What `penstock check` was asked for.
struct CheckArguments {
  std::string app;               // "module:variable"
  std::vector<std::string> set;  // as for TrainArguments
  std::vector<std::string> param;
  std::vector<std::string> split;
  std::vector<std::string> trainer;
  std::string against;                // a version; empty: the newest of the model's name
  bool is_native = false;             // whether a version that needs Python fails
  std::vector<std::string> examples;  // paths of JSON files
  bool is_json = false;
};

// The commands that need the user's Python. Implemented in-process by the Python module, by exec in
// `penstock`.
class UserCode {
 public:
  virtual ~UserCode() = default;
  // Opens the model, which may run its code: the user named the file. Registers it and prints the
  // new version.
  virtual Status Register(const RegisterArguments& arguments) = 0;
  // Imports the app, trains, registers and prints the new version.
  virtual Status Train(const TrainArguments& arguments) = 0;
  // Imports the app, trains it aside and prints what changed; kFailedPrecondition when a check
  // fails.
  virtual Status Check(const CheckArguments& arguments) = 0;
};

// Where a command's words go. `out` gets what was asked for, `err` progress and errors.
class Terminal {
 public:
  virtual ~Terminal() = default;
  virtual void Out(std::string_view text) = 0;
  virtual void Err(std::string_view text) = 0;
  // OK while all that was asked for could be written, or nobody reads it any more.
  virtual Status written() const = 0;
  // Standard input and output of this process.
  static Terminal& Process();
};

// Runs the command that `arguments` (without the program's name) asks for, and returns the exit
// code. Errors are printed as "penstock: sentence". `serve` does not return when it succeeds: the
// process becomes penstock-server.
int Run(const std::vector<std::string>& arguments, UserCode& user_code,
        Terminal& terminal = Terminal::Process());

}  // namespace penstock::cli
