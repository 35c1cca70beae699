// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace penstock::engine {

// evaluator.safetensors, what the own evaluator runs: the safetensors container with a JSON list of
// steps in its metadata, member "penstock". docs/internals/package-format.md describes both. The
// steps, in order, each computed in the estimator's own order of operations, in float64, or rounded
// to float32 after every operation where the step says "dtype": "float32":
//
//   {"op": "scale", "center": ARRAY or null, "scale": ARRAY or null}      (x - center) / scale
//   {"op": "affine", "scale": ARRAY, "offset": ARRAY, "clip": [lo, hi]}   x * scale + offset; clip
//   is optional
//   {"op": "linear", "coef": ARRAY [outputs, features], "intercept": ARRAY [outputs], "link": LINK}
//      LINK: identity (regression), identity_decision (labels from decision values, no
//      probabilities), logistic (1 output, 2 classes), softmax, one_vs_rest (probabilities of each
//      class apart, then normalised)
//   {"op": "forest", "mode": "classifier" or "regressor", "roots", "feature", "threshold", "left",
//   "right",
//    "missing_left", "value"}: arrays; the nodes of all trees in a row, children and roots by their
//    index in it; a leaf
//      has left = right = -1; value [nodes, outputs]. Trees are summed in the order of roots and
//      divided by their number; x <= threshold goes left, x being rounded to float32; NaN goes left
//      where missing_left is 1.
//
// ARRAY is the name of an array of the file. linear and forest come last.

enum class ElementType { kFloat64, kFloat32, kInt64, kInt32, kUInt8, kBool };

std::string_view ElementTypeName(
    ElementType type);  // the container's: "F64", "F32", "I64", "I32", "U8", "BOOL"
size_t ElementSize(ElementType type);

// An array of the file; bytes are little-endian, row-major, borrowed, and need not be aligned.
struct OwnArray {
  std::string name;
  ElementType type = ElementType::kFloat64;
  std::vector<int64_t> shape;
  std::string_view bytes;

  int64_t ElementCount() const;
  // The elements as numbers, whatever their type.
  std::vector<double> Numbers() const;
  // The same as integers; kInvalidArgument where the type is a floating point one.
  Result<std::vector<int64_t>> Integers() const;
};

inline constexpr size_t kOwnHeaderBytesMax = size_t{16} << 20;
inline constexpr size_t kOwnDimensionsMax = 8;

// The file's bytes; the same arguments give the same bytes. kInvalidArgument when an array's bytes
// do not fit its shape, or a name stands twice.
Result<std::string> WriteOwn(const json::Value& steps, std::span<const OwnArray> arrays);

// What a file holds; arrays borrow from the bytes it was read from.
struct OwnFile {
  json::Value steps;
  std::vector<OwnArray> arrays;

  const OwnArray* Find(std::string_view name) const;
};

// kInvalidArgument with the reason where bytes are not such a file: any bytes may be given. Whether
// the steps make sense is the evaluator's to judge.
Result<OwnFile> ReadOwn(std::string_view bytes);

}  // namespace penstock::engine
