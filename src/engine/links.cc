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

constexpr std::array<std::pair<Link, std::string_view>, 7> kLinks = {
    {{Link::kIdentity, "identity"},
     {Link::kExp, "exp"},
     {Link::kIdentityDecision, "identity_decision"},
     {Link::kLogistic, "logistic"},
     {Link::kSoftmax, "softmax"},
     {Link::kOneVsRest, "one_vs_rest"},
     {Link::kOneVsOne, "one_vs_one"}}};

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

// Of the classes of which any two have a decision; 0 where there are none.
int64_t ClassesOfPairs(int64_t pairs) {
  int64_t classes = 3;
  while (classes * (classes - 1) / 2 < pairs) ++classes;
  return classes * (classes - 1) / 2 == pairs ? classes : 0;
}

// The class with the most votes, the first of equals. A pair's decision above 0 is a vote for its
// first class; pairs stand in the order (0, 1), (0, 2), ..., (1, 2), ... (libsvm's svm_predict).
int64_t MostVotes(const double* decision, int64_t classes) {
  int64_t best = 0;
  int64_t most = -1;
  for (int64_t c = 0; c < classes; ++c) {
    int64_t votes = 0;
    for (int64_t other = 0; other < classes; ++other) {
      const int64_t first = std::min(c, other);
      const int64_t second = std::max(c, other);
      if (first == second) continue;
      const int64_t pair = first * (2 * classes - first - 1) / 2 + (second - first - 1);
      votes += static_cast<int64_t>((decision[pair] > 0) == (c == first));
    }
    if (votes > most) best = c;
    most = std::max(most, votes);
  }
  return best;
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
  if (link == Link::kOneVsOne) return ClassesOfPairs(outputs);
  return is_classifier() ? std::max<int64_t>(2, outputs) : 0;
}

Status Ending::Check(int64_t outputs) const {
  if (link == Link::kLogistic && outputs != 1) {
    return InvalidArgument(fmt::format("link 'logistic' has {} outputs; 1 was expected", outputs));
  }
  if ((link == Link::kSoftmax || link == Link::kOneVsRest) && outputs < 2)
    return InvalidArgument("links 'softmax' and 'one_vs_rest' need 2 outputs or more");
  if (link == Link::kOneVsOne && ClassesOfPairs(outputs) == 0) {
    return InvalidArgument(fmt::format(
        "link 'one_vs_one' has {} outputs; one for each pair of 3 classes or more was expected",
        outputs));
  }
  return {};
}

int64_t Ending::ClassOf(const double* decision, int64_t outputs) const {
  if (link == Link::kOneVsOne) return MostVotes(decision, ClassesOfPairs(outputs));
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
    case Link::kOneVsOne:
      return;
  }
}

void Ending::Values(double* values, int64_t count) const {
  if (link != Link::kExp) return;
  for (int64_t i = 0; i < count; ++i) values[i] = RoundedIf(is_float32, std::exp(values[i]));
}

}  // namespace penstock::engine
