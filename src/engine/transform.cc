// SPDX-License-Identifier: Apache-2.0
#include "engine/transform.h"

#include <utility>

namespace penstock::engine {
namespace {

template <typename Operation>
void ForEachCell(double* x, int64_t rows, int64_t columns, const double* by, bool is_float32,
                 Operation operation) {
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    if (is_float32) {
      for (int64_t i = 0; i < columns; ++i)
        x[i] = static_cast<double>(static_cast<float>(operation(x[i], by[i])));
    } else {
      for (int64_t i = 0; i < columns; ++i) x[i] = operation(x[i], by[i]);
    }
  }
}

class ScalerReader {
 public:
  ScalerReader(const StepReader& reader, int64_t columns) : reader_(reader), columns_(columns) {}

  // Nothing where the member is null or missing.
  Status Add(std::string_view member, Transform::Kind kind) {
    if (!reader_.Has(member)) return {};
    result_.push_back(
        {kind, PENSTOCK_TRY(reader_.Numbers(member, columns_)), PENSTOCK_TRY(reader_.IsFloat32())});
    return {};
  }

  Status AddClip() {
    if (!reader_.Has("clip")) return {};
    const json::Array* range = reader_.step().Find("clip")->if_array();
    if (range == nullptr || range->size() != 2 || !(*range)[0].is_number() ||
        !(*range)[1].is_number()) {
      return InvalidArgument("'clip' is not a list of two numbers");
    }
    const std::vector<double> by = {(*range)[0].number(), (*range)[1].number()};
    result_.push_back({Transform::Kind::kClip, by, PENSTOCK_TRY(reader_.IsFloat32())});
    return {};
  }

  std::vector<Transform> Take() { return std::move(result_); }

 private:
  const StepReader& reader_;
  int64_t columns_;
  std::vector<Transform> result_;
};

}  // namespace

void Transform::Apply(double* x, int64_t rows, int64_t columns) const {
  switch (kind) {
    case Kind::kSubtract:
      return ForEachCell(x, rows, columns, by.data(), is_float32,
                         [](double a, double b) { return a - b; });
    case Kind::kDivide:
      return ForEachCell(x, rows, columns, by.data(), is_float32,
                         [](double a, double b) { return a / b; });
    case Kind::kMultiply:
      return ForEachCell(x, rows, columns, by.data(), is_float32,
                         [](double a, double b) { return a * b; });
    case Kind::kAdd:
      return ForEachCell(x, rows, columns, by.data(), is_float32,
                         [](double a, double b) { return a + b; });
    case Kind::kClip:
      for (int64_t i = 0; i < rows * columns; ++i)
        x[i] = x[i] < by[0] ? by[0] : (x[i] > by[1] ? by[1] : x[i]);
  }
}

bool IsScaler(std::string_view op) { return op == "scale" || op == "affine"; }

Result<std::vector<Transform>> ReadScaler(const StepReader& reader, std::string_view op,
                                          int64_t columns) {
  ScalerReader scaler(reader, columns);
  if (op == "scale") {
    PENSTOCK_TRY(scaler.Add("center", Transform::Kind::kSubtract));
    PENSTOCK_TRY(scaler.Add("scale", Transform::Kind::kDivide));
  } else {
    PENSTOCK_TRY(scaler.Add("scale", Transform::Kind::kMultiply));
    PENSTOCK_TRY(scaler.Add("offset", Transform::Kind::kAdd));
    PENSTOCK_TRY(scaler.AddClip());
  }
  return scaler.Take();
}

}  // namespace penstock::engine
