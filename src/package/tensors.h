// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "package/signature.h"

namespace penstock::package {

// How columns become the tensors an engine reads: the encoding part of an engine's entry in
// penstock.json. Every input column stands in exactly one tensor. A tensor is row-major, shape
// [rows, columns].
struct TensorSpec {
  std::string name;  // the engine's name for it (ONNX input name; "X" for the own evaluator)
  Type type =
      Type::kFloat64;  // element type; kBool is not used, booleans are numbers or strings here
  std::vector<int> columns;  // indices into Signature::inputs, in the tensor's order
  // Missing integers and strings stand in Tensor::missing. Not part of penstock.json: an engine
  // that can tell them from a value says so when it is loaded.
  bool marks_missing = false;
};

struct Encoding {
  std::vector<TensorSpec> tensors;

  json::Value ToJson() const;
  // kInvalidArgument unless every one of column_count columns stands in exactly one tensor.
  static Result<Encoding> FromJson(const json::Value& value, size_t column_count);
};

// kInvalidArgument where a column's type has no place in its tensor (a string column in a tensor of
// numbers), or where a column stands in no tensor or in two.
Status CheckEncoding(const Signature& signature, const Encoding& encoding);

// One tensor's values. Exactly one of the vectors is used, by type: kFloat64, kFloat32, kInt64,
// kString. Numbers have rows x width elements; strings may have more, since they keep the memory of
// larger calls.
struct Tensor {
  Type type = Type::kFloat64;
  int64_t width = 0;  // columns
  std::vector<double> float64;
  std::vector<float> float32;
  std::vector<int64_t> int64;
  std::vector<std::string> strings;
  // 1 where a value is missing; empty unless the encoding marks them. Numbers of floating point are
  // NaN instead.
  std::vector<uint8_t> missing;
};

// Which values the setters refuse.
enum class Limits {
  kRefuse,        // all that the signature does not allow
  kAnswerBeyond,  // as kRefuse, without the bounds for which the engine, not the original, is the
                  // reason
  kNone,          // store missing values, infinities and values beyond bounds: what parity needs
};

// The rows of one call, already encoded. Reuse it: Resize keeps capacity, so that a steady state
// does not allocate. Movable, not copyable; not thread-safe.
class Tensors {
 public:
  // Both must outlive it, and must have passed CheckEncoding.
  Tensors(const Signature* signature, const Encoding* encoding, Limits limits = Limits::kRefuse);
  Tensors(Tensors&&) = default;
  Tensors& operator=(Tensors&&) = default;

  // Rows that are there before and after keep their values: a reader that does not know the number
  // of rows grows as it goes. What new rows hold is unspecified until every column is set. Where
  // memory runs out (std::bad_alloc) there are no rows, until the next Resize.
  void Resize(int64_t rows);
  int64_t rows() const { return rows_; }
  // What it holds on to, used or not.
  size_t bytes() const;
  // Forgets all rows, and gives their memory back.
  void Release();
  const Signature& signature() const { return *signature_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }

  // Store a value of column `column` (index into Signature::inputs) in row `row` < rows(),
  // converted to the tensor's type. Each refuses (kInvalidArgument; the message names column,
  // value, what was expected) what the signature does not allow: a fraction for an integer column,
  // missing where it may not be, a value beyond Input::abs_max, infinity, a number for a string
  // column. Number(5.0) is good for an integer column, 5.5 is not; 0 and 1 are good for a bool
  // column. NaN is a missing value. A value of a float32 column is rounded to float32 first,
  // whatever the tensor's type: that is what the original was given.
  Status SetNumber(int64_t row, int column, double value);
  // Exact for integers beyond 2^53 in int64 columns; else as SetNumber.
  Status SetInteger(int64_t row, int column, int64_t value);
  Status SetString(int64_t row, int column, std::string_view value);
  // true and false: for bool columns (1 and 0 in numeric tensors, "True" and "False" in string
  // tensors).
  Status SetBool(int64_t row, int column, bool value);
  // NaN in tensors of floating point numbers, "" in tensors of strings; refused where the tensor
  // holds integers that have no mark for it.
  Status SetMissing(int64_t row, int column);

 private:
  // Where a column's values go, and up to where that needs no further thought.
  enum class Store : uint8_t { kFloat64, kRoundedFloat64, kFloat32, kOther };
  struct Place {
    char* data = nullptr;   // of row 0
    int64_t stride = 0;     // bytes from row to row
    double quick_max = -1;  // numbers up to this absolute value are stored as they are by `quick`
    Store quick = Store::kOther;
    bool is_integer = false;
    Type tensor_type = Type::kFloat64;
    int tensor = 0;
    int offset = 0;
  };

  void LocatePlaces();
  void StoreString(int64_t row, int column, std::string_view value);
  void Mark(int64_t row, int column, bool is_missing);
  void PlanQuickStore(int column);
  Status SetNumberSlowly(int64_t row, int column, double value);
  Status SetIntegerSlowly(int64_t row, int column, int64_t value);
  Status CheckRange(int column, double value) const;
  Status CheckBound(int column, double value) const;
  void StoreNumber(int64_t row, int column, double value);

  const Signature* signature_;
  Limits limits_;
  std::vector<Place> places_;  // by column
  std::vector<Tensor> tensors_;
  std::vector<bool> marks_missing_;  // by tensor
  size_t text_bytes_ = 0;  // capacities of the strings: each keeps that of the longest it has held
  int64_t rows_ = 0;
};

inline Status Tensors::SetNumber(int64_t row, int column, double value) {
  const Place& place = places_[static_cast<size_t>(column)];
  // False for NaN. The bound of an integer column is at most 2^53, so that the cast to an integer
  // is defined.
  const bool is_quick =
      std::fabs(value) <= place.quick_max &&
      (!place.is_integer || static_cast<double>(static_cast<int64_t>(value)) == value);
  if (is_quick) [[likely]] {
    char* cell = place.data + row * place.stride;
    switch (place.quick) {
      case Store::kFloat64:
        *reinterpret_cast<double*>(cell) = value;
        return {};
      case Store::kRoundedFloat64:
        *reinterpret_cast<double*>(cell) = static_cast<double>(static_cast<float>(value));
        return {};
      case Store::kFloat32:
        *reinterpret_cast<float*>(cell) = static_cast<float>(value);
        return {};
      case Store::kOther:
        break;
    }
  }
  return SetNumberSlowly(row, column, value);
}

inline Status Tensors::SetInteger(int64_t row, int column, int64_t value) {
  constexpr int64_t kExact = int64_t{1} << 53;
  if (value >= -kExact && value <= kExact) [[likely]]
    return SetNumber(row, column, static_cast<double>(value));
  return SetIntegerSlowly(row, column, value);
}

}  // namespace penstock::package
