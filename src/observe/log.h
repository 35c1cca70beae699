// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"

namespace penstock::observe {

enum class Level { kDebug, kInfo, kWarning, kError };

std::string_view LevelName(Level level);  // "debug", "info", "warning", "error"

// A key and a value of a record. Keys come from code; values may come from anywhere.
struct Field {
  std::string key;
  std::variant<std::string, int64_t, double, bool> value;
};

// Something that happened. A value type.
struct Record {
  Level level = Level::kInfo;
  int64_t time_us = 0;
  std::string message;
  std::vector<Field> fields;
};

// Where records go. Thread-safe.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(const Record& record) = 0;
};

enum class LogFormat { kText, kJson };

// One line without its end:
//   kText: `info 2026-11-23T21:10:00.123456Z serving model=churn version=1`
//   kJson: {"level":"info","time":"...","message":"serving","model":"churn","version":1}
// Whatever a message or value holds, it stays one line, and no control character reaches a
// terminal: those and bytes that are not UTF-8 are escaped.
std::string FormatRecord(const Record& record, LogFormat format);

// Writes each record as one line with one write(2), so that lines of several processes do not mix.
// Does not own fd.
class LineSink final : public LogSink {
 public:
  LineSink(int fd, LogFormat format) : fd_(fd), format_(format) {}
  void Write(const Record& record) override;

 private:
  int fd_;
  LogFormat format_;
};

// Keeps records, for tests.
class MemorySink final : public LogSink {
 public:
  void Write(const Record& record) override;
  std::vector<Record> Records() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Record> records_;
};

// What code logs with. Thread-safe. sink and clock must outlive it.
class Logger {
 public:
  Logger(LogSink* sink, const Clock* clock, Level level_min = Level::kInfo)
      : sink_(sink), clock_(clock), level_min_(level_min) {}

  void Log(Level level, std::string_view message, std::initializer_list<Field> fields = {}) const;
  void Info(std::string_view message, std::initializer_list<Field> fields = {}) const {
    Log(Level::kInfo, message, fields);
  }
  void Warning(std::string_view message, std::initializer_list<Field> fields = {}) const {
    Log(Level::kWarning, message, fields);
  }
  void Error(std::string_view message, std::initializer_list<Field> fields = {}) const {
    Log(Level::kError, message, fields);
  }

 private:
  LogSink* sink_;
  const Clock* clock_;
  Level level_min_;
};

}  // namespace penstock::observe
