// SPDX-License-Identifier: Apache-2.0
#include "train/rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace penstock::train {
namespace {

using package::Type;

const package::Signature kSignature{.inputs = {{.name = "age", .type = Type::kInt64},
                                               {.name = "region", .type = Type::kString},
                                               {.name = "active", .type = Type::kBool},
                                               {.name = "income"}}};

Columns ThreeRows() {
  return *Columns::Make(kSignature, {Integers{{31, 32, 33}}, Strings{{"n", "", "s"}, {0, 1, 0}},
                                     Bools{{1, 0, 1}, {}}, Numbers{{1.5, std::nan(""), -2}}});
}

TEST(Columns, GatherKeepsOrderRepeatsAndMissingValues) {
  const int64_t order[] = {2, 1, 1};
  const Columns gathered = ThreeRows().Gather(order);
  EXPECT_EQ(gathered.rows(), 3);
  EXPECT_EQ(gathered.At(0, 0), Cell(int64_t{33}));
  EXPECT_EQ(gathered.At(1, 1), Cell(Missing()));
  EXPECT_EQ(gathered.At(0, 2), Cell(true));
  EXPECT_EQ(gathered.At(2, 3), Cell(Missing()));
}

TEST(Columns, AnIntegerColumnBecomesNumbersWhereItMust) {
  Columns columns = ThreeRows();
  columns.Set(0, 0, int64_t{9007199254740993});
  EXPECT_EQ(columns.At(0, 0), Cell(int64_t{9007199254740993})) << "exact beyond 2^53";
  columns.Set(1, 0, Missing());
  EXPECT_EQ(columns.At(1, 0), Cell(Missing()));
  EXPECT_EQ(columns.At(2, 0), Cell(33.0));
}

TEST(Columns, FillSpeaksOfTheValueAtFault) {
  const package::Encoding encoding{
      .tensors = {{.name = "numbers", .columns = {0, 3}},
                  {.name = "region", .type = Type::kString, .columns = {1}},
                  {.name = "active", .columns = {2}}}};
  package::Tensors tensors(&kSignature, &encoding);
  tensors.Resize(2);
  const Columns columns = ThreeRows();
  ASSERT_TRUE(columns.Fill(2, 1, tensors).ok());
  EXPECT_EQ(tensors.tensors()[0].float64[2], 33);
  EXPECT_EQ(tensors.tensors()[0].float64[3], -2);
  EXPECT_EQ(tensors.tensors()[1].strings[1], "s");
  EXPECT_EQ(tensors.tensors()[2].float64[1], 1);
  EXPECT_EQ(columns.Fill(1, 0, tensors).message(),
            "column 'region' is missing (null); a string was expected");
}

TEST(Columns, RefusesWhatDoesNotFitTheSignature) {
  const package::Signature one{.inputs = {{.name = "age", .type = Type::kInt64}}};
  EXPECT_EQ(Columns::Make(one, {}).status().message(),
            "0 columns were given; the model has 1 inputs");
  EXPECT_EQ(Columns::Make(one, {Integers{}}).status().message(),
            "there is no row to check the model on; at least one was expected");
  EXPECT_EQ(Columns::Make(one, {Strings{{"x"}, {}}}).status().message(),
            "column 'age' holds strings; the signature says int64");
  EXPECT_EQ(Columns::Make(one, {Numbers{{1, 5.5}}}).status().message(),
            "column 'age' holds 5.5 in row 1; the signature says int64");
  EXPECT_EQ(Columns::Make(kSignature,
                          {Integers{{1}}, Strings{{"x", "y"}, {}}, Bools{{1}, {}}, Numbers{{1}}})
                .status()
                .message(),
            "column 'region' has 2 rows, the first column has 1; one length was expected");
}

TEST(Columns, ARecordIsJson) {
  EXPECT_EQ(json::Write(RecordToJson(kSignature, ThreeRows(), 0)),
            R"({"age":31,"region":"n","active":true,"income":1.5})");
  EXPECT_EQ(json::Write(RecordToJson(kSignature, ThreeRows(), 1)),
            R"({"age":32,"region":null,"active":false,"income":null})");
}

}  // namespace
}  // namespace penstock::train
