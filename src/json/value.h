// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace penstock::json {

class Value;
using Array = std::vector<Value>;
// Members in the order of the document; names are unique.
using Object = std::vector<std::pair<std::string, Value>>;

// A JSON value (RFC 8259) for everything that is not hot: manifests, reports, configuration.
// Integers that fit int64 keep their exact value; every other number is a double. A value type;
// const access is thread-safe.
class Value {
 public:
  Value() = default;
  // NOLINTBEGIN(google-explicit-constructor)
  Value(std::nullptr_t) {}
  Value(bool value) : data_(value) {}
  Value(int value) : data_(int64_t{value}) {}
  Value(int64_t value) : data_(value) {}
  Value(size_t value) : data_(static_cast<int64_t>(value)) {}
  Value(double value) : data_(value) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(std::string_view value) : data_(std::string(value)) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(Array value) : data_(std::move(value)) {}
  Value(Object value) : data_(std::move(value)) {}
  // NOLINTEND(google-explicit-constructor)

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  // Null pointers where the value is of another kind.
  const bool* if_bool() const { return std::get_if<bool>(&data_); }
  const int64_t* if_int() const { return std::get_if<int64_t>(&data_); }
  const std::string* if_string() const { return std::get_if<std::string>(&data_); }
  const Array* if_array() const { return std::get_if<Array>(&data_); }
  const Object* if_object() const { return std::get_if<Object>(&data_); }
  bool is_number() const { return if_int() != nullptr || std::holds_alternative<double>(data_); }
  // The number as a double; 0 where the value is no number.
  double number() const;

  // The member of an object; null where the value is no object or has no such member.
  const Value* Find(std::string_view name) const;

  // The member, of the kind asked for; the error names the member, what it is and what was
  // expected.
  Result<std::string> String(std::string_view name) const;
  Result<int64_t> Int(std::string_view name) const;
  Result<double> Number(std::string_view name) const;
  Result<bool> Bool(std::string_view name) const;
  // Copies: manifests are small.
  Result<Array> List(std::string_view name) const;
  Result<Value> Member(std::string_view name) const;

  // Adds a member, or replaces it. The value must be an object or null (which becomes an object).
  void Set(std::string_view name, Value value);

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> data_;
};

inline constexpr size_t kParseBytesMax = size_t{1} << 30;
inline constexpr int kParseDepthMax = 128;

// The value of a whole document. Refuses (kInvalidArgument) what RFC 8259 does not allow, invalid
// UTF-8, duplicate member names, depth beyond kParseDepthMax and numbers beyond the range of
// double.
Result<Value> Parse(std::string_view text);

// The shortest text that Parse turns into the same value. Not a number and infinity have no JSON
// form: they are written as the strings "NaN", "Infinity", "-Infinity", which only reports contain.
std::string Write(const Value& value);
// The same, indented by two spaces.
std::string WritePretty(const Value& value);

}  // namespace penstock::json
