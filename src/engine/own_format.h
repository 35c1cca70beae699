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
// steps in its metadata, member "penstock". docs/internals/package-format.md describes both, and
// every step. Steps are computed in the estimator's own order of operations, in float64, or rounded
// to float32 after every operation where the step says "dtype": "float32":
//
//   {"op": "scale", "center": ARRAY or null, "scale": ARRAY or null}      (x - center) / scale
//   {"op": "linear", "coef": ARRAY [outputs, features], "intercept": ARRAY [outputs], "link": LINK}
//
// ARRAY is the name of an array of the file. A model comes last: linear, forest or boosting
// (own_program.h). Before it come scalers (transform.h), encoders, imputers and what puts columns
// together (preparation.h).

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
