// SPDX-License-Identifier: Apache-2.0
#include "engine/preparation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace penstock::engine {
namespace {

constexpr int64_t kCellsMax = int64_t{1} << 20;

bool IsMissing(double value, double marker) { return std::isnan(value) || value == marker; }

}  // namespace

class Preparation::Compiler {
 public:
  Compiler(const OwnFile& file, InputWidths inputs) : file_(file) { result_.inputs_ = inputs; }

  Result<Preparation> Compile(std::span<const json::Value> steps) {
    const InputWidths& inputs = result_.inputs_;
    const int64_t width = inputs.numbers + inputs.texts;
    Cells now = {PENSTOCK_TRY(NewCells(width)), width};
    size_t first = 0;
    if (inputs.texts > 0) {
      const Status status = steps.empty() ? InvalidArgument("a step 'text' was expected first")
                                          : ReadTexts(StepReader(file_, steps[0]));
      if (!status.ok()) return status.Prefixed("step 0 of the evaluator");
      first = 1;
    }
    for (size_t i = first; i < steps.size(); ++i) {
      auto next = AddStep(steps[i], now);
      if (!next.ok()) return next.status().Prefixed(fmt::format("step {} of the evaluator", i));
      now = *next;
    }
    result_.begin_ = now.begin;
    result_.width_ = now.width;
    return std::move(result_);
  }

 private:
  // Neighbouring cells: the columns that a step is given, or gives.
  struct Cells {
    int64_t begin = 0;
    int64_t width = 0;
  };

  Result<int64_t> NewCells(int64_t width) {
    if (width < 0 || width > kCellsMax - result_.cells_) {
      return InvalidArgument(
          fmt::format("the steps make more than {} columns, which is the most", kCellsMax));
    }
    return std::exchange(result_.cells_, result_.cells_ + width);
  }

  Status ReadTexts(const StepReader& reader) {
    if (PENSTOCK_TRY(reader.step().String("op")) != "text")
      return InvalidArgument("a step 'text' was expected first: the model reads columns of text");
    const json::Array columns = PENSTOCK_TRY(reader.step().List("texts"));
    if (static_cast<int64_t>(columns.size()) != result_.inputs_.texts) {
      return InvalidArgument(
          fmt::format("'texts' has {} lists; one for each of {} columns of text "
                      "was expected",
                      columns.size(), result_.inputs_.texts));
    }
    for (const json::Value& column : columns) {
      Codes codes;
      const json::Array* texts = column.if_array();
      if (texts == nullptr) return InvalidArgument("'texts' is not a list of lists");
      for (const json::Value& text : *texts) {
        const std::string* value = text.if_string();
        if (value == nullptr) return InvalidArgument("'texts' has an entry that is no text");
        if (!codes.emplace(*value, static_cast<double>(codes.size())).second)
          return InvalidArgument(fmt::format("'texts' has '{}' twice in a column", *value));
      }
      result_.codes_.push_back(std::move(codes));
    }
    return {};
  }

  Result<Cells> AddStep(const json::Value& step, Cells given) {
    const StepReader reader(file_, step);
    const std::string op = PENSTOCK_TRY(step.String("op"));
    if (op == "columns") return AddColumns(step, given);
    if (op == "look_up" || op == "one_hot") return AddLookUps(reader, op, given);
    if (IsScaler(op)) {
      for (Transform& transform : PENSTOCK_TRY(ReadScaler(reader, op, given.width)))
        result_.operations_.emplace_back(Scale{std::move(transform), given.begin, given.width});
      return given;
    }
    const double nan = std::numeric_limits<double>::quiet_NaN();
    if (op == "fill") {
      result_.operations_.emplace_back(Fill{given.begin,
                                            PENSTOCK_TRY(reader.Numbers("values", given.width)),
                                            PENSTOCK_TRY(reader.Number("marker", nan))});
      return given;
    }
    if (op == "is_missing") {
      result_.operations_.emplace_back(
          Missing{given.begin, given.width, PENSTOCK_TRY(reader.Number("marker", nan))});
      return given;
    }
    return InvalidArgument(fmt::format(
        "'{}' is no operation before a model; 'scale', 'affine', 'columns', 'fill', 'is_missing', "
        "'look_up' or 'one_hot' was expected",
        op));
  }

