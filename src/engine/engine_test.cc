// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/ids.h"
#include "engine/labels.h"
#include "engine/onnx_external.h"
#include "engine/own_format.h"

namespace penstock::engine {
namespace {

using package::EngineEntry;
using package::EngineKind;
using package::Type;
using testing::HasSubstr;

std::string ReadFile(const std::string& name) {
  std::ifstream stream(std::string(PENSTOCK_TESTDATA) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

package::Signature NumbersTo(package::Task task, size_t columns) {
  package::Signature signature{.task = task};
  for (size_t i = 0; i < columns; ++i)
    signature.inputs.push_back({.name = "x" + std::to_string(i)});
  return signature;
}

EngineEntry EntryFor(EngineKind kind, size_t columns, Type type) {
  EngineEntry entry{.kind = kind, .file = "model"};
  entry.encoding.tensors = {{"X", type, {}}};
  for (size_t i = 0; i < columns; ++i)
    entry.encoding.tensors[0].columns.push_back(static_cast<int>(i));
  return entry;
}

// y = 2 x0 + 1
std::string LineFile() {
  static const double coef = 2;
  static const double intercept = 1;
  const auto bytes = [](const double& value) {
    return std::string_view(reinterpret_cast<const char*>(&value), 8);
  };
  const OwnArray arrays[] = {{"c", ElementType::kFloat64, {1, 1}, bytes(coef)},
                             {"b", ElementType::kFloat64, {1}, bytes(intercept)}};
  return *WriteOwn(
      *json::Parse(R"([{"op":"linear","coef":"c","intercept":"b","link":"identity"}])"), arrays);
}

struct Onnx {
  package::Signature signature = NumbersTo(package::Task::kRegression, 10);
  EngineEntry entry = EntryFor(EngineKind::kOnnxRuntime, 10, Type::kFloat32);
  std::string file = "onnx_boosting_diabetes.onnx";

  Onnx() { entry.options = json::Object{{"values", "variable"}}; }
  Result<std::unique_ptr<Model>> Load(const LoadOptions& options = {}) const {
    return LoadBytes(signature, entry, ReadFile(file), options);
  }
  std::string Error() const { return Load().status().message(); }
};

// A package of one engine on disk, removed at the end.
class Packages : public testing::Test {
 protected:
  ~Packages() override { std::filesystem::remove_all(root_); }

  package::Package Write(std::vector<EngineEntry> engines, const std::string& bytes) {
    package::Draft draft;
    draft.manifest.signature = NumbersTo(package::Task::kRegression, 1);
    draft.manifest.engine_reason =
        "a custom class has no exporter; a scikit-learn estimator would be native";
    draft.manifest.engines = std::move(engines);
    draft.contents = {{"model", bytes}};
    std::filesystem::create_directories(root_);
    std::ofstream(root_ / package::kManifestName, std::ios::binary) << draft.Seal();
    std::ofstream(root_ / "model", std::ios::binary) << bytes;
    return *package::Package::Open(os::FileSystem::System(), root_);
  }

  std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / ("penstock-engine-" + NewId());
};

TEST_F(Packages, TheFirstEngineThatLoadsAnswers) {
  EngineEntry broken = EntryFor(EngineKind::kOnnxRuntime, 1, Type::kFloat32);
  const auto package = Write({broken, EntryFor(EngineKind::kOwn, 1, Type::kFloat64)}, LineFile());
  const auto model = Load(package);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ((*model)->entry().kind, EngineKind::kOwn);
  const auto instance = *(*model)->NewInstance();
  package::Tensors tensors(&(*model)->signature(), &(*model)->entry().encoding);
  tensors.Resize(2);
  ASSERT_TRUE(tensors.SetNumber(0, 0, 3).ok());
  ASSERT_TRUE(tensors.SetNumber(1, 0, -1).ok());
  Predictions answer;
  ASSERT_TRUE(instance->Predict(tensors, answer).ok());
  EXPECT_THAT(answer.values, testing::ElementsAre(7, -1));
  EXPECT_TRUE(answer.class_index.empty() && answer.probabilities.empty());
}

TEST_F(Packages, APythonPackageThatDoesNotSayWhatItNeedsIsRefusedInOneSentence) {
  const auto package =
      Write({{.kind = EngineKind::kPython, .file = "model"}}, "a pickle, never opened");
  const Status status = Load(package).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "the package was made before Python workers and does not say what they need; register "
            "the model again");
}

TEST_F(Packages, AFileThatDoesNotFitIsNamed) {
  const auto package = Write({EntryFor(EngineKind::kOwn, 1, Type::kFloat64)}, "no evaluator file");
  EXPECT_THAT(Load(package).status().message(), HasSubstr("file 'model' of package"));
  EXPECT_THAT(Load(package).status().message(), HasSubstr("not an evaluator file"));
}

TEST(OwnEvaluator, AnEvaluatorThatDoesNotFitTheSignatureIsRefused) {
  const EngineEntry entry = EntryFor(EngineKind::kOwn, 1, Type::kFloat64);
  package::Signature signature = NumbersTo(package::Task::kRegression, 1);
  signature.prediction_width = 2;
  EXPECT_EQ(LoadBytes(signature, entry, LineFile()).status().message(),
            "the evaluator gives 1 values a row; the signature has 2");
  signature = NumbersTo(package::Task::kClassification, 1);
  signature.classes = std::vector<int64_t>{0, 1};
  EXPECT_EQ(LoadBytes(signature, entry, LineFile()).status().message(),
            "the evaluator tells 0 classes apart; the signature has 2");
  EXPECT_THAT(LoadBytes(NumbersTo(package::Task::kRegression, 2),
                        EntryFor(EngineKind::kOwn, 2, Type::kFloat64), LineFile())
                  .status()
                  .message(),
              HasSubstr("do not fit together and 2 features"));
  EXPECT_THAT(LoadBytes(NumbersTo(package::Task::kRegression, 1),
                        EntryFor(EngineKind::kOwn, 1, Type::kInt64), LineFile())
                  .status()
                  .code(),
              Code::kInvalidArgument);
}

TEST(OwnEvaluator, ThreadsShareOneModel) {
  const package::Signature signature = NumbersTo(package::Task::kRegression, 1);
  const auto model =
      *LoadBytes(signature, EntryFor(EngineKind::kOwn, 1, Type::kFloat64), LineFile());
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&model, t] {
      const auto instance = *model->NewInstance();
      package::Tensors tensors(&model->signature(), &model->entry().encoding);
      Predictions answer;
      for (int i = 0; i < 1000; ++i) {
        tensors.Resize(1 + i % 3);
        for (int64_t row = 0; row < tensors.rows(); ++row)
          ASSERT_TRUE(tensors.SetInteger(row, 0, t).ok());
        ASSERT_TRUE(instance->Predict(tensors, answer).ok());
        ASSERT_EQ(answer.values.back(), 2 * t + 1);
      }
    });
  }
}

