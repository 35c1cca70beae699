// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "engine/engine.h"
#include "engine/own_format.h"

namespace penstock::engine {
namespace {

using package::EngineKind;
using package::Type;

// A case of testdata/make_golden.py: a model with what scikit-learn answers.
struct Golden {
  package::Signature signature;
  package::EngineEntry entry;
  std::string model;
  int64_t rows = 0;
  std::vector<double> x;  // rows x columns; of a text column, the index into texts, NaN: missing
  std::vector<std::string> texts;
  std::vector<double> label;  // index of the class
  std::vector<double> probabilities;
  std::vector<double> values;

  size_t columns() const { return signature.inputs.size(); }
};

std::string ReadFile(const std::string& name) {
  std::ifstream stream(std::string(PENSTOCK_TESTDATA) + "/" + name, std::ios::binary);
  PENSTOCK_CHECK(stream.good());
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<double> NumbersOf(const OwnFile& file, std::string_view name) {
  const OwnArray* array = file.Find(name);
  return array == nullptr ? std::vector<double>() : array->Numbers();
}

Golden ReadGolden(const std::string& name) {
  const bool is_onnx = name.starts_with("onnx_");
  Golden golden;
  golden.model = ReadFile(name + (is_onnx ? ".onnx" : ".safetensors"));
  const std::string bytes = ReadFile(name + ".golden");
  const OwnFile file = *ReadOwn(bytes);
  const json::Value& meta = (*file.steps.if_array())[0];
  golden.signature = *package::Signature::FromJson(*meta.Member("signature"));
  golden.entry.kind = is_onnx ? EngineKind::kOnnxRuntime : EngineKind::kOwn;
  golden.entry.precision = *package::TypeFromName(*meta.String("precision"));
  golden.entry.encoding = *package::Encoding::FromJson(*meta.Member("encoding"), golden.columns());
  golden.entry.options = *meta.Member("options");
  const json::Array texts = *meta.List("texts");
  for (const json::Value& text : texts) golden.texts.push_back(*text.if_string());
  golden.x = NumbersOf(file, "x");
  golden.label = NumbersOf(file, "label");
  golden.probabilities = NumbersOf(file, "probabilities");
  golden.values = NumbersOf(file, "values");
  golden.rows = static_cast<int64_t>(golden.x.size() / golden.columns());
  return golden;
}

void Fill(const Golden& golden, const std::vector<int64_t>& which, package::Tensors& tensors) {
  tensors.Resize(static_cast<int64_t>(which.size()));
  for (size_t i = 0; i < which.size(); ++i) {
    for (size_t c = 0; c < golden.columns(); ++c) {
      const double value = golden.x[static_cast<size_t>(which[i]) * golden.columns() + c];
      const bool is_text = golden.signature.inputs[c].type == Type::kString;
      const auto row = static_cast<int64_t>(i);
      const auto column = static_cast<int>(c);
      if (std::isnan(value)) {
        ASSERT_TRUE(tensors.SetMissing(row, column).ok());
        continue;
      }
      ASSERT_TRUE(
          is_text ? tensors.SetString(row, column, golden.texts[static_cast<size_t>(value)]).ok()
                  : tensors.SetNumber(row, column, value).ok());
    }
  }
}

void ExpectNear(double actual, double expected, double relative, double absolute) {
  EXPECT_LE(std::fabs(actual - expected), relative * std::fabs(expected) + absolute)
      << actual << " instead of " << expected;
}

struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

void ExpectRow(const Golden& golden, int64_t source, const Predictions& actual, size_t row,
               Tolerance tolerance) {
  const auto s = static_cast<size_t>(source);
  if (!golden.label.empty()) {
    EXPECT_EQ(static_cast<double>(actual.class_index[row]), golden.label[s]);
  }
  const auto rows = static_cast<size_t>(golden.rows);
  const size_t classes = golden.probabilities.size() / rows;
  for (size_t k = 0; k < classes; ++k) {
    ExpectNear(actual.probabilities[row * classes + k], golden.probabilities[s * classes + k],
               tolerance.relative, tolerance.absolute);
  }
  const size_t width = golden.values.size() / rows;
  for (size_t k = 0; k < width; ++k) {
    ExpectNear(actual.values[row * width + k], golden.values[s * width + k], tolerance.relative,
               tolerance.absolute);
  }
}

void ExpectBatch(const Golden& golden, const Model& model, Instance& instance,
                 const std::vector<int64_t>& which, Tolerance tolerance) {
  package::Tensors tensors(&golden.signature, &model.entry().encoding, package::Limits::kNone);
  Fill(golden, which, tensors);
  Predictions actual;
  const Status status = instance.Predict(tensors, actual);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(actual.rows, static_cast<int64_t>(which.size()));
  ASSERT_EQ(actual.class_index.size(), golden.label.empty() ? 0 : which.size());
  ASSERT_EQ(actual.probabilities.size() * static_cast<size_t>(golden.rows),
            golden.probabilities.size() * which.size());
  ASSERT_EQ(actual.values.size() * static_cast<size_t>(golden.rows),
            golden.values.size() * which.size());
  EXPECT_EQ(actual.is_float32, golden.entry.precision == Type::kFloat32);
  for (size_t i = 0; i < which.size(); ++i) ExpectRow(golden, which[i], actual, i, tolerance);
}

// Row by row, in batches of 2 and 7, all at once, backwards, and more rows than the scratch memory
// takes.
void ExpectSameAnswers(const std::string& name, Tolerance tolerance) {
  const Golden golden = ReadGolden(name);
  LoadOptions options;
  options.scratch_rows = 5;
  const auto model = LoadBytes(golden.signature, golden.entry, golden.model, options);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_GT((*model)->cost().row_ns, 0);
  const auto instance = *(*model)->NewInstance();
  std::vector<int64_t> all(static_cast<size_t>(golden.rows));
  std::iota(all.begin(), all.end(), 0);
  for (const size_t size : {size_t{1}, size_t{2}, size_t{7}, all.size()}) {
    for (size_t begin = 0; begin < all.size(); begin += size) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
      ExpectBatch(golden, **model, *instance,
                  {first, first + static_cast<std::ptrdiff_t>(std::min(size, all.size() - begin))},
                  tolerance);
    }
  }
  std::reverse(all.begin(), all.end());
  ExpectBatch(golden, **model, *instance, all, tolerance);
}

std::string NameOf(const testing::TestParamInfo<const char*>& info) { return info.param; }

class BitEqual : public testing::TestWithParam<const char*> {};

TEST_P(BitEqual, ToScikitLearn) { ExpectSameAnswers(GetParam(), {}); }

INSTANTIATE_TEST_SUITE_P(Forests, BitEqual,
                         testing::Values("forest_digits", "scaled_forest_cancer",
                                         "float32_forest_cancer", "float32_minmax_cancer",
                                         "missing_forest_cancer", "forest_diabetes",
                                         "three_targets_forest_diabetes"),
                         NameOf);

INSTANTIATE_TEST_SUITE_P(Boosting, BitEqual,
                         testing::Values("boosting_cancer", "boosting_iris", "exponential_cancer",
                                         "huber_diabetes", "hist_missing_cancer",
                                         "hist_poisson_diabetes", "hist_categories",
                                         "lightgbm_categories", "lightgbm_missing_cancer",
                                         "lightgbm_forest_diabetes"),
                         NameOf);

INSTANTIATE_TEST_SUITE_P(Preparations, BitEqual, testing::Values("mixed_forest", "mixed_targets"),
                         NameOf);

class NearlyEqual : public testing::TestWithParam<const char*> {};

TEST_P(NearlyEqual, ToScikitLearn) {
  ExpectSameAnswers(GetParam(), {.relative = 1e-12, .absolute = 1e-15});
}

INSTANTIATE_TEST_SUITE_P(LinearModels, NearlyEqual,
                         testing::Values("logistic_digits", "logistic_cancer", "ovr_iris",
                                         "labels_iris", "hinge_iris", "lasso_diabetes",
                                         "three_targets_diabetes", "ridge_seconds"),
                         NameOf);

INSTANTIATE_TEST_SUITE_P(Preparations, NearlyEqual, testing::Values("mixed_logistic"), NameOf);

class WithinFloat32 : public testing::TestWithParam<const char*> {};

TEST_P(WithinFloat32, OfScikitLearn) {
  ExpectSameAnswers(GetParam(), {.relative = 1e-5, .absolute = 1e-6});
}

INSTANTIATE_TEST_SUITE_P(Models, WithinFloat32,
                         testing::Values("float32_ridge_diabetes", "onnx_logistic_digits",
                                         "onnx_forest_cancer", "onnx_boosting_diabetes",
                                         "onnx_clusters_diabetes", "onnx_mixed",
                                         "xgboost_missing_cancer", "xgboost_categories",
                                         "xgboost_iris", "xgboost_poisson_diabetes"),
                         NameOf);

}  // namespace
}  // namespace penstock::engine
