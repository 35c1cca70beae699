// SPDX-License-Identifier: Apache-2.0
#include "bindings/registration.h"

#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/columns.h"
#include "bindings/errors.h"
#include "bindings/home.h"
#include "bindings/signals.h"
#include "engine/own_format.h"
#include "engine/worker_interpreter.h"
#include "os/file_system.h"
#include "package/package.h"
#include "registry/registry.h"
#include "train/register.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

using Texts = std::vector<std::vector<std::string>>;

struct Version {
  registry::ModelVersion version;
  std::string signature_json;
  std::string parity_json;
  std::string path;
};

// A callable of Python as the model to hold native forms against. Used without the GIL; takes it
// for each call.
class PythonOriginal : public train::Original {
 public:
  PythonOriginal(const package::Signature& signature, nb::handle callable, Signals& signals)
      : signature_(signature), callable_(callable), signals_(signals) {}

  Result<engine::Predictions> Predict(const train::Columns& rows) override {
    const nb::gil_scoped_acquire gil;
    try {
      const nb::object answer = callable_(ToPython(rows));
      engine::Predictions predictions = ToPredictions(signature_, answer, rows.rows());
      model_ns_ = nb::len(answer) > 2 ? std::optional(nb::cast<int64_t>(answer[2])) : std::nullopt;
      return predictions;
    } catch (const nb::python_error& error) {
      Status status = FromPython(error);
      if (IsInterrupt(error)) signals_.Interrupt(status);
      return status;
    }
  }

  std::optional<int64_t> model_ns() const override { return model_ns_; }

 private:
  const package::Signature& signature_;
  nb::handle callable_;
  std::optional<int64_t> model_ns_;
  Signals& signals_;
};

json::Value ParseOrRaise(const std::string& text, std::string_view what) {
  auto value = json::Parse(text);
  if (!value.ok()) Raise(value.status().Prefixed(what));
  return *std::move(value);
}

package::EngineKind KindOf(const std::string& name) {
  for (const auto kind : {package::EngineKind::kOwn, package::EngineKind::kOnnxRuntime}) {
    if (package::EngineKindName(kind) == name) return kind;
  }
  Raise(
      InvalidArgument(fmt::format("'{}' is no engine; 'own' or 'onnxruntime' was expected", name)));
}

train::Candidate ToCandidate(const package::Signature& signature, nb::handle form) {
  train::Candidate candidate;
  package::EngineEntry& entry = candidate.entry;
  entry.kind = KindOf(nb::cast<std::string>(form["kind"]));
  entry.file = nb::cast<std::string>(form["file"]);
  entry.precision = ValueOrRaise(package::TypeFromName(nb::cast<std::string>(form["precision"])));
  entry.encoding = ValueOrRaise(package::Encoding::FromJson(
      ParseOrRaise(nb::cast<std::string>(form["encoding_json"]), "encoding_json"),
      signature.inputs.size()));
  entry.options = ParseOrRaise(nb::cast<std::string>(form["options_json"]), "options_json");
  const auto bytes = nb::cast<nb::bytes>(form["bytes"]);
  candidate.bytes.assign(bytes.c_str(), bytes.size());
  return candidate;
}

// What a callable of Python returns: a pair of JSON and files. Takes the GIL.
Result<train::PythonForm> PythonFormOf(nb::handle callable) {
  const nb::gil_scoped_acquire gil;
  try {
    const nb::object given = callable();
    train::PythonForm form;
    form.options = PENSTOCK_TRY(json::Parse(nb::cast<std::string>(given[0])));
    for (const nb::handle file : given[1]) {
      const auto bytes = nb::cast<nb::bytes>(file[1]);
      form.files.emplace_back(nb::cast<std::string>(file[0]),
                              std::string(bytes.c_str(), bytes.size()));
    }
    return form;
  } catch (const nb::python_error& error) {
    return FromPython(error);
  }
}

