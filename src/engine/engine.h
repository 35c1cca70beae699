// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/worker_options.h"
#include "package/package.h"
#include "package/tensors.h"

namespace penstock::engine {

// The answers to a batch. Values and probabilities are what the arithmetic gives: infinity or NaN
// where the original's overflow too. Reused from call to call, so that a steady state does not
// allocate.
struct Predictions {
  int64_t rows = 0;
  // Classification: index into Signature::classes, one a row. Empty otherwise.
  std::vector<int64_t> class_index;
  // Everything else: prediction_width (at least 1) values a row, row-major. Integers are exact up
  // to 2^53.
  std::vector<double> values;
  // rows x ClassCount(classes), row-major, where the signature has probabilities.
  std::vector<double> probabilities;
  // True when values and probabilities hold float32 results: write them as the shortest decimal of
  // a float.
  bool is_float32 = false;

  // What it holds on to, used or not.
  size_t bytes() const {
    return class_index.capacity() * sizeof(int64_t) +
           (values.capacity() + probabilities.capacity()) * sizeof(double);
  }
};

// One thread's way into a model: prebound buffers, scratch. Not thread-safe; the model must outlive
// it.
class Instance {
 public:
  virtual ~Instance() = default;
  // Answers every row of `input`. kInvalidArgument where the model refuses a value, else kInternal.
  virtual Status Predict(const package::Tensors& input, Predictions& output) = 0;
  // Whom the next call is for: what the user's own code prints meanwhile is logged with it.
  virtual void NameRequest(std::string_view) {}
};

// What a call costs, measured on made-up rows when the model was loaded; 0 where they could not be
// answered. A call of n rows takes about call_ns + n x row_ns.
struct Cost {
  double call_ns = 0;
  double row_ns = 0;
};

// A loaded engine of a package. Immutable and thread-safe.
class Model {
 public:
  virtual ~Model() = default;
  virtual Result<std::unique_ptr<Instance>> NewInstance() const = 0;
  virtual const package::Signature& signature() const = 0;
  virtual const package::EngineEntry& entry() const = 0;
  virtual Cost cost() const { return {}; }
};

struct LoadOptions {
  // Path of libonnxruntime.so.1; empty: PENSTOCK_ONNXRUNTIME, else beside this program or module.
  std::string onnxruntime;
  int64_t scratch_rows = 256;  // rows that the own evaluator works on at a time
  WorkerOptions workers;
};

// Loads one engine entry of a package: used by parity, which tries each candidate.
Result<std::unique_ptr<Model>> LoadEntry(const package::Package& package,
                                         const package::EngineEntry& entry,
                                         const LoadOptions& options = {});
// The same from bytes in memory, before a package exists.
Result<std::unique_ptr<Model>> LoadBytes(const package::Signature& signature,
                                         const package::EngineEntry& entry, std::string_view bytes,
                                         const LoadOptions& options = {});

// Loads the first engine of the manifest that this program can run. A model without a native form
// is run by Python workers: kFailedPrecondition, with the reason, where this host has no suitable
// Python.
Result<std::unique_ptr<Model>> Load(const package::Package& package,
                                    const LoadOptions& options = {});

}  // namespace penstock::engine
