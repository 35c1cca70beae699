// SPDX-License-Identifier: Apache-2.0
#include "engine/own_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_set>
#include <utility>

namespace penstock::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "the container is little-endian");

constexpr size_t kLengthBytes = 8;
constexpr size_t kAlignment = 8;
constexpr std::string_view kMetadata = "__metadata__";
constexpr std::string_view kStepsMember = "penstock";

struct ElementInfo {
  ElementType type;
  std::string_view name;
  size_t size;
};

constexpr std::array<ElementInfo, 6> kElements = {{{ElementType::kFloat64, "F64", 8},
                                                   {ElementType::kFloat32, "F32", 4},
                                                   {ElementType::kInt64, "I64", 8},
                                                   {ElementType::kInt32, "I32", 4},
                                                   {ElementType::kUInt8, "U8", 1},
                                                   {ElementType::kBool, "BOOL", 1}}};

Status Broken(std::string_view why) {
  return InvalidArgument(fmt::format("not an evaluator file: {}", why));
}

Result<ElementType> ElementTypeFromName(std::string_view name) {
  for (const ElementInfo& info : kElements) {
    if (info.name == name) return info.type;
  }
  return InvalidArgument(fmt::format(
      "'{}' is no element type; 'F64', 'F32', 'I64', 'I32', 'U8' or 'BOOL' was expected", name));
}

// The bytes of an array of this shape, or an error where they do not fit in an int64.
Result<int64_t> ByteCount(const OwnArray& array) {
  if (array.shape.size() > kOwnDimensionsMax) {
    return InvalidArgument(fmt::format("array '{}' has {} dimensions; at most {} were expected",
                                       array.name, array.shape.size(), kOwnDimensionsMax));
  }
  int64_t bytes = static_cast<int64_t>(ElementSize(array.type));
  for (const int64_t dimension : array.shape) {
    if (dimension < 0 || __builtin_mul_overflow(bytes, dimension, &bytes)) {
      return InvalidArgument(
          fmt::format("array '{}' has a dimension of {}", array.name, dimension));
    }
  }
  return bytes;
}

