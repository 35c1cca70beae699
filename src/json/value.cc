// SPDX-License-Identifier: Apache-2.0
#include "json/value.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "base/names.h"
#include "json/text.h"

namespace penstock::json {
namespace {

std::string_view KindOf(const Value& value) {
  if (value.is_null()) return "null";
  if (value.if_bool()) return "a boolean";
  if (value.is_number()) return "a number";
  if (value.if_string()) return "a string";
  return value.if_array() ? "an array" : "an object";
}

Status WrongKind(const Value* found, std::string_view name, std::string_view expected) {
  if (found == nullptr)
    return InvalidArgument(fmt::format("member '{}' is missing; {} was expected", name, expected));
  return InvalidArgument(
      fmt::format("member '{}' is {}; {} was expected", name, KindOf(*found), expected));
}

Status ParseError(simdjson::error_code error) {
  return InvalidArgument(fmt::format("not valid JSON: {}", simdjson::error_message(error)));
}

// Among so few, looking at each costs less than hashing.
constexpr size_t kScannedMembersMax = 16;

bool HasMember(const Object& object, std::string_view name) {
  return std::ranges::any_of(object, [&](const auto& member) { return member.first == name; });
}

Result<Value> Convert(simdjson::dom::element element);

Result<Value> ConvertArray(simdjson::dom::array elements) {
  Array array;
  for (simdjson::dom::element element : elements) array.push_back(PENSTOCK_TRY(Convert(element)));
  return Value(std::move(array));
}

Result<Value> ConvertObject(simdjson::dom::object members) {
  Object object;
  object.reserve(members.size());
  const bool is_small = members.size() <= kScannedMembersMax;
  std::unordered_set<std::string_view> names;
  for (simdjson::dom::key_value_pair member : members) {
    const bool is_new = is_small ? !HasMember(object, member.key) : names.insert(member.key).second;
    if (!is_new) {
      return InvalidArgument(fmt::format("not valid JSON: member '{}' stands twice in one object",
                                         ShownName(member.key)));
    }
    object.emplace_back(std::string(member.key), PENSTOCK_TRY(Convert(member.value)));
  }
  return Value(std::move(object));
}

Result<Value> Convert(simdjson::dom::element element) {
  using Type = simdjson::dom::element_type;
  switch (element.type()) {
    case Type::NULL_VALUE:
      return Value();
    case Type::BOOL:
      return Value(element.get_bool().value_unsafe());
    case Type::INT64:
      return Value(element.get_int64().value_unsafe());
    case Type::UINT64:
      return Value(static_cast<double>(element.get_uint64().value_unsafe()));
    case Type::DOUBLE:
      return Value(element.get_double().value_unsafe());
    case Type::STRING:
      return Value(element.get_string().value_unsafe());
    case Type::ARRAY:
      return ConvertArray(element.get_array().value_unsafe());
    case Type::OBJECT:
      return ConvertObject(element.get_object().value_unsafe());
  }
  return Internal("a JSON element of an unknown kind");
}

class Writer {
 public:
  explicit Writer(bool is_pretty) : is_pretty_(is_pretty) {}

  std::string Text(const Value& value) {
    Append(value);
    return std::move(out_);
  }

 private:
  void Append(const Value& value) {
    if (value.is_null()) {
      out_ += "null";
    } else if (const bool* boolean = value.if_bool()) {
      out_ += *boolean ? "true" : "false";
    } else if (const int64_t* integer = value.if_int()) {
      AppendInt(out_, *integer);
    } else if (value.is_number()) {
      AppendNumber(value.number());
    } else if (const std::string* text = value.if_string()) {
      AppendString(out_, *text);
    } else if (const Array* array = value.if_array()) {
      AppendList(*array, '[', ']', [&](const Value& element) { Append(element); });
    } else {
      AppendList(*value.if_object(), '{', '}', [&](const auto& member) {
        AppendString(out_, member.first);
        out_ += is_pretty_ ? ": " : ":";
        Append(member.second);
      });
    }
  }

  void AppendNumber(double number) {
    if (std::isfinite(number)) return AppendDouble(out_, number);
    out_ += std::isnan(number) ? "\"NaN\"" : (number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  }

  template <typename List, typename AppendElement>
  void AppendList(const List& list, char open, char close, const AppendElement& append) {
    out_ += open;
    ++depth_;
    bool is_first = true;
    for (const auto& element : list) {
      if (!is_first) out_ += ',';
      is_first = false;
      Indent();
      append(element);
    }
    --depth_;
    if (!list.empty()) Indent();
    out_ += close;
  }

  void Indent() {
    if (is_pretty_) out_.append("\n").append(2 * depth_, ' ');
  }

  std::string out_;
  size_t depth_ = 0;
  bool is_pretty_;
};

}  // namespace

double Value::number() const {
  if (const int64_t* integer = if_int()) return static_cast<double>(*integer);
  const double* number = std::get_if<double>(&data_);
  return number == nullptr ? 0 : *number;
}

const Value* Value::Find(std::string_view name) const {
  const Object* object = if_object();
  if (object == nullptr) return nullptr;
  for (const auto& [key, value] : *object) {
    if (key == name) return &value;
  }
  return nullptr;
}

Result<std::string> Value::String(std::string_view name) const {
  const Value* found = Find(name);
  if (found == nullptr || !found->if_string()) return WrongKind(found, name, "a string");
  return *found->if_string();
}

Result<int64_t> Value::Int(std::string_view name) const {
  const Value* found = Find(name);
  if (found == nullptr || !found->if_int()) return WrongKind(found, name, "an integer");
  return *found->if_int();
}

Result<double> Value::Number(std::string_view name) const {
  const Value* found = Find(name);
  if (found == nullptr || !found->is_number()) return WrongKind(found, name, "a number");
  return found->number();
}

Result<bool> Value::Bool(std::string_view name) const {
  const Value* found = Find(name);
  if (found == nullptr || !found->if_bool()) return WrongKind(found, name, "a boolean");
  return *found->if_bool();
}

Result<Array> Value::List(std::string_view name) const {
  const Value* found = Find(name);
  if (found == nullptr || !found->if_array()) return WrongKind(found, name, "an array");
  return *found->if_array();
}

Result<Value> Value::Member(std::string_view name) const {
  const Value* found = Find(name);
  if (found == nullptr) return WrongKind(found, name, "a value");
  return *found;
}

void Value::Set(std::string_view name, Value value) {
  if (is_null()) data_ = Object{};
  Object* object = std::get_if<Object>(&data_);
  PENSTOCK_CHECK(object != nullptr);
  for (auto& [key, existing] : *object) {
    if (key == name) {
      existing = std::move(value);
      return;
    }
  }
  object->emplace_back(std::string(name), std::move(value));
}

Result<Value> Parse(std::string_view text) {
  simdjson::dom::parser parser(kParseBytesMax);
  if (auto error = parser.allocate(text.size(), kParseDepthMax)) return ParseError(error);
  simdjson::dom::element root;
  if (auto error = parser.parse(text.data(), text.size()).get(root)) return ParseError(error);
  return Convert(root);
}

std::string Write(const Value& value) { return Writer(false).Text(value); }

std::string WritePretty(const Value& value) { return Writer(true).Text(value) + "\n"; }

}  // namespace penstock::json
