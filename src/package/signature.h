// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "package/output.h"

namespace penstock::package {

// The type of a column, or of what predict returns. Integers of every width are kInt64 (a uint64
// beyond its range is refused at registration).
enum class Type { kBool, kInt64, kFloat32, kFloat64, kString };

std::string_view TypeName(Type type);  // "bool", "int64", "float32", "float64", "string"
Result<Type> TypeFromName(std::string_view name);

// Why a value is not answered: the original refuses it too, or the engine cannot vouch for it.
struct Bound {
  double value = 0;  // inclusive, in absolute value
  bool refused_by_original = false;
  std::string reason;  // completes "column 'x' is 1e39: ..."
};

// One feature column.
struct Input {
  std::string name;
  Type type = Type::kFloat64;
  bool allows_missing = false;   // null in a request, NaN in a table
  bool allows_infinity = false;  // only tables can say it; JSON cannot
  std::string missing_reason;    // why a missing value is refused, and who says so; may be empty
  std::optional<Bound> abs_max;  // numbers beyond it are answered with 422
  // Not empty: the only strings that are answered, sorted; the original refuses others.
  std::vector<std::string> categories;
  std::string categories_reason;  // completes "column 'x' is "north": ..."
};

// Values that a model may give for one row.
inline constexpr int64_t kPredictionWidthMax = int64_t{1} << 20;

enum class Task { kClassification, kRegression, kClustering, kOutlierDetection, kOther };

std::string_view TaskName(
    Task task);  // "classification", "regression", "clustering", "outlier_detection", "other"
Result<Task> TaskFromName(std::string_view name);

// The labels of a classifier, in the order of its probabilities. One alternative per label type.
using Classes = std::variant<std::monostate, std::vector<int64_t>, std::vector<double>,
                             std::vector<std::string>, std::vector<bool>>;

size_t ClassCount(const Classes& classes);

// What a model takes and gives. A value type.
struct Signature {
  Task task = Task::kOther;
  bool has_column_names = false;  // false: the columns are x0, x1, ... in order
  std::vector<Input> inputs;

  Classes classes;                        // monostate unless task is kClassification
  bool has_probabilities = false;         // then one row has ClassCount(classes) of them
  Type prediction_type = Type::kFloat64;  // of one prediction
  int64_t prediction_width =
      0;  // 0: one value a row; up to kPredictionWidthMax: a list of so many (several targets)
  std::string prediction_dtype;  // NumPy's name of what the original's predict returns: "int64",
                                 // "<U6", "object"
  std::optional<Output> output;  // what stands in an answer in place of a label

  // Values in the answer to one row.
  int64_t answer_cells() const;

  json::Value ToJson() const;
  static Result<Signature> FromJson(const json::Value& value);
};

}  // namespace penstock::package