  // Each part works on a copy of its columns; what the parts give is put together at the end.
  Result<Cells> AddColumns(const json::Value& step, Cells given) {
    Pick together;
    for (const json::Value& part : PENSTOCK_TRY(step.List("parts"))) {
      const StepReader reader(file_, part);
      Pick pick{.from = PENSTOCK_TRY(reader.Indices("columns", given.width))};
      for (int64_t& from : pick.from) from += given.begin;
      Cells now{.width = static_cast<int64_t>(pick.from.size())};
      now.begin = PENSTOCK_TRY(NewCells(now.width));
      pick.to = now.begin;
      result_.operations_.emplace_back(std::move(pick));
      for (const json::Value& inner : PENSTOCK_TRY(part.List("steps")))
        now = PENSTOCK_TRY(AddStep(inner, now));
      for (int64_t i = 0; i < now.width; ++i) together.from.push_back(now.begin + i);
    }
    const auto width = static_cast<int64_t>(together.from.size());
    const int64_t begin = PENSTOCK_TRY(NewCells(width));
    together.to = begin;
    result_.operations_.emplace_back(std::move(together));
    return Cells{begin, width};
  }

  Result<Cells> AddLookUps(const StepReader& reader, std::string_view op, Cells given) {
    const json::Array columns = PENSTOCK_TRY(reader.step().List("columns"));
    if (static_cast<int64_t>(columns.size()) != given.width) {
      return InvalidArgument(
          fmt::format("'columns' has {} entries; one for each of {} columns was "
                      "expected",
                      columns.size(), given.width));
    }
    Cells made{.begin = result_.cells_};
    for (int64_t i = 0; i < given.width; ++i) {
      const StepReader column(file_, columns[static_cast<size_t>(i)]);
      const int64_t width = op == "look_up" ? PENSTOCK_TRY(AddLookUp(column, given.begin + i))
                                            : PENSTOCK_TRY(AddOneHot(column, given.begin + i));
      made.width += width;
    }
    return made;
  }

  static Result<Keys> ReadKeys(const StepReader& column) {
    Keys keys{.sorted = PENSTOCK_TRY(column.Numbers("keys"))};
    keys.is_dense = true;
    for (size_t i = 0; i < keys.sorted.size(); ++i) {
      const double key = keys.sorted[i];
      if (std::isnan(key) || (i > 0 && key <= keys.sorted[i - 1]))
        return InvalidArgument("'keys' are not numbers in ascending order, each once");
      keys.is_dense = keys.is_dense && key == static_cast<double>(i);
    }
    return keys;
  }

  Result<int64_t> AddLookUp(const StepReader& column, int64_t from) {
    LookUp look_up{.from = from, .keys = PENSTOCK_TRY(ReadKeys(column))};
    const OwnArray* rows = PENSTOCK_TRY(column.Array("rows"));
    const auto count = static_cast<int64_t>(look_up.keys.sorted.size()) + 2;
    if (rows->shape.size() != 2 || rows->shape[0] != count || rows->shape[1] < 1) {
      return InvalidArgument(fmt::format(
          "array '{}' is no matrix with {} rows: one for each key, one for missing values, one for "
          "others",
          rows->name, count));
    }
    look_up.width = rows->shape[1];
    look_up.rows = rows->Numbers();
    look_up.to = PENSTOCK_TRY(NewCells(look_up.width));
    const int64_t width = look_up.width;
    result_.operations_.emplace_back(std::move(look_up));
    return width;
  }

