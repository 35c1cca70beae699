// SPDX-License-Identifier: Apache-2.0
#include "package/features.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/names.h"

namespace penstock::package {
namespace {

// RFC 6901: '~' is written ~0 and '/' ~1.
std::string Pointer(std::string_view parent, std::string_view member) {
  std::string pointer = fmt::format("{}/", parent);
  for (const char c : member) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

// To a member that nobody knows; to the object that holds it where its name is too long to be
// shown.
std::string UnknownPointer(const std::string& parent, std::string_view name) {
  return name.size() <= kShownNameBytesMax ? Pointer(parent, name) : parent;
}

std::string Pointer(std::string_view parent, size_t index) {
  return fmt::format("{}/{}", parent, index);
}

std::string_view KindOf(const json::Value& value) {
  if (value.is_null()) return "null";
  if (value.if_bool()) return "a boolean";
  if (value.is_number()) return "a number";
  if (value.if_string()) return "a string";
  return value.if_array() ? "a list" : "an object";
}

// Only errors need the place of a value: it is put together when one occurs.
class Filler {
 public:
  Filler(const Columns& columns, std::string_view pointer, Tensors& tensors)
      : columns_(columns), pointer_(pointer), tensors_(tensors) {}

  Status Fill(const json::Value& features) {
    if (const json::Array* list = features.if_array()) return FillList(*list);
    if (const json::Object* object = features.if_object()) return FillObject(*object);
    return InvalidArgument(fmt::format("features are {}; a list of records or rows, one record, or "
                                       "columns were expected",
                                       KindOf(features)))
        .At(pointer_);
  }

 private:
  Status FillList(const json::Array& list) {
    PENSTOCK_TRY(Resize(list.size(), pointer_));
    const bool are_rows = list[0].if_array() != nullptr;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string place = Pointer(pointer_, i);
      if (are_rows && list[i].if_array()) {
        PENSTOCK_TRY(FillRow(*list[i].if_array(), i, place));
      } else if (!are_rows && list[i].if_object()) {
        PENSTOCK_TRY(FillRecord(*list[i].if_object(), i, place));
      } else {
        return WrongElement(list[i], i, are_rows).At(place);
      }
    }
    return {};
  }

  static Status WrongElement(const json::Value& element, size_t i, bool are_rows) {
    if (i > 0) {
      return InvalidArgument(
          fmt::format("element {} is {}; {}, as the elements before it, was expected", i,
                      KindOf(element), are_rows ? "a row" : "a record"));
    }
    return InvalidArgument(
        fmt::format("the first element is {}; a record or a row was expected (one row is a list in "
                    "a list: [[1, 2]])",
                    KindOf(element)));
  }

  Status FillObject(const json::Object& object) {
    const bool are_columns = std::any_of(object.begin(), object.end(), [](const auto& member) {
      return member.second.if_array() != nullptr;
    });
    if (are_columns) return FillColumns(object);
    PENSTOCK_TRY(Resize(1, pointer_));
    return FillRecord(object, 0, pointer_);
  }

  Status FillRow(const json::Array& row, size_t i, const std::string& place) {
    if (row.size() != columns_.size()) return WrongRowWidth(columns_, row.size()).At(place);
    for (size_t column = 0; column < row.size(); ++column) {
      const Status status = Set(i, static_cast<int>(column), row[column]);
      if (!status.ok()) return status.At(Pointer(place, column));
    }
    return {};
  }

  Status FillRecord(const json::Object& record, size_t i, const std::string& place) {
    std::vector<bool> is_given(columns_.size());
    for (const auto& [name, value] : record) {
      const int column = columns_.Find(name);
      if (column < 0) return UnknownColumn(columns_, name).At(UnknownPointer(place, name));
      is_given[static_cast<size_t>(column)] = true;
      const Status status = Set(i, column, value);
      if (!status.ok()) return status.At(Pointer(place, name));
    }
    return CheckAllGiven(is_given, place);
  }

  Status FillColumns(const json::Object& object) {
    std::vector<bool> is_given(columns_.size());
    const json::Array* first = nullptr;
    for (const auto& [name, value] : object) {
      const int column = columns_.Find(name);
      if (column < 0) return UnknownColumn(columns_, name).At(UnknownPointer(pointer_, name));
      const std::string place = Pointer(pointer_, name);
      const json::Array* list = value.if_array();
      if (list == nullptr) {
        return InvalidArgument(
                   fmt::format("column '{}' is {}; a list, as in the other columns, was expected",
                               name, KindOf(value)))
            .At(place);
      }
      if (first == nullptr) {
        first = list;
        PENSTOCK_TRY(Resize(list->size(), place));
      }
      if (list->size() != first->size()) {
        return InvalidArgument(
                   fmt::format(
                       "column '{}' has {} values; {}, as in the columns before it, were expected",
                       name, list->size(), first->size()))
            .At(place);
      }
      is_given[static_cast<size_t>(column)] = true;
      PENSTOCK_TRY(FillColumn(*list, column, place));
    }
    return CheckAllGiven(is_given, pointer_);
  }

  Status FillColumn(const json::Array& list, int column, const std::string& place) {
    for (size_t i = 0; i < list.size(); ++i) {
      const Status status = Set(i, column, list[i]);
      if (!status.ok()) return status.At(Pointer(place, i));
    }
    return {};
  }

  Status CheckAllGiven(const std::vector<bool>& is_given, const std::string& place) {
    if (std::find(is_given.begin(), is_given.end(), false) == is_given.end()) return {};
    return MissingColumns(columns_, is_given).At(place);
  }

  Status Resize(size_t rows, const std::string& place) {
    if (rows == 0)
      return InvalidArgument("features have no rows; at least one was expected").At(place);
    if (rows > static_cast<size_t>(kFeatureRowsMax)) {
      return InvalidArgument(
                 fmt::format("features have {} rows; at most {} were expected in one call", rows,
                             kFeatureRowsMax))
          .At(place);
    }
    tensors_.Resize(static_cast<int64_t>(rows));
    return {};
  }

  Status Set(size_t row, int column, const json::Value& value) {
    const auto i = static_cast<int64_t>(row);
    if (const int64_t* integer = value.if_int()) return tensors_.SetInteger(i, column, *integer);
    if (value.is_number()) return tensors_.SetNumber(i, column, value.number());
    if (const std::string* text = value.if_string()) return tensors_.SetString(i, column, *text);
    if (const bool* boolean = value.if_bool()) return tensors_.SetBool(i, column, *boolean);
    if (value.is_null()) return tensors_.SetMissing(i, column);
    return InvalidArgument(fmt::format("column '{}' is {}; one value was expected",
                                       columns_.names()[static_cast<size_t>(column)],
                                       KindOf(value)));
  }

  const Columns& columns_;
  std::string pointer_;
  Tensors& tensors_;
};

}  // namespace

Columns::Columns(const Signature& signature) {
  names_.reserve(signature.inputs.size());
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    names_.push_back(signature.inputs[i].name);
    index_.emplace(signature.inputs[i].name, static_cast<int>(i));
  }
}

