// SPDX-License-Identifier: Apache-2.0
#include "package/tensors.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/names.h"
#include "base/utf8.h"

namespace penstock::package {
namespace {

constexpr double kInt64Limit = 9223372036854775808.0;  // 2^63: the first double beyond int64
constexpr double kExactInteger = 9007199254740992.0;   // 2^53
constexpr double kFloat32Max = std::numeric_limits<float>::max();
constexpr size_t kShownBytesMax = 40;

// Whether values of a column can stand in a tensor's elements.
bool Fits(Type column, Type tensor) {
  switch (tensor) {
    case Type::kFloat32:
    case Type::kFloat64:
      return column != Type::kString;
    case Type::kInt64:
      return column == Type::kInt64 || column == Type::kBool;
    case Type::kString:
      return column == Type::kString || column == Type::kBool;
    case Type::kBool:
      return false;
  }
  return false;
}

std::string_view ExpectedOf(Type type) {
  switch (type) {
    case Type::kBool:
      return "true or false";
    case Type::kInt64:
      return "an integer";
    case Type::kString:
      return "a string";
    case Type::kFloat32:
    case Type::kFloat64:
      break;
  }
  return "a number";
}

std::string ShowNumber(double value) {
  if (std::isinf(value)) return value > 0 ? "infinity" : "-infinity";
  return fmt::format("{}", value);
}

std::string ShowText(std::string_view text) {
  if (text.size() <= kShownBytesMax) return fmt::format("\"{}\"", text);
  return fmt::format("\"{}...\"", CutUtf8(text, kShownBytesMax));
}

Status WrongType(const Input& input, std::string_view shown) {
  return InvalidArgument(
      fmt::format("column '{}' is {}; {} was expected", input.name, shown, ExpectedOf(input.type)));
}

Status UnknownCategory(const Input& input, std::string_view value) {
  return InvalidArgument(fmt::format("column '{}' is {}: {}; one of {} was expected", input.name,
                                     ShowText(value), input.categories_reason,
                                     QuotedList(input.categories)));
}

constexpr const char* kBeyondLimitsRemedy =
    "; send smaller values, or start the server with --beyond-limits answer";

std::string DefaultReason(const Bound& bound) {
  if (bound.refused_by_original)
    return fmt::format("the original refuses values beyond {}", bound.value);
  return fmt::format("beyond {} the engine cannot vouch for its answer", bound.value);
}

}  // namespace

json::Value Encoding::ToJson() const {
  json::Array list;
  for (const TensorSpec& spec : tensors) {
    json::Array columns(spec.columns.begin(), spec.columns.end());
    list.push_back(json::Object{
        {"name", spec.name}, {"type", TypeName(spec.type)}, {"columns", std::move(columns)}});
  }
  return json::Object{{"tensors", std::move(list)}};
}

Result<Encoding> Encoding::FromJson(const json::Value& value, size_t column_count) {
  Encoding encoding;
  std::vector<bool> is_placed(column_count);
  for (const json::Value& item : PENSTOCK_TRY(value.List("tensors"))) {
    TensorSpec spec;
    spec.name = PENSTOCK_TRY(item.String("name"));
    spec.type = PENSTOCK_TRY(TypeFromName(PENSTOCK_TRY(item.String("type"))));
    for (const json::Value& column : PENSTOCK_TRY(item.List("columns"))) {
      const int64_t* index = column.if_int();
      const bool is_known = index && *index >= 0 && static_cast<size_t>(*index) < column_count;
      if (!is_known || is_placed[static_cast<size_t>(*index)]) {
        return InvalidArgument(fmt::format(
            "tensor '{}' names the column {}; each of the {} columns, by its index, was "
            "expected once",
            spec.name, json::Write(column), column_count));
      }
      is_placed[static_cast<size_t>(*index)] = true;
      spec.columns.push_back(static_cast<int>(*index));
    }
    encoding.tensors.push_back(std::move(spec));
  }
  const auto unplaced = std::find(is_placed.begin(), is_placed.end(), false);
  if (unplaced != is_placed.end()) {
    return InvalidArgument(
        fmt::format("column {} stands in no tensor", unplaced - is_placed.begin()));
  }
  return encoding;
}

Status CheckEncoding(const Signature& signature, const Encoding& encoding) {
  std::vector<int> uses(signature.inputs.size());
  for (const TensorSpec& spec : encoding.tensors) {
    for (const int column : spec.columns) {
      if (column < 0 || static_cast<size_t>(column) >= uses.size()) {
        return InvalidArgument(fmt::format("tensor '{}' names column {}, of {} columns", spec.name,
                                           column, uses.size()));
      }
      const Input& input = signature.inputs[static_cast<size_t>(column)];
      ++uses[static_cast<size_t>(column)];
      if (!Fits(input.type, spec.type)) {
        return InvalidArgument(
            fmt::format("column '{}' of type {} cannot stand in tensor '{}' of type {}", input.name,
                        TypeName(input.type), spec.name, TypeName(spec.type)));
      }
    }
  }
  for (size_t i = 0; i < uses.size(); ++i) {
    if (uses[i] != 1) {
      return InvalidArgument(
          fmt::format("column '{}' stands in {} tensors; exactly one was expected",
                      signature.inputs[i].name, uses[i]));
    }
  }
  return {};
}

Tensors::Tensors(const Signature* signature, const Encoding* encoding, Limits limits)
    : signature_(signature), limits_(limits), places_(signature->inputs.size()) {
  PENSTOCK_CHECK(CheckEncoding(*signature, *encoding).ok());
  for (size_t t = 0; t < encoding->tensors.size(); ++t) {
    const TensorSpec& spec = encoding->tensors[t];
    tensors_.push_back({.type = spec.type, .width = static_cast<int64_t>(spec.columns.size())});
    marks_missing_.push_back(spec.marks_missing &&
                             (spec.type == Type::kInt64 || spec.type == Type::kString));
    for (size_t i = 0; i < spec.columns.size(); ++i) {
      Place& place = places_[static_cast<size_t>(spec.columns[i])];
      place.tensor = static_cast<int>(t);
      place.offset = static_cast<int>(i);
      place.tensor_type = spec.type;
    }
  }
  for (size_t i = 0; i < places_.size(); ++i) PlanQuickStore(static_cast<int>(i));
}

void Tensors::PlanQuickStore(int column) {
  const Input& input = signature_->inputs[static_cast<size_t>(column)];
  Place& place = places_[static_cast<size_t>(column)];
  if (input.type == Type::kBool || input.type == Type::kString) return;
  place.is_integer = input.type == Type::kInt64;
  place.quick_max = place.is_integer ? kExactInteger : std::numeric_limits<double>::max();
  if (place.tensor_type == Type::kFloat64) {
    place.quick = input.type == Type::kFloat32 ? Store::kRoundedFloat64 : Store::kFloat64;
  } else if (place.tensor_type == Type::kFloat32) {
    place.quick = Store::kFloat32;
  }
  if (place.quick != Store::kFloat64) place.quick_max = std::min(place.quick_max, kFloat32Max);
  if (input.abs_max) place.quick_max = std::min(place.quick_max, input.abs_max->value);
}

void Tensors::Resize(int64_t rows) {
  PENSTOCK_CHECK(rows >= 0);
  rows_ = 0;
  for (size_t t = 0; t < tensors_.size(); ++t) {
    Tensor& tensor = tensors_[t];
    const size_t count = static_cast<size_t>(rows) * static_cast<size_t>(tensor.width);
    if (tensor.type == Type::kFloat64) {
      tensor.float64.resize(count);
    } else if (tensor.type == Type::kFloat32) {
      tensor.float32.resize(count);
    } else if (tensor.type == Type::kInt64) {
      tensor.int64.resize(count);
    } else if (tensor.strings.size() < count) {
      tensor.strings.resize(count);
    }
    if (marks_missing_[t]) tensor.missing.resize(count);
  }
  rows_ = rows;
  LocatePlaces();
}

size_t Tensors::bytes() const {
  size_t bytes = text_bytes_;
  for (const Tensor& tensor : tensors_) {
    bytes += tensor.float64.capacity() * sizeof(double) +
             tensor.float32.capacity() * sizeof(float) + tensor.int64.capacity() * sizeof(int64_t) +
             tensor.strings.capacity() * sizeof(std::string) + tensor.missing.capacity();
  }
  return bytes;
}

void Tensors::Release() {
  for (Tensor& tensor : tensors_) tensor = {.type = tensor.type, .width = tensor.width};
  text_bytes_ = 0;
  rows_ = 0;
  LocatePlaces();
}

void Tensors::LocatePlaces() {
  for (Place& place : places_) {
    Tensor& tensor = tensors_[static_cast<size_t>(place.tensor)];
    if (tensor.type == Type::kFloat64) {
      place.data = reinterpret_cast<char*>(tensor.float64.data() + place.offset);
      place.stride = tensor.width * static_cast<int64_t>(sizeof(double));
    } else if (tensor.type == Type::kFloat32) {
      place.data = reinterpret_cast<char*>(tensor.float32.data() + place.offset);
      place.stride = tensor.width * static_cast<int64_t>(sizeof(float));
    }
  }
}

void Tensors::StoreNumber(int64_t row, int column, double value) {
  const Place& place = places_[static_cast<size_t>(column)];
  Tensor& tensor = tensors_[static_cast<size_t>(place.tensor)];
  const size_t cell = static_cast<size_t>(row * tensor.width + place.offset);
  const Type type = signature_->inputs[static_cast<size_t>(column)].type;
  if (type == Type::kFloat32) value = static_cast<double>(static_cast<float>(value));
  switch (place.tensor_type) {
    case Type::kFloat64:
      tensor.float64[cell] = value;
      break;
    case Type::kFloat32:
      tensor.float32[cell] = static_cast<float>(value);
      break;
    case Type::kInt64:
      tensor.int64[cell] = static_cast<int64_t>(value);
      Mark(row, column, false);
      break;
    case Type::kString:
      tensor.strings[cell] = value == 0 ? "False" : "True";  // only a bool column comes here
      Mark(row, column, false);
      break;
    case Type::kBool:
      break;
  }
}

Status Tensors::SetNumberSlowly(int64_t row, int column, double value) {
  const Input& input = signature_->inputs[static_cast<size_t>(column)];
  if (input.type == Type::kString) return WrongType(input, ShowNumber(value));
  if (std::isnan(value)) return SetMissing(row, column);
  if (input.type == Type::kBool && value != 0 && value != 1)
    return WrongType(input, ShowNumber(value));
  if (input.type == Type::kInt64 && std::trunc(value) != value)
    return WrongType(input, ShowNumber(value));
  PENSTOCK_TRY(CheckRange(column, value));
  StoreNumber(row, column, value);
  return {};
}

Status Tensors::CheckRange(int column, double value) const {
  const Input& input = signature_->inputs[static_cast<size_t>(column)];
  const bool is_int64 = value >= -kInt64Limit && value < kInt64Limit;
  if (input.type == Type::kInt64 && !is_int64) {
    return InvalidArgument(
        fmt::format("column '{}' is {}; an integer from -2^63 to 2^63 - 1 was expected", input.name,
                    ShowNumber(value)));
  }
  if (limits_ == Limits::kNone) return {};
  PENSTOCK_TRY(CheckBound(column, value));
  if (input.allows_infinity) return {};
  if (std::isinf(value)) {
    return InvalidArgument(fmt::format("column '{}' is {}; a finite number was expected",
                                       input.name, ShowNumber(value)));
  }
  const bool is_float32 = input.type == Type::kFloat32 ||
                          places_[static_cast<size_t>(column)].tensor_type == Type::kFloat32;
  if (is_float32 && std::isinf(static_cast<float>(value))) {
    return InvalidArgument(
        fmt::format("column '{}' is {}; a number that float32 can hold, up to 3.4e38, was expected",
                    input.name, value));
  }
  return {};
}

Status Tensors::CheckBound(int column, double value) const {
  const Input& input = signature_->inputs[static_cast<size_t>(column)];
  if (!input.abs_max || std::fabs(value) <= input.abs_max->value) return {};
  const Bound& bound = *input.abs_max;
  if (std::isinf(value) && input.allows_infinity) return {};
  if (limits_ == Limits::kAnswerBeyond && !bound.refused_by_original) return {};
  return InvalidArgument(fmt::format("column '{}' is {}: {}{}", input.name, ShowNumber(value),
                                     bound.reason.empty() ? DefaultReason(bound) : bound.reason,
                                     bound.refused_by_original ? "" : kBeyondLimitsRemedy));
}

Status Tensors::SetIntegerSlowly(int64_t row, int column, int64_t value) {
  const Input& input = signature_->inputs[static_cast<size_t>(column)];
  if (input.type == Type::kString || input.type == Type::kBool)
    return WrongType(input, fmt::format("{}", value));
  if (limits_ != Limits::kNone) PENSTOCK_TRY(CheckBound(column, static_cast<double>(value)));
  const Place& place = places_[static_cast<size_t>(column)];
  Tensor& tensor = tensors_[static_cast<size_t>(place.tensor)];
  const size_t cell = static_cast<size_t>(row * tensor.width + place.offset);
  if (place.tensor_type == Type::kInt64) {
    tensor.int64[cell] = value;
    Mark(row, column, false);
  } else if (place.tensor_type == Type::kFloat32) {
    tensor.float32[cell] = static_cast<float>(value);  // one rounding, as NumPy's astype
  } else if (input.type == Type::kFloat32) {
    tensor.float64[cell] = static_cast<double>(static_cast<float>(value));
  } else {
    tensor.float64[cell] = static_cast<double>(value);
  }
  return {};
}

Status Tensors::SetString(int64_t row, int column, std::string_view value) {
  const Input& input = signature_->inputs[static_cast<size_t>(column)];
  if (input.type != Type::kString) return WrongType(input, ShowText(value));
  const bool is_limited = !input.categories.empty() && limits_ != Limits::kNone;
  if (is_limited && !std::ranges::binary_search(input.categories, value))
    return UnknownCategory(input, value);
  StoreString(row, column, value);
  return {};
}

void Tensors::StoreString(int64_t row, int column, std::string_view value) {
  const Place& place = places_[static_cast<size_t>(column)];
  Tensor& tensor = tensors_[static_cast<size_t>(place.tensor)];
  const auto at = static_cast<size_t>(row * tensor.width + place.offset);
  std::string& cell = tensor.strings[at];
  const size_t capacity = cell.capacity();
  cell.assign(value);
  text_bytes_ += cell.capacity() - capacity;
  Mark(row, column, false);
}

void Tensors::Mark(int64_t row, int column, bool is_missing) {
  const Place& place = places_[static_cast<size_t>(column)];
  Tensor& tensor = tensors_[static_cast<size_t>(place.tensor)];
  if (tensor.missing.empty()) return;
  tensor.missing[static_cast<size_t>(row * tensor.width + place.offset)] = is_missing ? 1 : 0;
}

Status Tensors::SetBool(int64_t row, int column, bool value) {
  const Input& input = signature_->inputs[static_cast<size_t>(column)];
  if (input.type != Type::kBool) return WrongType(input, value ? "true" : "false");
  StoreNumber(row, column, value ? 1 : 0);
  return {};
}

Status Tensors::SetMissing(int64_t row, int column) {
  const Input& input = signature_->inputs[static_cast<size_t>(column)];
  if (limits_ != Limits::kNone && !input.allows_missing) {
    std::string message = fmt::format("column '{}' is missing (null); {} was expected", input.name,
                                      ExpectedOf(input.type));
    if (!input.missing_reason.empty()) message += fmt::format(" ({})", input.missing_reason);
    return InvalidArgument(std::move(message));
  }
  const Place& place = places_[static_cast<size_t>(column)];
  Tensor& tensor = tensors_[static_cast<size_t>(place.tensor)];
  const auto cell = static_cast<size_t>(row * tensor.width + place.offset);
  if (place.tensor_type == Type::kInt64 && !tensor.missing.empty()) {
    tensor.int64[cell] = 0;
    Mark(row, column, true);
    return {};
  }
  if (place.tensor_type == Type::kInt64) {
    return InvalidArgument(fmt::format(
        "column '{}' is missing (null); the engine has no missing integers, so {} was expected",
        input.name, ExpectedOf(input.type)));
  }
  if (place.tensor_type == Type::kString) {
    tensor.strings[cell].clear();
    Mark(row, column, true);
    return {};
  }
  StoreNumber(row, column, std::numeric_limits<double>::quiet_NaN());
  return {};
}

}  // namespace penstock::package