template <typename T>
T ElementAt(std::string_view bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

template <typename To, typename From>
std::vector<To> Converted(const OwnArray& array) {
  std::vector<To> values(static_cast<size_t>(array.ElementCount()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<To>(ElementAt<From>(array.bytes, i));
  return values;
}

Result<OwnArray> ArrayFromJson(std::string_view name, const json::Value& value,
                               std::string_view data) {
  OwnArray array{.name = std::string(name)};
  array.type = PENSTOCK_TRY(ElementTypeFromName(PENSTOCK_TRY(value.String("dtype"))));
  for (const json::Value& dimension : PENSTOCK_TRY(value.List("shape"))) {
    if (!dimension.if_int())
      return InvalidArgument(fmt::format("array '{}' has a shape that is no integer", name));
    array.shape.push_back(*dimension.if_int());
  }
  const int64_t bytes = PENSTOCK_TRY(ByteCount(array));
  const json::Array offsets = PENSTOCK_TRY(value.List("data_offsets"));
  if (offsets.size() != 2 || !offsets[0].if_int() || !offsets[1].if_int()) {
    return InvalidArgument(
        fmt::format("array '{}' has data_offsets that are not two integers", name));
  }
  const int64_t begin = *offsets[0].if_int();
  const int64_t end = *offsets[1].if_int();
  const bool is_inside = 0 <= begin && begin <= end && static_cast<uint64_t>(end) <= data.size();
  if (!is_inside || end - begin != bytes) {
    return InvalidArgument(
        fmt::format("array '{}' stands at bytes {} to {} of {}; {} bytes of them were expected",
                    name, begin, end, data.size(), bytes));
  }
  array.bytes = data.substr(static_cast<size_t>(begin), static_cast<size_t>(bytes));
  return array;
}

// Every byte of the data belongs to exactly one array, as the container's specification demands.
Status CheckCoverage(const std::vector<OwnArray>& arrays, std::string_view data) {
  std::vector<std::string_view> pieces;
  for (const OwnArray& array : arrays) pieces.push_back(array.bytes);
  const auto place = [&](std::string_view piece) {
    return static_cast<size_t>(piece.data() - data.data());
  };
  std::sort(pieces.begin(), pieces.end(), [&](std::string_view a, std::string_view b) {
    return std::pair(place(a), a.size()) < std::pair(place(b), b.size());
  });
  size_t covered = 0;
  for (const std::string_view piece : pieces) {
    if (place(piece) != covered)
      return InvalidArgument(fmt::format("byte {} belongs to no array or to two", covered));
    covered += piece.size();
  }
  if (covered != data.size())
    return InvalidArgument(fmt::format("{} bytes belong to no array", data.size() - covered));
  return {};
}

Result<OwnFile> FromHeader(const json::Value& header, std::string_view data) {
  OwnFile file;
  if (!header.if_object()) return InvalidArgument("the header is no object");
  for (const auto& [name, value] : *header.if_object()) {
    if (name == kMetadata) continue;
    file.arrays.push_back(PENSTOCK_TRY(ArrayFromJson(name, value, data)));
  }
  PENSTOCK_TRY(CheckCoverage(file.arrays, data));
  const json::Value metadata = PENSTOCK_TRY(header.Member(kMetadata));
  file.steps = PENSTOCK_TRY(json::Parse(PENSTOCK_TRY(metadata.String(kStepsMember))));
  if (!file.steps.if_array()) return InvalidArgument("the steps are no list");
  return file;
}

Status CheckArrays(std::span<const OwnArray> arrays) {
  std::unordered_set<std::string_view> names = {kMetadata};
  for (const OwnArray& array : arrays) {
    const int64_t bytes = PENSTOCK_TRY(ByteCount(array));
    if (static_cast<uint64_t>(bytes) != array.bytes.size()) {
      return InvalidArgument(fmt::format("array '{}' has {} bytes; {} were expected for its shape",
                                         array.name, array.bytes.size(), bytes));
    }
    if (!names.insert(array.name).second) {
      return InvalidArgument(
          fmt::format("array '{}' stands twice, or has a reserved name", array.name));
    }
  }
  return {};
}

}  // namespace

std::string_view ElementTypeName(ElementType type) {
  return kElements[static_cast<size_t>(type)].name;
}

size_t ElementSize(ElementType type) { return kElements[static_cast<size_t>(type)].size; }

int64_t OwnArray::ElementCount() const {
  return static_cast<int64_t>(bytes.size() / ElementSize(type));
}

std::vector<double> OwnArray::Numbers() const {
  switch (type) {
    case ElementType::kFloat64:
      return Converted<double, double>(*this);
    case ElementType::kFloat32:
      return Converted<double, float>(*this);
    case ElementType::kInt64:
      return Converted<double, int64_t>(*this);
    case ElementType::kInt32:
      return Converted<double, int32_t>(*this);
    case ElementType::kUInt8:
    case ElementType::kBool:
      break;
  }
  return Converted<double, uint8_t>(*this);
}

Result<std::vector<int64_t>> OwnArray::Integers() const {
  switch (type) {
    case ElementType::kInt64:
      return Converted<int64_t, int64_t>(*this);
    case ElementType::kInt32:
      return Converted<int64_t, int32_t>(*this);
    case ElementType::kUInt8:
    case ElementType::kBool:
      return Converted<int64_t, uint8_t>(*this);
    case ElementType::kFloat64:
    case ElementType::kFloat32:
      break;
  }
  return InvalidArgument(fmt::format("array '{}' has elements of type {}; integers were expected",
                                     name, ElementTypeName(type)));
}

Result<std::string> WriteOwn(const json::Value& steps, std::span<const OwnArray> arrays) {
  PENSTOCK_TRY(CheckArrays(arrays));
  json::Object header = {
      {std::string(kMetadata), json::Object{{std::string(kStepsMember), json::Write(steps)}}}};
  size_t offset = 0;
  for (const OwnArray& array : arrays) {
    json::Array shape(array.shape.begin(), array.shape.end());
    const size_t end = offset + array.bytes.size();
    header.emplace_back(array.name, json::Object{{"dtype", ElementTypeName(array.type)},
                                                 {"shape", std::move(shape)},
                                                 {"data_offsets", json::Array{offset, end}}});
    offset = end;
  }
  std::string text = json::Write(json::Value(std::move(header)));
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  if (text.size() > kOwnHeaderBytesMax) {
    return InvalidArgument(fmt::format("the header would have {} bytes; at most {} were expected",
                                       text.size(), kOwnHeaderBytesMax));
  }
  std::string bytes(kLengthBytes, '\0');
  const uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, kLengthBytes);
  bytes.reserve(kLengthBytes + text.size() + offset);
  bytes += text;
  for (const OwnArray& array : arrays) bytes += array.bytes;
  return bytes;
}

const OwnArray* OwnFile::Find(std::string_view name) const {
  const auto found =
      std::find_if(arrays.begin(), arrays.end(), [&](const OwnArray& a) { return a.name == name; });
  return found == arrays.end() ? nullptr : &*found;
}

Result<OwnFile> ReadOwn(std::string_view bytes) {
  if (bytes.size() < kLengthBytes) return Broken(fmt::format("it has {} bytes", bytes.size()));
  const auto length = ElementAt<uint64_t>(bytes, 0);
  if (length > kOwnHeaderBytesMax || length > bytes.size() - kLengthBytes) {
    return Broken(fmt::format("its header of {} bytes does not fit", length));
  }
  const auto header = json::Parse(bytes.substr(kLengthBytes, length));
  if (!header.ok()) return Broken(header.status().message());
  auto file = FromHeader(*header, bytes.substr(kLengthBytes + length));
  if (!file.ok()) return Broken(file.status().message());
  return file;
}

}  // namespace penstock::engine
