// SPDX-License-Identifier: Apache-2.0
#include "bindings/columns.h"

#include <fmt/format.h>
#include <nanobind/stl/string.h>

#include <map>

#include "bindings/arrays.h"
#include "bindings/errors.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;
using package::Type;

std::string TextOf(nb::handle object, const std::string& what) {
  if (!PyUnicode_Check(object.ptr())) {
    const std::string type = nb::cast<std::string>(object.type().attr("__name__"));
    Raise(InvalidArgument(
        fmt::format("{} holds an object of type {}; str was expected", what, type)));
  }
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
  if (text == nullptr) {
    PyErr_Clear();  // lone surrogates
    Raise(InvalidArgument(
        fmt::format("{} holds a str that is not valid Unicode; UTF-8 text was expected", what)));
  }
  return {text, static_cast<size_t>(size)};
}

bool BoolOf(nb::handle object, const std::string& what) {
  if (object.is(nb::bool_(true))) return true;
  if (object.is(nb::bool_(false))) return false;
  const std::string shown = nb::cast<std::string>(nb::str(object));
  Raise(InvalidArgument(fmt::format("{} holds {}; True, False or None was expected", what, shown)));
}

template <typename T, typename F>
T FromList(nb::handle list, F value_of) {
  T column;
  for (const nb::handle item : list) {
    const bool is_missing = item.is_none();
    if (is_missing && column.missing.empty()) column.missing.resize(column.values.size());
    if (is_missing || !column.missing.empty()) column.missing.push_back(is_missing ? 1 : 0);
    if (is_missing) {
      column.values.emplace_back();
    } else {
      column.values.push_back(value_of(item));
    }
  }
  return column;
}

train::Column ToColumn(const package::Input& input, nb::handle values) {
  const std::string what = fmt::format("column '{}'", input.name);
  if (input.type == Type::kString) {
    return FromList<train::Strings>(values, [&](nb::handle item) { return TextOf(item, what); });
  }
  if (input.type == Type::kBool && PyList_Check(values.ptr())) {
    return FromList<train::Bools>(
        values, [&](nb::handle item) -> uint8_t { return BoolOf(item, what) ? 1 : 0; });
  }
  const ArrayView view(values, what);
  if (view.dimensions() != 1) {
    Raise(InvalidArgument(
        fmt::format("{} has {} dimensions; one was expected", what, view.dimensions())));
  }
  if (input.type == Type::kBool) {
    train::Bools bools;
    for (const double value : view.Doubles()) {
      if (value != 0 && value != 1) {
        Raise(InvalidArgument(fmt::format("{} holds {}; booleans were expected", what, value)));
      }
      bools.values.push_back(value != 0 ? 1 : 0);
    }
    return bools;
  }
  if (view.is_float()) return train::Numbers{view.Doubles()};
  return train::Integers{view.Integers()};
}

nb::object ColumnToPython(const train::Column& column) {
  const auto rows = static_cast<size_t>(train::Size(column));
  if (const auto* numbers = std::get_if<train::Numbers>(&column))
    return ToNumPy(numbers->values, {rows});
  if (const auto* integers = std::get_if<train::Integers>(&column))
    return ToNumPy(integers->values, {rows});
  const auto* bools = std::get_if<train::Bools>(&column);
  if (bools != nullptr && bools->missing.empty()) {
    return ToNumPy(bools->values, {rows}).attr("view")("bool");
  }
  nb::list list;
  for (size_t row = 0; row < rows; ++row) {
    const train::Cell cell = train::At(column, static_cast<int64_t>(row));
    if (train::IsMissing(cell)) {
      list.append(nb::none());
    } else if (bools != nullptr) {
      list.append(nb::bool_(std::get<bool>(cell)));
    } else {
      const std::string& text = std::get<std::string>(cell);
      list.append(nb::str(text.data(), text.size()));
    }
  }
  return list;
}

// The index of each label among the classes.
template <typename T>
std::vector<int64_t> IndicesOf(const std::vector<T>& classes, const std::vector<T>& labels) {
  std::map<T, int64_t> index;
  for (size_t i = 0; i < classes.size(); ++i) index.emplace(classes[i], static_cast<int64_t>(i));
  std::vector<int64_t> indices;
  indices.reserve(labels.size());
  for (const T& label : labels) {
    const auto found = index.find(label);
    if (found == index.end()) {
      Raise(InvalidArgument(
          fmt::format("predict returned the label {}, which is not one of the model's {} classes",
                      label, classes.size())));
    }
    indices.push_back(found->second);
  }
  return indices;
}

