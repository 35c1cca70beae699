// SPDX-License-Identifier: Apache-2.0
#include "engine/linear.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock::engine {
namespace {

// Two doubles: what every x86-64 adds and multiplies at once.
using Pair = double __attribute__((vector_size(16)));
constexpr int64_t kPair = 2;
constexpr int64_t kGroupPairsMax = 6;  // their sums stay in registers

Pair Load(const double* from) {
  Pair pair;
  std::memcpy(&pair, from, sizeof(pair));
  return pair;
}

// sums[2 * kPairs] = x . coef, coef being [features][2 * kPairs].
template <int kPairs>
void Multiply(const double* x, const double* coef, int64_t features, double* sums) {
  Pair sum[kPairs] = {};
  for (int64_t j = 0; j < features; ++j) {
    const Pair value = {x[j], x[j]};
    const double* row = coef + j * kPairs * kPair;
#pragma GCC unroll 8  // or the sums live in memory
    for (int i = 0; i < kPairs; ++i) sum[i] += value * Load(row + i * kPair);
  }
  std::memcpy(sums, sum, sizeof(sum));
}

// One output: four pairs of partial sums, so that an addition need not wait for the one before.
double Dot(const double* x, const double* coef, int64_t features) {
  constexpr int64_t kStep = 4 * kPair;
  Pair sum[4] = {};
  int64_t j = 0;
  for (; j + kStep <= features; j += kStep) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) sum[i] += Load(x + j + i * kPair) * Load(coef + j + i * kPair);
  }
  double rest = 0;
  for (; j < features; ++j) rest += x[j] * coef[j];
  const Pair total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  return total[0] + total[1] + rest;
}

void MultiplyGroup(int64_t pairs, const double* x, const double* coef, int64_t features,
                   double* sums) {
  switch (pairs) {
    case 1:
      return Multiply<1>(x, coef, features, sums);
    case 2:
      return Multiply<2>(x, coef, features, sums);
    case 3:
      return Multiply<3>(x, coef, features, sums);
    case 4:
      return Multiply<4>(x, coef, features, sums);
    case 5:
      return Multiply<5>(x, coef, features, sums);
    default:
      return Multiply<kGroupPairsMax>(x, coef, features, sums);
  }
}

}  // namespace

Linear::Linear(const std::vector<double>& coef, std::vector<double> intercept, int64_t features,
               bool is_float32)
    : intercept_(std::move(intercept)), features_(features), is_float32_(is_float32) {
  constexpr int64_t kGroupMax = kGroupPairsMax * kPair;
  for (int64_t first = 0; first < outputs(); first += kGroupMax) {
    Group group{.first = first, .outputs = std::min(kGroupMax, outputs() - first)};
    group.width = outputs() == 1 ? 1 : (group.outputs + 1) / kPair * kPair;
    group.coef.resize(static_cast<size_t>(features * group.width));
    for (int64_t output = 0; output < group.outputs; ++output) {
      for (int64_t j = 0; j < features; ++j) {
        group.coef[static_cast<size_t>(j * group.width + output)] =
            coef[static_cast<size_t>((first + output) * features + j)];
      }
    }
    groups_.push_back(std::move(group));
  }
}

double Linear::Finish(double sum, int64_t output) const {
  const double intercept = intercept_[static_cast<size_t>(output)];
  if (!is_float32_) return sum + intercept;
  return static_cast<double>(
      static_cast<float>(static_cast<double>(static_cast<float>(sum)) + intercept));
}

void Linear::EvaluateRow(const Group& group, const double* x, double* out) const {
  double sums[kGroupPairsMax * kPair];
  if (group.width == 1) {
    sums[0] = Dot(x, group.coef.data(), features_);
  } else {
    MultiplyGroup(group.width / kPair, x, group.coef.data(), features_, sums);
  }
  for (int64_t i = 0; i < group.outputs; ++i)
    out[group.first + i] = Finish(sums[i], group.first + i);
}

void Linear::Evaluate(const double* x, int64_t rows, double* out) const {
  for (const Group& group : groups_) {
    for (int64_t row = 0; row < rows; ++row)
      EvaluateRow(group, x + row * features_, out + row * outputs());
  }
}

}  // namespace penstock::engine
