// SPDX-License-Identifier: Apache-2.0
#include "bindings/runs.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bindings/errors.h"
#include "bindings/home.h"
#include "registry/runs.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

// A run of this process, for any of its threads.
class Run {
 public:
  explicit Run(registry::LiveRun run) : id_(run.id()), run_(std::move(run)) {}

  const std::string& id() const { return id_; }

  void Note(const std::string& name, const std::string& value_json) {
    const json::Value value = ValueOrRaise(json::Parse(value_json));
    Call([&] { return run_.Note(name, value); });
  }

  void Report(int64_t step, const std::string& metrics_json) {
    const json::Value metrics = ValueOrRaise(json::Parse(metrics_json));
    Call([&] { return run_.Report(step, metrics); });
  }

  void End(const std::string& status, const std::string& metrics_json, const std::string& reason,
           const std::string& traceback) {
    const registry::RunStatus how = ValueOrRaise(registry::RunStatusFromName(status));
    const json::Value metrics = ValueOrRaise(json::Parse(metrics_json));
    Call([&] { return run_.End(how, metrics, reason, traceback); });
  }

 private:
  // The registry may make a call wait for other processes.
  template <typename F>
  void Call(F call) {
    const Status status = [&] {
      const nb::gil_scoped_release no_gil;
      const std::lock_guard lock(mutex_);
      return call();
    }();
    RaiseUnlessOk(status);
  }

  const std::string id_;
  std::mutex mutex_;
  registry::LiveRun run_;
};

std::unique_ptr<Run> Begin(const std::string& model, const std::optional<std::string>& home,
                           const std::string& hyperparameters_json,
                           const std::string& origin_json) {
  const json::Value hyperparameters = ValueOrRaise(json::Parse(hyperparameters_json));
  const json::Value origin = ValueOrRaise(json::Parse(origin_json));
  const config::Home found = FindHome(home, config::MissingHome::kMake);
  Result<registry::LiveRun> run = [&] {
    const nb::gil_scoped_release no_gil;
    return registry::LiveRun::Begin(found.path, model, hyperparameters, origin);
  }();
  Announce(found);
  return std::make_unique<Run>(ValueOrRaise(std::move(run)));
}

// With what was reported, for one run.
Result<std::string> RunJson(const std::filesystem::path& home, const std::string& id) {
  registry::RunLog log = PENSTOCK_TRY(registry::RunLog::Open(home));
  const registry::Run run = PENSTOCK_TRY(log.Find(id));
  json::Array reports;
  for (const registry::RunReport& report : PENSTOCK_TRY(log.Reports(run.id)))
    reports.push_back(report.ToJson());
  json::Value told = run.ToJson();
  told.Set("reports", std::move(reports));
  return json::Write(told);
}

Result<std::vector<std::string>> RunsJson(const std::filesystem::path& home,
                                          const std::string& model, int64_t count_max) {
  registry::RunLog log = PENSTOCK_TRY(registry::RunLog::Open(home));
  std::vector<std::string> told;
  for (const registry::Run& run : PENSTOCK_TRY(log.List(model, count_max)))
    told.push_back(json::Write(run.ToJson()));
  return told;
}

}  // namespace

void AddRuns(nb::module_& module) {
  nb::class_<Run>(module, "Run")
      .def_prop_ro("id", [](const Run& run) { return run.id(); })
      .def("note", &Run::Note, "name"_a, "value_json"_a)
      .def("report", &Run::Report, "step"_a, "metrics_json"_a)
      .def("end", &Run::End, "status"_a, "metrics_json"_a, "reason"_a = "", "traceback"_a = "");
  module.def("begin_run", &Begin, nb::kw_only(), "model"_a, "home"_a.none(),
             "hyperparameters_json"_a, "origin_json"_a);
  module.def(
      "find_run",
      [](const std::string& id, const std::optional<std::string>& home) {
        const std::filesystem::path folder = FindHome(home, config::MissingHome::kRefuse).path;
        Result<std::string> run = [&] {
          const nb::gil_scoped_release no_gil;
          return RunJson(folder, id);
        }();
        return ValueOrRaise(std::move(run));
      },
      "id"_a, "home"_a.none());
  module.def(
      "runs",
      [](const std::string& model, int64_t count_max, const std::optional<std::string>& home) {
        const std::filesystem::path folder = FindHome(home, config::MissingHome::kRefuse).path;
        Result<std::vector<std::string>> runs = [&] {
          const nb::gil_scoped_release no_gil;
          return RunsJson(folder, model, count_max);
        }();
        return ValueOrRaise(std::move(runs));
      },
      "model"_a, "count_max"_a, "home"_a.none());
}

}  // namespace penstock::bindings