// Everything between the call and its return that needs no GIL.
Result<Version> BuildAndCommit(const std::string& name, const std::filesystem::path& home,
                               train::Submission submission, train::Original& original,
                               const json::Value& details, const std::string& run, Texts known,
                               Signals& signals) {
  // Before the work: what cannot be committed need not be checked.
  PENSTOCK_TRY(registry::CheckModelName(name));
  registry::Registry registry = PENSTOCK_TRY(registry::Registry::Open(home));
  const train::ParityOptions options{.poll = [&] { return signals.Poll(); },
                                     .known_strings = std::move(known)};
  train::BuiltPackage built =
      PENSTOCK_TRY(train::BuildPackage(std::move(submission), original, options));
  Version registered{.signature_json = json::Write(built.draft.manifest.signature.ToJson()),
                     .parity_json = json::Write(built.report.ToJson())};
  // The last moment at which Ctrl-C leaves nothing behind.
  PENSTOCK_TRY(signals.Look());
  registered.version = PENSTOCK_TRY(registry.Register(name, std::move(built.draft), details, run));
  return registered;
}

Version Register(const std::string& name, const std::optional<std::string>& home,
                 const std::string& signature_json, nb::iterable candidates, nb::iterable columns,
                 nb::callable original, nb::callable python_form, const std::string& native_hint,
                 const std::string& details_json, Texts known_texts, const std::string& run) {
  train::Submission submission;
  submission.signature =
      ValueOrRaise(package::Signature::FromJson(ParseOrRaise(signature_json, "signature_json")));
  for (const nb::handle form : candidates)
    submission.candidates.push_back(ToCandidate(submission.signature, form));
  submission.rows = ToColumns(submission.signature, columns);
  if (!known_texts.empty() && known_texts.size() != submission.signature.inputs.size()) {
    Raise(InvalidArgument(fmt::format("known_texts is given for {} columns; {} were expected",
                                      known_texts.size(), submission.signature.inputs.size())));
  }
  submission.python_form = [&] { return PythonFormOf(python_form); };
  submission.native_hint = native_hint;
  json::Value details = ParseOrRaise(details_json, "details_json");
  const config::Home found = FindHome(home, config::MissingHome::kMake);

  Signals signals;
  const package::Signature signature = submission.signature;
  PythonOriginal model(signature, original, signals);
  Result<Version> registered = [&] {
    const nb::gil_scoped_release no_gil;
    return BuildAndCommit(name, found.path, std::move(submission), model, details, run,
                          std::move(known_texts), signals);
  }();
  Announce(found);
  return ValueOrRaise(std::move(registered));
}

Result<Version> OpenVersion(const std::string& spec, const std::filesystem::path& home) {
  registry::Registry registry = PENSTOCK_TRY(registry::Registry::Open(home));
  Version opened{.version = PENSTOCK_TRY(registry.Resolve(spec))};
  const std::filesystem::path path = PENSTOCK_TRY(registry.Materialize(opened.version));
  const package::Package package =
      PENSTOCK_TRY(package::Package::Open(os::FileSystem::System(), path));
  opened.signature_json = json::Write(package.manifest().signature.ToJson());
  opened.parity_json = PENSTOCK_TRY(package.Read("parity.json"));
  opened.path = path.string();
  return opened;
}

Result<std::vector<Version>> ListModels(const std::filesystem::path& home) {
  registry::Registry registry = PENSTOCK_TRY(registry::Registry::Open(home));
  std::vector<Version> versions;
  for (registry::ModelVersion& version : PENSTOCK_TRY(registry.Models())) {
    versions.push_back({.version = std::move(version)});
  }
  return versions;
}

engine::ElementType ElementTypeOf(const ArrayView& view, const std::string& name) {
  const size_t bytes = view.item_bytes();
  if (view.is_float())
    return bytes == 8 ? engine::ElementType::kFloat64 : engine::ElementType::kFloat32;
  if (view.is_bool()) return engine::ElementType::kBool;
  if (view.is_signed() && bytes == 8) return engine::ElementType::kInt64;
  if (view.is_signed() && bytes == 4) return engine::ElementType::kInt32;
  if (!view.is_signed() && bytes == 1) return engine::ElementType::kUInt8;
  Raise(InvalidArgument(fmt::format(
      "array '{}' holds {} integers of {} bytes; float64, float32, int64, int32, uint8 or "
      "bool was expected",
      name, view.is_signed() ? "signed" : "unsigned", bytes)));
}

