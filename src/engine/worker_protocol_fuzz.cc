// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "engine/worker_protocol.h"

// Any bytes are a frame that is refused, or one whose every value can be read.
namespace penstock::engine {
namespace {

constexpr uint64_t kPayloadBytesMax = 1 << 20;

void Read(const FrameColumn& column) {
  for (uint64_t i = 0; i < column.count(); ++i) {
    if (column.type() == package::Type::kString) {
      const std::string_view text = column.String(i);
      for (const char c : text) PENSTOCK_CHECK(static_cast<unsigned char>(c) != 0xFF);
    } else {
      const double number = column.Number(i);
      PENSTOCK_CHECK(number == number || column.type() != package::Type::kInt64);
    }
    static_cast<void>(column.is_missing(i));
  }
}

void Receive(std::string_view bytes) {
  if (bytes.size() < kFrameHeaderBytes) return;
  const auto header = ParseFrameHeader(bytes, kPayloadBytesMax);
  if (!header.ok()) return;
  PENSTOCK_CHECK(header->payload_bytes <= kPayloadBytesMax);
  const auto columns = ParseFramePayload(*header, bytes.substr(kFrameHeaderBytes));
  if (!columns.ok()) return;
  PENSTOCK_CHECK(columns->size() == header->columns);
  for (const FrameColumn& column : *columns) Read(column);
}

}  // namespace
}  // namespace penstock::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  penstock::engine::Receive(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
