// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "package/signature.h"

namespace penstock::package {

// How columns become the tensors an engine reads: the encoding part of an engine's entry in penstock.json. Every input
// column stands in exactly one tensor. A tensor is row-major, shape [rows, columns].
struct TensorSpec {
  std::string name;              // the engine's name for it (ONNX input name; "X" for the own evaluator)
  Type type = Type::kFloat64;    // element type; kBool is not used, booleans are numbers or strings here
  std::vector<int> columns;      // indices into Signature::inputs, in the tensor's order
};

struct Encoding {
  std::vector<TensorSpec> tensors;

  json::Value ToJson() const;
  static Result<Encoding> FromJson(const json::Value& value, size_t column_count);
};

// One tensor's values. Exactly one of the vectors is used, by type: kFloat64, kFloat32, kInt64, kString.
struct Tensor {
  Type type = Type::kFloat64;
  int64_t width = 0;  // columns
  std::vector<double> float64;
  std::vector<float> float32;
  std::vector<int64_t> int64;
  std::vector<std::string> strings;
};

// The rows of one call, already encoded. Reuse it: Resize keeps capacity, so that a steady state does not allocate.
// Not thread-safe.
class Tensors {
 public:
  Tensors(const Signature* signature, const Encoding* encoding);  // both must outlive it

  void Resize(int64_t rows);
  int64_t rows() const { return rows_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }

  // Store a value of column `column` (index into Signature::inputs) in row `row`, converted to the tensor's type.
  // Each refuses (kInvalidArgument; the message names column, value, what was expected) what the signature does not
  // allow: a fraction for an integer column, missing where it may not be, a value beyond Input::abs_max, infinity, a
  // number for a string column. Number(5.0) is good for an integer column, 5.5 is not. A value of a float32 column is
  // rounded to float32 first, whatever the tensor's type: that is what the original was given.
  Status SetNumber(int64_t row, int column, double value);
  // Exact for integers beyond 2^53 in int64 columns; else as SetNumber.
  Status SetInteger(int64_t row, int column, int64_t value);
  Status SetString(int64_t row, int column, std::string_view value);
  // true and false: for bool columns (1 and 0 in numeric tensors, "True" and "False" in string tensors).
  Status SetBool(int64_t row, int column, bool value);
  Status SetMissing(int64_t row, int column);

 private:
  struct Place {
    int tensor = 0;
    int offset = 0;
  };

  const Signature* signature_;
  std::vector<Place> places_;  // by column
  std::vector<Tensor> tensors_;
  int64_t rows_ = 0;
};

}  // namespace penstock::package
