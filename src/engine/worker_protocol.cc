// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "base/utf8.h"

namespace penstock::engine {

using package::Type;

static_assert(std::endian::native == std::endian::little, "frames are little-endian");

namespace {

constexpr std::string_view kMagic = "PSWK";
constexpr uint16_t kVersionOfFrames = 1;
constexpr size_t kColumnEntryBytes = 24;
constexpr size_t kAlignment = 8;

// In the order of the wire's numbers, from 1 on.
constexpr Type kTypes[] = {Type::kBool, Type::kInt64, Type::kFloat32, Type::kFloat64,
                           Type::kString};

template <typename T>
T Load(std::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <typename T>
void Store(std::string& out, size_t offset, T value) {
  std::memcpy(out.data() + offset, &value, sizeof(T));
}

void Append(std::string& out, const void* bytes, size_t count) {
  out.append(static_cast<const char*>(bytes), count);
}

size_t ValueBytes(Type type) {
  if (type == Type::kBool) return 1;
  return type == Type::kFloat32 ? 4 : 8;
}

uint8_t CodeOf(Type type) {
  for (size_t i = 0; i < std::size(kTypes); ++i) {
    if (kTypes[i] == type) return static_cast<uint8_t>(i + 1);
  }
  return 0;
}

uint64_t Padded(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

Status Broken(std::string_view why) { return Internal(fmt::format("not a frame: {}", why)); }

}  // namespace

Result<FrameHeader> ParseFrameHeader(std::string_view bytes, uint64_t payload_bytes_max) {
  PENSTOCK_CHECK(bytes.size() >= kFrameHeaderBytes);
  if (!bytes.starts_with(kMagic)) return Broken("it does not begin with 'PSWK'");
  const auto version = Load<uint16_t>(bytes, 4);
  if (version != kVersionOfFrames) {
    return Broken(fmt::format("it is of version {}; {} was expected", version, kVersionOfFrames));
  }
  const auto kind = Load<uint16_t>(bytes, 6);
  if (kind < 1 || kind > static_cast<uint16_t>(FrameKind::kReady))
    return Broken(fmt::format("its kind is {}; 1 to 5 was expected", kind));
  FrameHeader header{.kind = static_cast<FrameKind>(kind),
                     .id = Load<uint64_t>(bytes, 8),
                     .rows = Load<uint64_t>(bytes, 16),
                     .columns = Load<uint32_t>(bytes, 24),
                     .payload_bytes = Load<uint64_t>(bytes, 32)};
  if (Load<uint32_t>(bytes, 28) != 0) return Broken("a reserved field is not 0");
  if (header.payload_bytes > payload_bytes_max) {
    return Broken(fmt::format("it says that {} bytes follow; at most {} were expected",
                              header.payload_bytes, payload_bytes_max));
  }
  if (header.columns > kFrameColumnsMax ||
      header.columns * kColumnEntryBytes > header.payload_bytes) {
    return Broken(fmt::format("it says that it has {} columns in {} bytes", header.columns,
                              header.payload_bytes));
  }
  return header;
}

// Walks the table of columns and the sections behind it.
class PayloadParser {
 public:
  PayloadParser(const FrameHeader& header, std::string_view payload)
      : columns_(header.columns),
        payload_(payload),
        offset_(uint64_t{header.columns} * kColumnEntryBytes) {}

  Result<std::vector<FrameColumn>> Parse() {
    if (offset_ > payload_.size()) return Broken("its table of columns is cut off");
    std::vector<FrameColumn> columns;
    columns.reserve(columns_);
    for (uint32_t i = 0; i < columns_; ++i) {
      auto column = ParseColumn(i);
      if (!column.ok()) return column.status().Prefixed(fmt::format("column {}", i));
      columns.push_back(*column);
    }
    if (offset_ != payload_.size())
      return Broken(fmt::format("{} bytes stand behind its columns", payload_.size() - offset_));
    return columns;
  }

 private:
  Result<FrameColumn> ParseColumn(uint32_t index) {
    const std::string_view entry = payload_.substr(index * kColumnEntryBytes, kColumnEntryBytes);
    const auto code = Load<uint8_t>(entry, 0);
    const auto has_missing = Load<uint8_t>(entry, 1);
    const auto bytes = Load<uint64_t>(entry, 16);
    FrameColumn column;
    column.count_ = Load<uint64_t>(entry, 8);
    if (code < 1 || code > std::size(kTypes))
      return Broken(fmt::format("its type is {}; 1 to 5 was expected", code));
    if (has_missing > 1 || Load<uint16_t>(entry, 2) != 0 || Load<uint32_t>(entry, 4) != 0)
      return Broken("a flag or reserved field is not as expected");
    column.type_ = kTypes[code - 1];
    const uint64_t left = payload_.size() - offset_;
    // Each value takes at least a byte, so that no product below is beyond uint64_t.
    if (bytes > left || column.count_ > bytes)
      return Broken(
          fmt::format("{} values in {} bytes, of {} that are left", column.count_, bytes, left));
    const std::string_view section = payload_.substr(offset_, bytes);
    PENSTOCK_TRY(Divide(section, has_missing != 0, column));
    if (Padded(bytes) > left) return Broken("its padding is cut off");
    offset_ += Padded(bytes);
    return column;
  }

  // Into values, text and marks.
  static Status Divide(std::string_view section, bool has_missing, FrameColumn& column) {
    const bool is_string = column.type_ == Type::kString;
    const uint64_t values =
        (column.count_ + (is_string ? 1 : 0)) * static_cast<uint64_t>(ValueBytes(column.type_));
    const uint64_t marks = has_missing ? column.count_ : 0;
    const bool fits =
        values + marks <= section.size() && (is_string || values + marks == section.size());
    if (!fits) return Broken(fmt::format("{} values do not fit its bytes", column.count_));
    column.values_ = section.substr(0, values);
    column.text_ = section.substr(values, section.size() - values - marks);
    column.missing_ = section.substr(section.size() - marks);
    return is_string ? CheckStrings(column) : Status();
  }

  static Status CheckStrings(const FrameColumn& column) {
    uint64_t before = 0;
    for (uint64_t i = 0; i <= column.count_; ++i) {
      const auto offset = Load<uint64_t>(column.values_, i * sizeof(uint64_t));
      if (offset < before || offset > column.text_.size() || (i == 0 && offset != 0))
        return Broken(fmt::format("the offset of text {} is {}", i, offset));
      before = offset;
    }
    if (before != column.text_.size()) return Broken("bytes stand behind its last text");
    for (uint64_t i = 0; i < column.count_; ++i) {
      if (!IsUtf8(column.String(i))) return Broken(fmt::format("text {} is not UTF-8", i));
    }
    return {};
  }

  uint32_t columns_;
  std::string_view payload_;
  uint64_t offset_;  // of the next section
};

Result<std::vector<FrameColumn>> ParseFramePayload(const FrameHeader& header,
                                                   std::string_view payload) {
  if (payload.size() != header.payload_bytes) return Broken("its payload is cut off");
  return PayloadParser(header, payload).Parse();
}

double FrameColumn::Number(uint64_t i) const {
  if (type_ == Type::kFloat64) return Load<double>(values_, i * sizeof(double));
  if (type_ == Type::kFloat32) return static_cast<double>(Load<float>(values_, i * sizeof(float)));
  return static_cast<double>(Integer(i));
}

int64_t FrameColumn::Integer(uint64_t i) const {
  if (type_ == Type::kBool) return values_[i] != 0 ? 1 : 0;
  PENSTOCK_CHECK(type_ == Type::kInt64);
  return Load<int64_t>(values_, i * sizeof(int64_t));
}

std::string_view FrameColumn::String(uint64_t i) const {
  PENSTOCK_CHECK(type_ == Type::kString);
  const auto begin = Load<uint64_t>(values_, i * sizeof(uint64_t));
  const auto end = Load<uint64_t>(values_, (i + 1) * sizeof(uint64_t));
  return text_.substr(begin, end - begin);
}

FrameWriter::FrameWriter(FrameKind kind, uint64_t id, uint64_t rows, uint32_t columns,
                         std::string& out)
    : out_(out), columns_(columns) {
  out_.assign(kFrameHeaderBytes + columns * kColumnEntryBytes, '\0');
  kMagic.copy(out_.data(), kMagic.size());
  Store(out_, 4, kVersionOfFrames);
  Store(out_, 6, static_cast<uint16_t>(kind));
  Store(out_, 8, id);
  Store(out_, 16, rows);
  Store(out_, 24, columns);
}

// The section from `begin` on is complete but for its marks and padding.
void FrameWriter::Add(Type type, uint64_t count, std::span<const uint8_t> missing, size_t begin) {
  PENSTOCK_CHECK(added_ < columns_);
  PENSTOCK_CHECK(missing.empty() || missing.size() >= count);
  if (!missing.empty()) Append(out_, missing.data(), count);
  const uint64_t bytes = out_.size() - begin;
  out_.append(Padded(bytes) - bytes, '\0');
  const size_t entry = kFrameHeaderBytes + added_++ * kColumnEntryBytes;
  Store(out_, entry, CodeOf(type));
  Store(out_, entry + 1, static_cast<uint8_t>(missing.empty() ? 0 : 1));
  Store(out_, entry + 8, count);
  Store(out_, entry + 16, bytes);
}

void FrameWriter::AddFloat64(std::span<const double> values) {
  const size_t begin = out_.size();
  Append(out_, values.data(), values.size_bytes());
  Add(Type::kFloat64, values.size(), {}, begin);
}

void FrameWriter::AddFloat32(std::span<const float> values) {
  const size_t begin = out_.size();
  Append(out_, values.data(), values.size_bytes());
  Add(Type::kFloat32, values.size(), {}, begin);
}

void FrameWriter::AddInt64(std::span<const int64_t> values, std::span<const uint8_t> missing) {
  const size_t begin = out_.size();
  Append(out_, values.data(), values.size_bytes());
  Add(Type::kInt64, values.size(), missing, begin);
}

void FrameWriter::AddBool(std::span<const int64_t> values, std::span<const uint8_t> missing) {
  const size_t begin = out_.size();
  for (const int64_t value : values) out_ += static_cast<char>(value != 0 ? 1 : 0);
  Add(Type::kBool, values.size(), missing, begin);
}

void FrameWriter::AddStrings(std::span<const std::string> values,
                             std::span<const uint8_t> missing) {
  const size_t begin = out_.size();
  uint64_t end = 0;
  Append(out_, &end, sizeof(end));
  for (const std::string& value : values) {
    end += value.size();
    Append(out_, &end, sizeof(end));
  }
  for (const std::string& value : values) out_ += value;
  Add(Type::kString, values.size(), missing, begin);
}

void FrameWriter::Finish() {
  PENSTOCK_CHECK(added_ == columns_);
  Store(out_, 32, uint64_t{out_.size() - kFrameHeaderBytes});
}

void WritePredictFrame(uint64_t id, const package::Tensors& input, std::string& out) {
  const auto rows = static_cast<size_t>(input.rows());
  const auto& inputs = input.signature().inputs;
  FrameWriter writer(FrameKind::kPredict, id, rows, static_cast<uint32_t>(inputs.size()), out);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const package::Tensor& tensor = input.tensors()[i];
    PENSTOCK_CHECK(tensor.width == 1);
    std::span<const uint8_t> missing(tensor.missing);
    if (std::ranges::find(missing, 1) == missing.end()) missing = {};
    if (inputs[i].type == Type::kString) {
      writer.AddStrings(std::span(tensor.strings).first(rows), missing);
    } else if (inputs[i].type == Type::kBool) {
      writer.AddBool(tensor.int64, missing);
    } else if (inputs[i].type == Type::kInt64) {
      writer.AddInt64(tensor.int64, missing);
    } else if (inputs[i].type == Type::kFloat32) {
      writer.AddFloat32(tensor.float32);
    } else {
      writer.AddFloat64(tensor.float64);
    }
  }
  writer.Finish();
}

}  // namespace penstock::engine
