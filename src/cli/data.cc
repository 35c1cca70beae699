// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "cli/commands.h"
#include "data/source.h"
#include "json/text.h"
#include "json/value.h"
#include "table/cells.h"

namespace penstock::cli {
namespace {

constexpr size_t kCellBytesShownMax = 60;

std::string HexText(std::string_view bytes) {
  std::string text = "0x";
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

json::Value ToJson(const table::Cell& cell, table::ColumnType type) {
  if (const auto* value = std::get_if<bool>(&cell)) return *value;
  if (const auto* value = std::get_if<int64_t>(&cell)) return *value;
  if (const auto* value = std::get_if<double>(&cell)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&cell)) {
    // Beyond int64 a JSON number would lose digits.
    return std::in_range<int64_t>(*value) ? json::Value(static_cast<int64_t>(*value))
                                          : json::Value(fmt::format("{}", *value));
  }
  if (const auto* text = std::get_if<std::string>(&cell))
    return type == table::ColumnType::kBinary ? HexText(*text) : *text;
  return nullptr;
}

// On one line: a cell may hold anything.
std::string ToText(const table::Cell& cell, table::ColumnType type) {
  const json::Value value = ToJson(cell, type);
  if (value.is_null()) return "NULL";
  std::string text = value.if_string() != nullptr ? *value.if_string() : json::Write(value);
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  if (text.size() <= kCellBytesShownMax) return text;
  return std::string(CutUtf8(text, kCellBytesShownMax)) + "...";
}

struct Head {
  std::vector<table::Field> fields;
  std::vector<std::vector<table::Cell>> rows;
};

Result<Head> ReadHead(const std::string& uri, int64_t rows_max) {
  table::TableStream stream = PENSTOCK_TRY(data::Read(uri));
  Head head{.fields = PENSTOCK_TRY(stream.Fields())};
  while (std::cmp_less(head.rows.size(), rows_max)) {
    const table::Batch batch = PENSTOCK_TRY(stream.Next());
    if (batch.empty()) break;
    const int64_t wanted =
        std::min(batch.get()->length, rows_max - static_cast<int64_t>(head.rows.size()));
    for (int64_t row = 0; row < wanted; ++row) {
      std::vector<table::Cell>& cells = head.rows.emplace_back();
      for (size_t i = 0; i < head.fields.size(); ++i)
        cells.push_back(table::CellAt(batch, head.fields[i].type, static_cast<int64_t>(i), row));
    }
  }
  return head;
}

}  // namespace

Status ShowHead(const DataHeadCommand& command, Terminal& terminal) {
  const Head head = PENSTOCK_TRY(ReadHead(command.uri, command.rows_max));
  json::Array records;
  std::vector<std::vector<std::string>> lines(1);
  for (const table::Field& field : head.fields) lines[0].push_back(field.name);
  for (const std::vector<table::Cell>& cells : head.rows) {
    json::Object record;
    std::vector<std::string>& line = lines.emplace_back();
    for (size_t i = 0; i < cells.size(); ++i) {
      record.emplace_back(head.fields[i].name, ToJson(cells[i], head.fields[i].type));
      line.push_back(ToText(cells[i], head.fields[i].type));
    }
    records.emplace_back(std::move(record));
  }
  terminal.Out(command.is_json ? json::WritePretty(records) : AlignedTable(lines));
  return {};
}

Status ShowSchema(const DataSchemaCommand& command, Terminal& terminal) {
  table::TableStream stream = PENSTOCK_TRY(data::Read(command.uri));
  json::Array columns;
  std::vector<std::vector<std::string>> lines = {{"COLUMN", "TYPE"}};
  for (const table::Field& field : PENSTOCK_TRY(stream.Fields())) {
    const std::string type(table::ColumnTypeName(field.type));
    columns.emplace_back(json::Object{{"name", field.name}, {"type", type}});
    lines.push_back({field.name, type});
  }
  terminal.Out(command.is_json ? json::WritePretty(columns) : AlignedTable(lines));
  return {};
}

}  // namespace penstock::cli
