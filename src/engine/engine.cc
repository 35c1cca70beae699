// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <fmt/format.h>

#include "engine/onnxruntime.h"
#include "engine/own_evaluator.h"
#include "engine/worker_engine.h"

namespace penstock::engine {
namespace {

using package::EngineEntry;
using package::EngineKind;

}  // namespace

Result<std::unique_ptr<Model>> LoadBytes(const package::Signature& signature,
                                         const EngineEntry& entry, std::string_view bytes,
                                         const LoadOptions& options) {
  switch (entry.kind) {
    case EngineKind::kOwn:
      return LoadOwn(signature, entry, bytes, options);
    case EngineKind::kOnnxRuntime:
      return LoadOnnx(signature, entry, bytes, options);
    case EngineKind::kPython:
      break;
  }
  return InvalidArgument("a Python worker runs a whole package; a file alone was given");
}

Result<std::unique_ptr<Model>> LoadEntry(const package::Package& package, const EngineEntry& entry,
                                         const LoadOptions& options) {
  if (entry.kind == EngineKind::kPython) return LoadWorkers(package, entry, options);
  const std::string bytes = PENSTOCK_TRY(package.Read(entry.file));
  auto model = LoadBytes(package.manifest().signature, entry, bytes, options);
  if (model.ok()) return model;
  return model.status().Prefixed(
      fmt::format("file '{}' of package '{}'", entry.file, package.directory().string()));
}

Result<std::unique_ptr<Model>> Load(const package::Package& package, const LoadOptions& options) {
  // In order of preference; the error that counts is that of the best engine.
  Status first;
  for (const EngineEntry& entry : package.manifest().engines) {
    auto model = LoadEntry(package, entry, options);
    if (model.ok()) return model;
    if (first.ok()) first = model.status();
  }
  return first;
}

}  // namespace penstock::engine