int Columns::Find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? -1 : found->second;
}

Status UnknownColumn(const Columns& columns, std::string_view name) {
  return InvalidArgument(fmt::format("the model has no column '{}'; its columns are {}.{}",
                                     ShownName(name), QuotedList(columns.names()),
                                     DidYouMean(name, columns.names())));
}

Status DuplicateColumn(std::string_view name) {
  return InvalidArgument(
      fmt::format("column '{}' stands twice; once was expected", ShownName(name)));
}

Status MissingColumns(const Columns& columns, const std::vector<bool>& is_given) {
  std::vector<std::string> missing;
  for (size_t i = 0; i < is_given.size(); ++i) {
    if (!is_given[i]) missing.push_back(columns.names()[i]);
  }
  return InvalidArgument(
      fmt::format("{} {} not given; the model needs all of its {} columns",
                  (missing.size() == 1 ? "column " : "columns ") + QuotedList(missing),
                  missing.size() == 1 ? "is" : "are", columns.size()));
}

Status WrongRowWidth(const Columns& columns, size_t width) {
  return InvalidArgument(fmt::format("the row has {} values; {} were expected, in the order {}",
                                     width, columns.size(), QuotedList(columns.names())));
}

Status SetFeatures(const json::Value& features, const Columns& columns, std::string_view pointer,
                   Tensors& tensors) {
  return Filler(columns, pointer, tensors).Fill(features);
}

}  // namespace penstock::package