nb::object AsList(nb::handle labels) {
  return nb::hasattr(labels, "tolist") ? nb::object(labels.attr("tolist")()) : nb::borrow(labels);
}

std::vector<std::string> TextLabels(nb::handle labels) {
  std::vector<std::string> texts;
  for (const nb::handle label : AsList(labels))
    texts.push_back(TextOf(label, "what predict returned"));
  return texts;
}

// Lists and arrays of Python objects become arrays of numbers first.
nb::object AsArray(nb::handle values, const char* dtype) {
  const bool is_plain = nb::hasattr(values, "dtype") &&
                        nb::cast<std::string>(values.attr("dtype").attr("kind")) != "O";
  const bool is_half = is_plain && nb::cast<int64_t>(values.attr("dtype").attr("itemsize")) == 2;
  const bool is_float = is_plain && nb::cast<std::string>(values.attr("dtype").attr("kind")) == "f";
  if (is_plain && !(is_float && is_half)) return nb::borrow(values);
  return nb::module_::import_("numpy").attr("asarray")(values, dtype);
}

std::vector<int64_t> ClassIndices(const package::Classes& classes, nb::handle labels) {
  const std::string what = "what predict returned";
  if (const auto* texts = std::get_if<std::vector<std::string>>(&classes))
    return IndicesOf(*texts, TextLabels(labels));
  if (const auto* numbers = std::get_if<std::vector<double>>(&classes)) {
    return IndicesOf(*numbers, ArrayView(AsArray(labels, "float64"), what).Doubles());
  }
  const std::vector<int64_t> given = ArrayView(AsArray(labels, "int64"), what).Integers();
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&classes))
    return IndicesOf(*integers, given);
  const auto& bools = std::get<std::vector<bool>>(classes);
  return IndicesOf(std::vector<int64_t>(bools.begin(), bools.end()), given);
}

// Numbers of shape (rows,) or (rows, width).
std::vector<double> Values(nb::handle values, const char* what, int64_t rows, int64_t width,
                           bool& is_float32) {
  const nb::object array = AsArray(values, "float64");
  const ArrayView view(array, what);
  const int64_t given_width = view.dimensions() == 2 ? view.size(1) : 1;
  if (view.dimensions() < 1 || view.dimensions() > 2 || view.size(0) != rows ||
      given_width != width) {
    Raise(InvalidArgument(
        fmt::format("{} has {} dimensions and {} values; {} for each of {} rows were expected",
                    what, view.dimensions(), view.count(), width, rows)));
  }
  is_float32 = is_float32 || (view.is_float() && view.item_bytes() == sizeof(float));
  return view.Doubles();
}

}  // namespace

train::Columns ToColumns(const package::Signature& signature, nb::handle columns) {
  std::vector<train::Column> converted;
  size_t index = 0;
  for (const nb::handle column : columns) {
    if (index == signature.inputs.size()) {
      Raise(InvalidArgument(
          fmt::format("more than {} columns were given; the model has as many inputs", index)));
    }
    converted.push_back(ToColumn(signature.inputs[index++], column));
  }
  return ValueOrRaise(train::Columns::Make(signature, std::move(converted)));
}

nb::list ToPython(const train::Columns& columns) {
  nb::list list;
  for (int column = 0; column < columns.width(); ++column)
    list.append(ColumnToPython(columns.column(column)));
  return list;
}

engine::Predictions ToPredictions(const package::Signature& signature, nb::handle answer,
                                  int64_t rows) {
  if (!PyTuple_Check(answer.ptr()) || nb::len(answer) < 2 || nb::len(answer) > 3) {
    Raise(InvalidArgument(
        "the original must return a pair: what predict returned, and probabilities or None; behind "
        "it the nanoseconds that they took, where it knows them"));
  }
  const nb::object predicted = answer[0];
  const nb::object probabilities = answer[1];
  engine::Predictions predictions{.rows = rows};
  if (signature.task == package::Task::kClassification) {
    predictions.class_index = ClassIndices(signature.classes, predicted);
  } else {
    predictions.values =
        Values(predicted, "what predict returned", rows,
               std::max<int64_t>(1, signature.prediction_width), predictions.is_float32);
  }
  if (signature.has_probabilities) {
    if (probabilities.is_none())
      Raise(InvalidArgument("the original returned no probabilities; the signature has some"));
    predictions.probabilities = Values(probabilities, "what predict_proba returned", rows,
                                       static_cast<int64_t>(package::ClassCount(signature.classes)),
                                       predictions.is_float32);
  }
  return predictions;
}

}  // namespace penstock::bindings
