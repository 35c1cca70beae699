// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/count.h"
#include "cli/commands.h"

namespace penstock::cli {
namespace {

// Characters of UTF-8 text: its bytes but for continuations.
size_t WidthOf(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string AlignedTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - WidthOf(row[i]) + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string TimeText(int64_t time_us) {
  const auto seconds = static_cast<std::time_t>(time_us / 1'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string MicrosecondsText(int64_t ns) {
  constexpr int64_t kShownWholeFrom = 9'950;
  if (ns < kShownWholeFrom) return fmt::format("{:.1f}", static_cast<double>(ns) / 1000);
  return CountText((ns + 500) / 1000);
}

std::string PercentText(double share) {
  if (share <= 0) return "0";
  const double percent = 100 * share;
  const int decimals = 1 - static_cast<int>(std::floor(std::log10(percent)));
  const double unit = std::pow(10.0, -decimals);
  // What is a whole number of units but for its last bits is not rounded up to the next.
  const double rounded = std::ceil(percent / unit - 1e-9) * unit;
  return fmt::format("{:.{}f}", std::min(rounded, 100.0), std::max(decimals, 0));
}

std::string ValueText(const json::Value& value) {
  if (const std::string* text = value.if_string()) return *text;
  const bool is_fraction = value.is_number() && value.if_int() == nullptr;
  return is_fraction ? fmt::format("{:.6g}", value.number()) : json::Write(value);
}

std::vector<std::pair<std::string, json::Value>> Flattened(const json::Value& object) {
  std::vector<std::pair<std::string, json::Value>> flat;
  if (object.if_object() == nullptr) return flat;
  for (const auto& [name, value] : *object.if_object()) {
    if (value.if_object() == nullptr) {
      flat.emplace_back(name, value);
      continue;
    }
    for (auto& [inner, each] : Flattened(value))
      flat.emplace_back(fmt::format("{} {}", name, inner), std::move(each));
  }
  return flat;
}

}  // namespace penstock::cli
