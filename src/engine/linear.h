// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace penstock::engine {

// out = x . coef + intercept for every output, in float64 without fused operations; the products of
// an output are added in an order of our own, which no BLAS shares. Immutable and thread-safe.
class Linear {
 public:
  // coef: outputs x features; intercept: outputs. With is_float32 the sum of products and the
  // result are each rounded to float32.
  Linear(const std::vector<double>& coef, std::vector<double> intercept, int64_t features,
         bool is_float32);

  int64_t outputs() const { return static_cast<int64_t>(intercept_.size()); }
  int64_t features() const { return features_; }
  // x: rows x features; out: rows x outputs.
  void Evaluate(const double* x, int64_t rows, double* out) const;

 private:
  // The coefficients of a group of outputs, [features][width], so that neighbouring outputs share
  // vector instructions.
  struct Group {
    int64_t first = 0;
    int64_t outputs = 0;
    int64_t width = 0;  // outputs, rounded up to whole vectors
    std::vector<double> coef;
  };

  void EvaluateRow(const Group& group, const double* x, double* out) const;
  double Finish(double sum, int64_t output) const;

  std::vector<Group> groups_;
  std::vector<double> intercept_;
  int64_t features_ = 0;
  bool is_float32_ = false;
};

}  // namespace penstock::engine
