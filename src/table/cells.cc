// SPDX-License-Identifier: Apache-2.0
#include "table/cells.h"

#include <fmt/format.h>

#include <chrono>
#include <limits>
#include <string_view>

namespace penstock::table {
namespace {

constexpr int64_t kUs = 1'000'000;
constexpr int64_t kNs = 1'000'000'000;

// DuckDB's infinite dates and timestamps: the largest count, and its negative.
template <typename Count>
const char* InfinityText(Count count) {
  constexpr Count kInfinity = std::numeric_limits<Count>::max();
  if (count == kInfinity) return "infinity";
  return count == -kInfinity ? "-infinity" : nullptr;
}

// The calendar repeats after 400 years; a std::chrono::year ends at 32767.
std::string DateText(int64_t days) {
  constexpr int64_t kCycleDays = 146'097;
  const int64_t in_cycle = (days % kCycleDays + kCycleDays) % kCycleDays;
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(in_cycle)))};
  const int64_t cycles = days / kCycleDays - (days % kCycleDays < 0 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}", int{date.year()} + 400 * cycles,
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

// Seconds of a day and what is left of them, in `per_second` parts; without trailing zeros.
std::string TimeText(int64_t seconds, int64_t parts, int64_t per_second) {
  std::string text =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (parts == 0) return text;
  std::string digits = fmt::format("{}", per_second + parts).substr(1);
  digits.erase(digits.find_last_not_of('0') + 1);
  return text + "." + digits;
}

std::string TimestampText(int64_t count, int64_t per_second, std::string_view zone = "") {
  if (const char* text = InfinityText(count)) return text;
  const int64_t per_day = 86'400 * per_second;
  const int64_t of_day = (count % per_day + per_day) % per_day;
  const int64_t days = count / per_day - (count % per_day < 0 ? 1 : 0);
  return fmt::format("{}T{}{}", DateText(days),
                     TimeText(of_day / per_second, of_day % per_second, per_second), zone);
}

}  // namespace

Cell CellAt(const Batch& batch, ColumnType type, int64_t column, int64_t row) {
  const ArrowArray& array = *batch.get()->children[column];
  const int64_t at = row + array.offset + batch.get()->offset;
  const auto bit_at = [at](const void* bits) {
    return (static_cast<const uint8_t*>(bits)[at / 8] >> (at % 8) & 1) != 0;
  };
  const auto value = [&]<typename T>(T) { return static_cast<const T*>(array.buffers[1])[at]; };
  if (array.buffers[0] != nullptr && !bit_at(array.buffers[0])) return std::monostate();
  switch (type) {
    case ColumnType::kBool:
      return bit_at(array.buffers[1]);
    case ColumnType::kInt8:
      return int64_t{value(int8_t())};
    case ColumnType::kInt16:
      return int64_t{value(int16_t())};
    case ColumnType::kInt32:
      return int64_t{value(int32_t())};
    case ColumnType::kInt64:
      return value(int64_t());
    case ColumnType::kUInt8:
      return uint64_t{value(uint8_t())};
    case ColumnType::kUInt16:
      return uint64_t{value(uint16_t())};
    case ColumnType::kUInt32:
      return uint64_t{value(uint32_t())};
    case ColumnType::kUInt64:
      return value(uint64_t());
    case ColumnType::kFloat32:
      return double{value(float())};
    case ColumnType::kFloat64:
      return value(double());
    case ColumnType::kString:
    case ColumnType::kBinary: {
      const auto* offsets = static_cast<const int32_t*>(array.buffers[1]);
      const auto* bytes = static_cast<const char*>(array.buffers[2]);
      return std::string(bytes + offsets[at], bytes + offsets[at + 1]);
    }
    case ColumnType::kDate32:
      if (const char* text = InfinityText(value(int32_t()))) return text;
      return DateText(value(int32_t()));
    case ColumnType::kTimeUs:
      return TimeText(value(int64_t()) / kUs, value(int64_t()) % kUs, kUs);
    case ColumnType::kTimestampUs:
      return TimestampText(value(int64_t()), kUs);
    case ColumnType::kTimestampNs:
      return TimestampText(value(int64_t()), kNs);
    case ColumnType::kTimestampUsUtc:
      return TimestampText(value(int64_t()), kUs, "Z");
  }
  return std::monostate();
}

}  // namespace penstock::table
