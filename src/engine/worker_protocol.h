// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "package/tensors.h"

// The frames between a server and its Python workers: docs/internals/worker-protocol.md.
namespace penstock::engine {

enum class FrameKind : uint16_t {
  kPredict = 1,  // to a worker: the rows of a call
  kAnswer = 2,   // its predictions and, where the signature has them, probabilities
  kRefused = 3,  // the model does not take these rows; one text says why
  kFailed = 4,   // anything else that went wrong in the worker; one text
  kReady = 5,    // the model is loaded and has answered an example
};

inline constexpr size_t kFrameHeaderBytes = 40;
inline constexpr uint32_t kFrameColumnsMax = 1'000'000;

struct FrameHeader {
  FrameKind kind = FrameKind::kPredict;
  uint64_t id = 0;
  uint64_t rows = 0;
  uint32_t columns = 0;
  uint64_t payload_bytes = 0;  // that follow the header
};

// kInternal where the bytes (at least kFrameHeaderBytes) are no header of this version, or its
// payload has more than payload_bytes_max.
Result<FrameHeader> ParseFrameHeader(std::string_view bytes, uint64_t payload_bytes_max);

// One column of a payload; views into it. Numbers are little-endian and may stand anywhere in
// memory.
class FrameColumn {
 public:
  package::Type type() const { return type_; }
  uint64_t count() const { return count_; }
  bool is_missing(uint64_t i) const { return !missing_.empty() && missing_[i] != 0; }
  // A number or a boolean, rounded to double where it is a large integer.
  double Number(uint64_t i) const;
  int64_t Integer(uint64_t i) const;          // of kInt64 and kBool
  std::string_view String(uint64_t i) const;  // of kString

 private:
  friend class PayloadParser;

  package::Type type_ = package::Type::kFloat64;
  uint64_t count_ = 0;
  std::string_view values_;  // of strings: count + 1 offsets into text_
  std::string_view text_;
  std::string_view missing_;  // empty, or a byte for each value
};

// The columns of a payload. kInternal where any offset, length or type in it is not what the page
// says: nothing outside the payload is ever read.
Result<std::vector<FrameColumn>> ParseFramePayload(const FrameHeader& header,
                                                   std::string_view payload);

// Writes one frame, column by column, into a string that is reused.
class FrameWriter {
 public:
  // Begins anew; `columns` are added after it, then Finish is called.
  FrameWriter(FrameKind kind, uint64_t id, uint64_t rows, uint32_t columns, std::string& out);

  void AddFloat64(std::span<const double> values);
  void AddFloat32(std::span<const float> values);
  // missing: empty, or a byte for each value.
  void AddInt64(std::span<const int64_t> values, std::span<const uint8_t> missing = {});
  void AddBool(std::span<const int64_t> values, std::span<const uint8_t> missing = {});
  void AddStrings(std::span<const std::string> values, std::span<const uint8_t> missing = {});
  void Finish();

 private:
  void Add(package::Type type, uint64_t count, std::span<const uint8_t> missing, size_t begin);

  std::string& out_;
  uint32_t columns_;
  uint32_t added_ = 0;
};

// A kPredict frame: each tensor of `input` is one column of the signature.
void WritePredictFrame(uint64_t id, const package::Tensors& input, std::string& out);

}  // namespace penstock::engine
