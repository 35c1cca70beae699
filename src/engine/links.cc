// SPDX-License-Identifier: Apache-2.0
#include "engine/links.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace penstock::engine {
namespace {

constexpr std::array<std::pair<Link, std::string_view>, 6> kLinks = {
    {{Link::kIdentity, "identity"},
     {Link::kExp, "exp"},
     {Link::kIdentityDecision, "identity_decision"},
     {Link::kLogistic, "logistic"},
     {Link::kSoftmax, "softmax"},
     {Link::kOneVsRest, "one_vs_rest"}}};

double Expit(double x) { return 1.0 / (1.0 + std::exp(-x)); }  // scipy.special.expit

double RoundedIf(bool is_float32, double value) {
  return is_float32 ? static_cast<double>(static_cast<float>(value)) : value;
}

// sklearn.utils.extmath.softmax
void Softmax(const double* decision, int64_t count, bool is_float32, double* out) {
  const double greatest = *std::max_element(decision, decision + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    out[i] = RoundedIf(is_float32, std::exp(decision[i] - greatest));
    sum += out[i];
  }
  for (int64_t i = 0; i < count; ++i) out[i] = RoundedIf(is_float32, out[i] / sum);
}

// sklearn.linear_model._base.LinearClassifierMixin._predict_proba_lr, several classes
void OneVsRest(const double* decision, int64_t count, bool is_float32, double* out) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    out[i] = RoundedIf(is_float32, Expit(decision[i]));
    sum += out[i];
  }
  if (sum == 0) {
    std::fill_n(out, count, 1.0);
    sum = static_cast<double>(count);
  }
  for (int64_t i = 0; i < count; ++i) out[i] = RoundedIf(is_float32, out[i] / sum);
}

}  // namespace

Result<Link> LinkFromName(std::string_view name) {
  std::string known;
  for (const auto& [link, candidate] : kLinks) {
    if (candidate == name) return link;
    known += fmt::format("{}'{}'", known.empty() ? "" : ", ", candidate);
  }
  return InvalidArgument(fmt::format("'{}' is no link; one of {} was expected", name, known));
}

int64_t ArgMax(const double* values, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isnan(values[i])) return i;
    if (values[i] > values[best]) best = i;
  }
  return best;
}

int64_t Ending::class_count(int64_t outputs) const {
  return is_classifier() ? std::max<int64_t>(2, outputs) : 0;
}

Status Ending::Check(int64_t outputs) const {
  if (link == Link::kLogistic && outputs != 1) {
    return InvalidArgument(fmt::format("link 'logistic' has {} outputs; 1 was expected", outputs));
  }
  if ((link == Link::kSoftmax || link == Link::kOneVsRest) && outputs < 2)
    return InvalidArgument("links 'softmax' and 'one_vs_rest' need 2 outputs or more");
  return {};
}

int64_t Ending::ClassOf(const double* decision, int64_t outputs) const {
  if (outputs != 1) return ArgMax(decision, outputs);
  return static_cast<int64_t>(zero_is_positive ? decision[0] >= 0 : decision[0] > 0);
}

void Ending::Probabilities(const double* decision, int64_t outputs, double* out) const {
  switch (link) {
    case Link::kLogistic:
      out[1] = RoundedIf(is_float32, Expit(slope * decision[0]));
      out[0] = RoundedIf(is_float32, 1 - out[1]);
      return;
    case Link::kSoftmax:
      return Softmax(decision, outputs, is_float32, out);
    case Link::kOneVsRest:
      return OneVsRest(decision, outputs, is_float32, out);
    case Link::kIdentity:
    case Link::kExp:
    case Link::kIdentityDecision:
      return;
  }
}

void Ending::Values(double* values, int64_t count) const {
  if (link != Link::kExp) return;
  for (int64_t i = 0; i < count; ++i) values[i] = RoundedIf(is_float32, std::exp(values[i]));
}

}  // namespace penstock::engine