nb::bytes OwnEvaluator(const std::string& steps_json, const nb::dict& arrays) {
  std::vector<engine::OwnArray> own;
  std::vector<std::string> memory(nb::len(arrays));
  for (const auto [key, value] : arrays) {
    const auto name = nb::cast<std::string>(key);
    const ArrayView view(value, fmt::format("array '{}'", name));
    engine::OwnArray array{.name = name, .type = ElementTypeOf(view, name)};
    for (int d = 0; d < view.dimensions(); ++d) array.shape.push_back(view.size(d));
    std::string& bytes = memory[own.size()];
    bytes = view.Bytes();
    array.bytes = bytes;
    own.push_back(std::move(array));
  }
  const std::string file =
      ValueOrRaise(engine::WriteOwn(ParseOrRaise(steps_json, "steps_json"), own));
  return nb::bytes(file.data(), file.size());
}

}  // namespace

void AddRegistration(nb::module_& module) {
  nb::class_<Version>(module, "Version")
      .def_prop_ro("name", [](const Version& v) { return v.version.name; })
      .def_prop_ro("version", [](const Version& v) { return v.version.version; })
      .def_prop_ro("digest", [](const Version& v) { return v.version.digest; })
      .def_prop_ro("created_at_us", [](const Version& v) { return v.version.created_at_us; })
      .def_prop_ro("engine", [](const Version& v) { return v.version.engine; })
      .def_prop_ro("engine_reason", [](const Version& v) { return v.version.engine_reason; })
      .def_prop_ro("signature_json", [](const Version& v) { return v.signature_json; })
      .def_prop_ro("parity_json", [](const Version& v) { return v.parity_json; })
      .def_prop_ro("details_json", [](const Version& v) { return json::Write(v.version.details); })
      .def_prop_ro("run", [](const Version& v) { return v.version.run; })
      .def_prop_ro("path", [](const Version& v) { return v.path; })
      .def("__repr__", [](const Version& v) { return v.version.ToString(); });

  module.def(
      "home",
      [](const std::optional<std::string>& path) {
        return FindHome(path, config::MissingHome::kMake).path.string();
      },
      "path"_a.none());
  module.def("own_evaluator", &OwnEvaluator, "steps_json"_a, "arrays"_a);
  module.def("register", &Register, nb::kw_only(), "name"_a, "home"_a.none(), "signature_json"_a,
             "candidates"_a, "columns"_a, "original"_a, "python_form"_a, "native_hint"_a,
             "details_json"_a, "known_texts"_a = Texts(), "run"_a = "");
  module.def(
      "open_version",
      [](const std::string& spec, const std::optional<std::string>& home) {
        const std::filesystem::path folder = FindHome(home, config::MissingHome::kRefuse).path;
        Result<Version> opened = [&] {
          const nb::gil_scoped_release no_gil;
          return OpenVersion(spec, folder);
        }();
        return ValueOrRaise(std::move(opened));
      },
      "spec"_a, "home"_a.none());
  module.def(
      "models",
      [](const std::optional<std::string>& home) {
        const std::filesystem::path folder = FindHome(home, config::MissingHome::kRefuse).path;
        Result<std::vector<Version>> versions = [&] {
          const nb::gil_scoped_release no_gil;
          return ListModels(folder);
        }();
        return ValueOrRaise(std::move(versions));
      },
      "home"_a.none());
  module.def(
      "is_credential",
      [](const std::string& name, const std::string& value) {
        return engine::IsCredential(name, value);
      },
      "name"_a, "value"_a);
}

}  // namespace penstock::bindings
