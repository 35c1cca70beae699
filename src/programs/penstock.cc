// SPDX-License-Identifier: Apache-2.0
// The command line without Python. What needs the user's Python is handed to `python -m penstock`.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "cli/python.h"

namespace {

using penstock::Status;

// Runs the same command line in Python: this process becomes it.
class OtherProcess final : public penstock::cli::UserCode {
 public:
  explicit OtherProcess(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  Status Register(const penstock::cli::RegisterArguments&) override { return Become(); }
  Status Train(const penstock::cli::TrainArguments&) override { return Become(); }
  Status Check(const penstock::cli::CheckArguments&) override { return Become(); }

 private:
  Status Become() {
    const std::string python = penstock::cli::FindPython(".");
    std::vector<std::string> words = {python, "-m", "penstock"};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    return penstock::FromErrno(errno, fmt::format("this command needs Python, and '{}' cannot be "
                                                  "run; set PENSTOCK_PYTHON to the Python that "
                                                  "has the model's packages and penstock",
                                                  python));
  }

  std::vector<std::string> arguments_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  OtherProcess user_code(arguments);
  return penstock::cli::Run(arguments, user_code);
}
