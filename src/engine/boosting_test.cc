// SPDX-License-Identifier: Apache-2.0
#include "engine/boosting.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "engine/links.h"

namespace penstock::engine {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// Two trees of three nodes: the first splits x0 by category, the second at 0.1.
TreeNodes TwoTrees() {
  return {.roots = {0, 3},
          .feature = {0, 0, 0, 0, 0, 0},
          .threshold = {0, 0, 0, 0.1, 0, 0},
          .left = {1, -1, -1, 4, -1, -1},
          .right = {2, -1, -1, 5, -1, -1},
          .missing_left = {1, 0, 0, 0, 0, 0},
          .category_begin = {1, 0, 0, 0, 0, 0},
          .category_count = {3, 0, 0, 0, 0, 0},
          .category_left = {9, 0, 1, 0}};
}

std::vector<double> Sums(double x, BoostingSums sums) {
  const auto boosting = Boosting::Make(TwoTrees(), {0, 1, 2, 0, 10, 20}, sums, 1);
  EXPECT_TRUE(boosting.ok()) << boosting.status().ToString();
  const auto rounded = static_cast<float>(x);
  std::vector<double> out(sums.base.size());
  boosting->Evaluate(&x, &rounded, 1, out.data());
  return out;
}

TEST(Boosting, ACategoryPicksAFlag) {
  const BoostingSums apart{.base = {0, 0}};
  EXPECT_EQ(Sums(0, apart)[0], 2);
  EXPECT_EQ(Sums(1, apart)[0], 1);
  EXPECT_EQ(Sums(1.9, apart)[0], 1) << "cut to an integer";
  EXPECT_EQ(Sums(kMissing, apart)[0], 1) << "missing values go left here";
  for (const double other : {2.0, -1.0, 1e300, -1e300, static_cast<double>(INFINITY)})
    EXPECT_EQ(Sums(other, apart)[0], 2) << other << " is none of the categories";
}

TEST(Boosting, TreesAddToTheOutputsInTurn) {
  EXPECT_EQ(Sums(1, {.base = {0.5, 100}}), (std::vector<double>{1.5, 120}));
  EXPECT_EQ(Sums(1, {.base = {0.5}}), (std::vector<double>{21.5}));
  EXPECT_EQ(Sums(1, {.base = {1}, .divisor = 2}), (std::vector<double>{11}));
}

TEST(Boosting, XIsComparedInItsOwnPrecision) {
  const double above = std::nextafter(0.1, 1);
  EXPECT_EQ(Sums(0.1, {.base = {0, 0}})[1], 10);
  EXPECT_EQ(Sums(above, {.base = {0, 0}})[1], 20);
  EXPECT_EQ(Sums(0.1, {.base = {0, 0}, .rounds_x = true})[1], 20) << "0.1F is above 0.1";
}

TEST(Boosting, SumsOfFloat32AreRounded) {
  EXPECT_EQ(Sums(0, {.base = {1e8}})[0], 100000012.0);
  EXPECT_EQ(Sums(0, {.base = {1e8}, .is_float32 = true})[0], 100000008.0);
}

TEST(Boosting, WhatDoesNotFitIsRefused) {
  const auto refusal = [](const TreeNodes& nodes, std::vector<double> value, size_t outputs) {
    BoostingSums sums{.base = std::vector<double>(outputs)};
    return Boosting::Make(nodes, value, sums, 1).status().message();
  };
  const std::vector<double> value(6);
  EXPECT_EQ(refusal(TwoTrees(), value, 2), "");
  EXPECT_EQ(refusal(TwoTrees(), {1}, 2),
            "'value' does not have one number for each of the trees' nodes");
  EXPECT_EQ(refusal(TwoTrees(), value, 0),
            "2 trees were given for 0 outputs; as many for each output were expected");
  EXPECT_EQ(refusal(TwoTrees(), value, 3),
            "2 trees were given for 3 outputs; as many for each output were expected");
  for (const int64_t begin : {int64_t{-1}, int64_t{2}, std::numeric_limits<int64_t>::max()}) {
    TreeNodes nodes = TwoTrees();
    nodes.category_begin[0] = begin;
    EXPECT_EQ(refusal(nodes, value, 1),
              "node 0 picks from 3 flags from " + std::to_string(begin) + " on; there are 4");
  }
  for (const int64_t count : {int64_t{-1}, int64_t{5}, std::numeric_limits<int64_t>::min()}) {
    TreeNodes nodes = TwoTrees();
    nodes.category_count[0] = count;
    EXPECT_NE(refusal(nodes, value, 1), "");
  }
  TreeNodes nodes = TwoTrees();
  nodes.category_begin.pop_back();
  EXPECT_EQ(refusal(nodes, value, 1), "the arrays of the trees' nodes differ in length");
}

TEST(Ending, ADecisionOfZeroIsWhatTheModelSays) {
  const double zero = 0;
  EXPECT_EQ((Ending{.link = Link::kLogistic}).ClassOf(&zero, 1), 0);
  EXPECT_EQ((Ending{.link = Link::kLogistic, .zero_is_positive = true}).ClassOf(&zero, 1), 1);
}

TEST(Ending, TheClassWithTheMostVotesWins) {
  const Ending ending{.link = Link::kOneVsOne};
  EXPECT_EQ(ending.class_count(6), 4);
  EXPECT_EQ(ending.Check(6).message(), "");
  for (const int64_t outputs : {1, 2, 4, 5}) EXPECT_FALSE(ending.Check(outputs).ok()) << outputs;
  const auto winner = [&](std::vector<double> decision) {
    return ending.ClassOf(decision.data(), static_cast<int64_t>(decision.size()));
  };
  EXPECT_EQ(winner({1, 1, 1}), 0);
  EXPECT_EQ(winner({-1, 1, 1}), 1);
  EXPECT_EQ(winner({1, 0, 0}), 2) << "0 is a vote for the second";
  EXPECT_EQ(winner({1, -1, 1}), 0) << "the first of equals";
  EXPECT_EQ(winner({1, 1, -1, 1, -1, -1}), 3);
}

TEST(Ending, TheSlopeIsOfTheLogisticFunction) {
  const double decision = 0.75;
  double probabilities[2];
  Ending{.link = Link::kLogistic, .slope = 2}.Probabilities(&decision, 1, probabilities);
  EXPECT_DOUBLE_EQ(probabilities[1], 1 / (1 + std::exp(-1.5)));
  EXPECT_EQ(probabilities[0], 1 - probabilities[1]);
}

}  // namespace
}  // namespace penstock::engine
