// SPDX-License-Identifier: Apache-2.0
#include "engine/step_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::engine {

bool StepReader::Has(std::string_view member) const {
  const json::Value* value = step_.Find(member);
  return value != nullptr && !value->is_null();
}

Result<const OwnArray*> StepReader::Array(std::string_view member) const {
  const std::string name = PENSTOCK_TRY(step_.String(member));
  const OwnArray* array = file_.Find(name);
  if (array == nullptr) {
    return InvalidArgument(fmt::format(
        "member '{}' names the array '{}', which the file does not have", member, name));
  }
  return array;
}

Result<std::vector<double>> StepReader::Numbers(std::string_view member) const {
  return PENSTOCK_TRY(Array(member))->Numbers();
}

Result<std::vector<double>> StepReader::Numbers(std::string_view member, int64_t count) const {
  const OwnArray* array = PENSTOCK_TRY(Array(member));
  if (array->ElementCount() != count) {
    return InvalidArgument(
        fmt::format("array '{}' has {} elements; one for each of the {} features was expected",
                    array->name, array->ElementCount(), count));
  }
  return array->Numbers();
}

Result<std::vector<int64_t>> StepReader::Integers(std::string_view member) const {
  return PENSTOCK_TRY(Array(member))->Integers();
}

Result<std::vector<int64_t>> StepReader::Indices(std::string_view member, int64_t limit) const {
  std::vector<int64_t> indices = PENSTOCK_TRY(Integers(member));
  for (const int64_t index : indices) {
    if (index < 0 || index >= limit) {
      return InvalidArgument(fmt::format("'{}' has the index {}; one from 0 to {} was expected",
                                         member, index, limit - 1));
    }
  }
  return indices;
}

Result<double> StepReader::Number(std::string_view member, double otherwise) const {
  if (!Has(member)) return otherwise;
  return step_.Number(member);
}

Result<bool> StepReader::Flag(std::string_view member) const {
  if (!Has(member)) return false;
  return step_.Bool(member);
}

Result<bool> StepReader::IsFloat32(std::string_view member) const {
  if (step_.Find(member) == nullptr) return false;
  const std::string dtype = PENSTOCK_TRY(step_.String(member));
  if (dtype != "float32" && dtype != "float64") {
    return InvalidArgument(
        fmt::format("'{}' is '{}'; 'float32' or 'float64' was expected", member, dtype));
  }
  return dtype == "float32";
}

}  // namespace penstock::engine