  Result<int64_t> AddOneHot(const StepReader& column, int64_t from) {
    OneHot one_hot{.from = from, .keys = PENSTOCK_TRY(ReadKeys(column))};
    one_hot.width = PENSTOCK_TRY(column.step().Int("width"));
    one_hot.to = PENSTOCK_TRY(NewCells(one_hot.width));
    one_hot.hot = PENSTOCK_TRY(column.Integers("hot"));
    const size_t count = one_hot.keys.sorted.size() + 2;
    const bool fits = std::all_of(one_hot.hot.begin(), one_hot.hot.end(),
                                  [&](int64_t hot) { return hot >= -1 && hot < one_hot.width; });
    if (one_hot.hot.size() != count || !fits) {
      return InvalidArgument(fmt::format(
          "'hot' is no list of {} places from -1 to {}: one for each key, one for missing values, "
          "one for others",
          count, one_hot.width - 1));
    }
    const int64_t width = one_hot.width;
    result_.operations_.emplace_back(std::move(one_hot));
    return width;
  }

  const OwnFile& file_;
  Preparation result_;
};

Result<Preparation> Preparation::Make(const OwnFile& file, std::span<const json::Value> steps,
                                      InputWidths inputs) {
  return Compiler(file, inputs).Compile(steps);
}

size_t Preparation::Keys::Find(double value) const {
  if (std::isnan(value)) return sorted.size();
  if (is_dense) {
    const bool is_key = value >= 0 && value < static_cast<double>(sorted.size()) &&
                        static_cast<double>(static_cast<int64_t>(value)) == value;
    return is_key ? static_cast<size_t>(value) : sorted.size() + 1;
  }
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), value);
  if (found == sorted.end() || *found != value) return sorted.size() + 1;
  return static_cast<size_t>(found - sorted.begin());
}

void Preparation::Run(const Pick& pick, double* cells) {
  double* to = cells + pick.to;
  for (const int64_t from : pick.from) *to++ = cells[from];
}

void Preparation::Run(const Scale& scale, double* cells) {
  scale.transform.Apply(cells + scale.at, 1, scale.width);
}

void Preparation::Run(const Fill& fill, double* cells) {
  double* x = cells + fill.at;
  for (size_t i = 0; i < fill.by.size(); ++i)
    if (IsMissing(x[i], fill.marker)) x[i] = fill.by[i];
}

void Preparation::Run(const Missing& missing, double* cells) {
  double* x = cells + missing.at;
  for (int64_t i = 0; i < missing.width; ++i) x[i] = IsMissing(x[i], missing.marker) ? 1 : 0;
}

void Preparation::Run(const LookUp& look_up, double* cells) {
  const auto row = static_cast<int64_t>(look_up.keys.Find(cells[look_up.from]));
  std::copy_n(look_up.rows.data() + row * look_up.width, look_up.width, cells + look_up.to);
}

void Preparation::Run(const OneHot& one_hot, double* cells) {
  double* to = cells + one_hot.to;
  std::fill_n(to, one_hot.width, 0.0);
  const int64_t hot = one_hot.hot[one_hot.keys.Find(cells[one_hot.from])];
  if (hot >= 0) to[hot] = 1;
}

double Preparation::CodeOf(size_t column, const package::Tensor& texts, int64_t row) const {
  const size_t cell = static_cast<size_t>(row * texts.width) + column;
  if (!texts.missing.empty() && texts.missing[cell] != 0)
    return std::numeric_limits<double>::quiet_NaN();
  const auto found = codes_[column].find(std::string_view(texts.strings[cell]));
  return found == codes_[column].end() ? -1 : found->second;
}

template <typename Number>
void Preparation::Apply(const Number* numbers, const package::Tensor* texts, int64_t row,
                        double* cells, double* out) const {
  std::copy_n(numbers, inputs_.numbers, cells);
  for (size_t i = 0; i < codes_.size(); ++i)
    cells[inputs_.numbers + static_cast<int64_t>(i)] = CodeOf(i, *texts, row);
  for (const Operation& operation : operations_)
    std::visit([cells](const auto& what) { Run(what, cells); }, operation);
  std::copy_n(cells + begin_, width_, out);
}

template void Preparation::Apply(const float*, const package::Tensor*, int64_t, double*,
                                 double*) const;
template void Preparation::Apply(const double*, const package::Tensor*, int64_t, double*,
                                 double*) const;

}  // namespace penstock::engine