TEST(OnnxRuntime, AModelThatDoesNotFitIsNamed) {
  Onnx options;
  options.entry.options = json::Object{{"values", "score"}};
  EXPECT_EQ(options.Error(), "the ONNX model has no output 'score'; it has 'variable'");
  Onnx none;
  none.entry.options = nullptr;
  EXPECT_EQ(none.Error(), "the options of the engine name no output 'values'");
  Onnx name;
  name.entry.encoding.tensors[0].name = "rows";
  EXPECT_EQ(name.Error(), "the ONNX model has no input 'rows'; it has 'X'");
  Onnx type;
  type.entry.encoding.tensors[0].type = Type::kFloat64;
  EXPECT_EQ(type.Error(),
            "input 'X' of the ONNX model is not of type float64, as the encoding says");
  Onnx width;
  width.signature.inputs.pop_back();
  width.entry.encoding.tensors[0].columns.pop_back();
  EXPECT_EQ(width.Error(),
            "input 'X' of the ONNX model has the shape [-1, 10]; any number of rows, with 9 values "
            "each, was expected");
}

TEST(OnnxRuntime, AWidthWhoseProductWithTheRowsIsBeyondInt64IsNotTakenForTheRightOne) {
  Onnx onnx;
  onnx.signature.prediction_width = (int64_t{1} << 62) + 1;  // times 4 rows: 4, modulo 2^64
  const auto model = *onnx.Load();
  const auto instance = *model->NewInstance();
  package::Tensors tensors(&model->signature(), &model->entry().encoding);
  tensors.Resize(4);
  for (int64_t row = 0; row < 4; ++row) {
    for (int column = 0; column < 10; ++column) ASSERT_TRUE(tensors.SetNumber(row, column, 0).ok());
  }
  Predictions predictions;
  EXPECT_THAT(instance->Predict(tensors, predictions).message(),
              HasSubstr("has 4 values for 4 rows"));
}

TEST(OnnxRuntime, BytesThatAreNoModelAreRefused) {
  const Onnx onnx;
  for (const std::string& bytes :
       {std::string("not a model"), std::string(), ReadFile(onnx.file).substr(0, 1000)}) {
    const Status status = LoadBytes(onnx.signature, onnx.entry, bytes).status();
    EXPECT_EQ(status.message(), "the file is no ONNX model: its bytes are no message of onnx.proto")
        << bytes.size();
  }
  EXPECT_THAT(
      LoadBytes(onnx.signature, onnx.entry, std::string_view("\x08\x09", 2)).status().message(),
      HasSubstr("ONNX Runtime refuses the model: "))
      << "a model of nothing but its version";
}

