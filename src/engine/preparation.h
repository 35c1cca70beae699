// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/own_format.h"
#include "engine/transform.h"
#include "package/tensors.h"

namespace penstock::engine {

// What an evaluator reads: columns of numbers, then columns of text.
struct InputWidths {
  int64_t numbers = 0;
  int64_t texts = 0;
};

// The steps before the model where these do more than scale all columns: what encoders, imputers
// and column transformers do. A row's values stand in cells; every operation reads some and writes
// others, so that nothing is decided, or allocated, while a row is answered. Text is a number too:
// its place in the list of the texts that its column was fitted on, -1 for any other, NaN where it
// is missing. Immutable and thread-safe.
class Preparation {
 public:
  // kInvalidArgument, with the step at fault: any steps may be given.
  static Result<Preparation> Make(const OwnFile& file, std::span<const json::Value> steps,
                                  InputWidths inputs);

  int64_t width() const { return width_; }  // of a row as the model reads it
  int64_t cells() const { return cells_; }
  // numbers: of the row; texts: the tensor that has them, or null; cells: room for cells(); out:
  // width() numbers, overwritten.
  template <typename Number>
  void Apply(const Number* numbers, const package::Tensor* texts, int64_t row, double* cells,
             double* out) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Codes = std::unordered_map<std::string, double, Hash, std::equal_to<>>;

  // Sorted numbers; the index of one that is there, else two more: of NaN, and of any other.
  struct Keys {
    std::vector<double> sorted;
    bool is_dense = false;  // 0, 1, 2, ...

    size_t Find(double value) const;
  };
  struct Pick {
    std::vector<int64_t> from;
    int64_t to = 0;
  };
  struct Scale {
    Transform transform;
    int64_t at = 0;
    int64_t width = 0;
  };
  // x that is NaN, or equal to the marker, becomes by[i].
  struct Fill {
    int64_t at = 0;
    std::vector<double> by;
    double marker = 0;  // NaN: only NaN is missing
  };
  struct Missing {
    int64_t at = 0;  // 1 or 0, in place
    int64_t width = 0;
    double marker = 0;
  };
  struct LookUp {
    int64_t from = 0;
    int64_t to = 0;
    int64_t width = 0;
    Keys keys;
    std::vector<double> rows;  // (keys + 2) x width
  };
  struct OneHot {
    int64_t from = 0;
    int64_t to = 0;
    int64_t width = 0;
    Keys keys;
    std::vector<int64_t> hot;  // keys + 2; -1: none
  };
  using Operation = std::variant<Pick, Scale, Fill, Missing, LookUp, OneHot>;

  class Compiler;

  static void Run(const Pick& pick, double* cells);
  static void Run(const Scale& scale, double* cells);
  static void Run(const Fill& fill, double* cells);
  static void Run(const Missing& missing, double* cells);
  static void Run(const LookUp& look_up, double* cells);
  static void Run(const OneHot& one_hot, double* cells);
  double CodeOf(size_t column, const package::Tensor& texts, int64_t row) const;

  InputWidths inputs_;
  std::vector<Codes> codes_;  // by column of text
  std::vector<Operation> operations_;
  int64_t cells_ = 0;
  int64_t begin_ = 0;  // of the cells that the model reads
  int64_t width_ = 0;
};

}  // namespace penstock::engine
