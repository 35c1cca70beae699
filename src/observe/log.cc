// SPDX-License-Identifier: Apache-2.0
#include "observe/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <ctime>

#include "base/utf8.h"

namespace penstock::observe {
namespace {

// The length of the UTF-8 sequence at the start of text that a terminal may be shown, or 0.
// U+0080 to U+009F (lead C2, below A0) are control characters: U+009B starts a command.
size_t PrintableLength(std::string_view text) {
  const size_t length = Utf8SequenceLength(text);
  const bool is_control =
      length == 2 && text[0] == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0;
  return is_control ? 0 : length;
}

// Escapes so that text stays on one line between double quotes. JSON has no \x, text may well have.
void AppendEscaped(std::string& out, std::string_view text, LogFormat format) {
  while (!text.empty()) {
    const char c = text[0];
    const auto byte = static_cast<unsigned char>(c);
    size_t length = 1;
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else if (const size_t sequence = byte < 0x80 ? 0 : PrintableLength(text); sequence > 0) {
      out += text.substr(0, sequence);
      length = sequence;
    } else if (format == LogFormat::kJson) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    }
    text.remove_prefix(length);
  }
}

void AppendQuoted(std::string& out, std::string_view text, LogFormat format) {
  out += '"';
  AppendEscaped(out, text, format);
  out += '"';
}

bool IsBareWord(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F)
      return false;
    if (c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

void AppendTime(std::string& out, int64_t time_us) {
  const auto seconds = static_cast<time_t>(time_us / 1'000'000);
  tm utc = {};
  gmtime_r(&seconds, &utc);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                 utc.tm_sec, time_us % 1'000'000);
}

void AppendNumber(std::string& out, double value, LogFormat format) {
  if (format == LogFormat::kJson && !std::isfinite(value))
    return AppendQuoted(out, fmt::format("{}", value), format);
  std::array<char, 32> buffer;
  out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
}

void AppendValue(std::string& out, const Field& field, LogFormat format) {
  if (const auto* text = std::get_if<std::string>(&field.value)) {
    if (format == LogFormat::kText && IsBareWord(*text)) {
      out += *text;
    } else {
      AppendQuoted(out, *text, format);
    }
  } else if (const auto* integer = std::get_if<int64_t>(&field.value)) {
    fmt::format_to(std::back_inserter(out), "{}", *integer);
  } else if (const auto* number = std::get_if<double>(&field.value)) {
    AppendNumber(out, *number, format);
  } else {
    out += std::get<bool>(field.value) ? "true" : "false";
  }
}

std::string FormatText(const Record& record) {
  std::string line(LevelName(record.level));
  line += ' ';
  AppendTime(line, record.time_us);
  line += ' ';
  AppendEscaped(line, record.message, LogFormat::kText);
  for (const Field& field : record.fields) {
    line.append(" ").append(field.key).append("=");
    AppendValue(line, field, LogFormat::kText);
  }
  return line;
}

std::string FormatJson(const Record& record) {
  std::string line = "{\"level\":\"";
  line.append(LevelName(record.level)).append("\",\"time\":\"");
  AppendTime(line, record.time_us);
  line += "\",\"message\":";
  AppendQuoted(line, record.message, LogFormat::kJson);
  for (const Field& field : record.fields) {
    line += ',';
    AppendQuoted(line, field.key, LogFormat::kJson);
    line += ':';
    AppendValue(line, field, LogFormat::kJson);
  }
  line += '}';
  return line;
}

}  // namespace

std::string_view LevelName(Level level) {
  constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warning", "error"};
  return kNames.at(static_cast<size_t>(level));
}

std::string FormatRecord(const Record& record, LogFormat format) {
  return format == LogFormat::kText ? FormatText(record) : FormatJson(record);
}

void LineSink::Write(const Record& record) {
  const std::string line = FormatRecord(record, format_) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    // A log that cannot be written must not stop the service, and there is nowhere to say so.
    if (written <= 0) return;
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

void MemorySink::Write(const Record& record) {
  const std::lock_guard lock(mutex_);
  records_.push_back(record);
}

std::vector<Record> MemorySink::Records() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

void Logger::Log(Level level, std::string_view message, std::initializer_list<Field> fields) const {
  if (level < level_min_) return;
  sink_->Write({level, clock_->NowUs(), std::string(message), fields});
}

}  // namespace penstock::observe