TEST(OnnxRuntime, AnInitializerInAnotherFileIsNeverRead) {
  const std::filesystem::path secret = std::filesystem::current_path() / "secret.bin";
  std::ofstream(secret) << std::string(256, 'x');
  Onnx onnx{};
  onnx.signature = NumbersTo(package::Task::kRegression, 64);
  onnx.signature.prediction_width = 64;
  onnx.entry = EntryFor(EngineKind::kOnnxRuntime, 64, Type::kFloat32);
  onnx.entry.options = json::Object{{"values", "variable"}};
  onnx.file = "onnx_external.onnx";
  const Status status = onnx.Load().status();
  std::filesystem::remove(secret);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.message(),
            "the ONNX model keeps tensors in another file; export it as one file (onnx.save: "
            "save_as_external_data=False)");
}

TEST(OnnxRuntime, ASequenceOfMapsIsRefusedWithTheRemedy) {
  Onnx onnx{};
  onnx.signature = NumbersTo(package::Task::kClassification, 30);
  onnx.signature.classes = std::vector<std::string>{"benign", "malignant"};
  onnx.signature.has_probabilities = true;
  onnx.entry = EntryFor(EngineKind::kOnnxRuntime, 30, Type::kFloat32);
  onnx.entry.options =
      json::Object{{"label", "output_label"}, {"probabilities", "output_probability"}};
  onnx.file = "onnx_zipmap_cancer.onnx";
  EXPECT_EQ(onnx.Error(),
            "output 'output_probability' of the ONNX model is no tensor; export it as one "
            "(skl2onnx: zipmap=False)");
}

TEST(OnnxRuntime, ALabelThatTheSignatureDoesNotHaveIsAnError) {
  Onnx onnx{};
  onnx.signature = NumbersTo(package::Task::kClassification, 30);
  onnx.signature.classes = std::vector<std::string>{"x", "y"};
  onnx.signature.has_probabilities = true;
  onnx.entry = EntryFor(EngineKind::kOnnxRuntime, 30, Type::kFloat32);
  onnx.entry.options = json::Object{{"label", "label"}, {"probabilities", "probabilities"}};
  onnx.file = "onnx_forest_cancer.onnx";
  const auto model = *onnx.Load();
  EXPECT_EQ(model->cost().row_ns, 0) << "what answers no made-up row has no cost";
  package::Tensors tensors(&onnx.signature, &onnx.entry.encoding);
  tensors.Resize(1);
  for (int column = 0; column < 30; ++column) ASSERT_TRUE(tensors.SetNumber(0, column, 1).ok());
  Predictions answer;
  const Status status = (*model->NewInstance())->Predict(tensors, answer);
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("which is not one of the signature's classes"));
}

TEST(OnnxRuntime, AMissingLibraryIsToldWithThePlaceAndTheRemedy) {
  const Status status = Onnx().Load({.onnxruntime = "/nonexistent/libonnxruntime.so.1"}).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "the model needs ONNX Runtime, which is not at '/nonexistent/libonnxruntime.so.1'; "
            "install Penstock with its "
            "libraries, or set PENSTOCK_ONNXRUNTIME to the path of libonnxruntime.so.1");
  setenv("PENSTOCK_ONNXRUNTIME", "/nonexistent/site.so", 1);
  EXPECT_THAT(Onnx().Error(), HasSubstr("is not at '/nonexistent/site.so'"));
  unsetenv("PENSTOCK_ONNXRUNTIME");
  EXPECT_EQ(Onnx().Error(), "") << "found beside this program";
}

TEST(OnnxRuntime, AFileThatIsNoLibraryIsTold) {
  const std::string here = std::string(PENSTOCK_TESTDATA) + "/make_golden.py";
  EXPECT_THAT(Onnx().Load({.onnxruntime = here}).status().message(),
              HasSubstr("invalid ELF header"));
  EXPECT_THAT(Onnx().Load({.onnxruntime = "libm.so.6"}).status().message(),
              HasSubstr("no OrtGetApiBase"));
}

TEST(Labels, NumbersMeanTheSameLabelInEveryType) {
  const Labels integers(std::vector<int64_t>{7, -3});
  EXPECT_EQ(integers.Find(int64_t{-3}), 1);
  EXPECT_EQ(integers.Find(7.0), 0);
  EXPECT_EQ(integers.Find(int64_t{0}), -1);
  const Labels doubles(std::vector<double>{0.5, 2});
  EXPECT_EQ(doubles.Find(int64_t{2}), 1);
  const Labels booleans(std::vector<bool>{false, true});
  EXPECT_EQ(booleans.Find(int64_t{1}), 1);
  EXPECT_EQ(booleans.Find(std::string_view("False")), 0);
  const Labels texts(std::vector<std::string>{"a", "b"});
  EXPECT_EQ(texts.Find(std::string_view("b")), 1);
  EXPECT_EQ(texts.Find(1.0), -1);
}

}  // namespace
}  // namespace penstock::engine
