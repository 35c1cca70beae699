// SPDX-License-Identifier: Apache-2.0
#include "package/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "base/ids.h"

namespace penstock::package {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

Draft IrisDraft() {
  Draft draft;
  draft.manifest.created_by = "penstock 0.1.0";
  Signature& signature = draft.manifest.signature;
  signature.task = Task::kClassification;
  signature.has_column_names = true;
  signature.inputs = {{.name = "sepal", .abs_max = Bound{3.4e38, true, "the original refuses it"}},
                      {.name = "count", .type = Type::kInt64},
                      {.name = "kind",
                       .type = Type::kString,
                       .allows_missing = true,
                       .missing_reason = "Input X contains NaN."}};
  signature.classes = std::vector<std::string>{"setosa", "virginica"};
  signature.has_probabilities = true;
  signature.prediction_type = Type::kString;
  signature.prediction_dtype = "<U9";
  EngineEntry entry{
      .kind = EngineKind::kOnnxRuntime, .file = "model.onnx", .precision = Type::kFloat32};
  entry.encoding.tensors = {
      {"sepal", Type::kFloat32, {0}}, {"count", Type::kInt64, {1}}, {"kind", Type::kString, {2}}};
  entry.options = json::Object{{"label", "label"}, {"probabilities", "probabilities"}};
  draft.manifest.engines = {entry};
  draft.manifest.engine_reason = "ONNX Runtime, because the model has an encoder.";
  draft.contents = {{"parity.json", "{}"},
                    {"model.onnx", "not really"},
                    {"python/model.joblib", std::string("\0x", 2)}};
  return draft;
}

// A package in a directory of its own, removed at the end.
class OnDisk : public testing::Test {
 protected:
  OnDisk() : root_(fs::temp_directory_path() / ("penstock-package-" + NewId())) {
    Write(IrisDraft());
  }
  ~OnDisk() override { fs::remove_all(root_); }

  void Write(Draft draft) {
    const std::string manifest = draft.Seal();
    digest_ = Sha256Hex(manifest);
    WriteFile(kManifestName, manifest);
    for (const auto& [path, bytes] : draft.contents) WriteFile(path, bytes);
  }

  void WriteFile(std::string_view path, std::string_view bytes) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << bytes;
  }

  std::string ReadFile(std::string_view path) {
    std::ifstream stream(root_ / path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  Status OpenStatus() { return Package::Open(os::FileSystem::System(), root_).status(); }

  fs::path root_;
  std::string digest_;
};

TEST_F(OnDisk, IsReadAsItWasSealed) {
  const auto package = Package::Open(os::FileSystem::System(), root_);
  ASSERT_TRUE(package.ok()) << package.status().ToString();
  EXPECT_EQ(package->digest(), digest_);
  Draft draft = IrisDraft();
  draft.Seal();
  EXPECT_EQ(package->manifest().ToJson(), draft.manifest.ToJson());
  EXPECT_EQ(*package->Read("python/model.joblib"), std::string("\0x", 2));
  EXPECT_EQ(package->Read("other").status().code(), Code::kNotFound);
}

std::string WithFlippedBit(std::string bytes, size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

TEST(ParseManifest, AnyFlippedBitIsDataLoss) {
  const std::string bytes = IrisDraft().Seal();
  ASSERT_TRUE(ParseManifest(bytes).ok());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const Status status = ParseManifest(WithFlippedBit(bytes, bit)).status();
    ASSERT_EQ(status.code(), Code::kDataLoss) << "bit " << bit << ": " << status.ToString();
    ASSERT_THAT(status.message(), HasSubstr("'penstock.json' was changed"));
  }
}

TEST_F(OnDisk, AFlippedBitIsDataLossAndNamesTheFile) {
  for (const std::string path :
       {"penstock.json", "model.onnx", "parity.json", "python/model.joblib"}) {
    const std::string bytes = ReadFile(path);
    for (size_t bit = 0; bit < bytes.size() * 8; bit += 7 + bytes.size() / 4) {
      WriteFile(path, WithFlippedBit(bytes, bit));
      const Status status = OpenStatus();
      ASSERT_EQ(status.code(), Code::kDataLoss)
          << path << " bit " << bit << ": " << status.ToString();
      ASSERT_THAT(status.message(), HasSubstr(path));
    }
    WriteFile(path, bytes);
  }
  EXPECT_TRUE(OpenStatus().ok());
}

TEST_F(OnDisk, AFileThatReadsTooShortTooLongOrNotAtAllIsDataLoss) {
  WriteFile("model.onnx", "not really, longer");
  EXPECT_THAT(OpenStatus().message(),
              HasSubstr("it has 18 bytes, the manifest says 10; register or copy it again"));
  fs::remove(root_ / "model.onnx");
  EXPECT_EQ(OpenStatus().code(), Code::kDataLoss);
  EXPECT_THAT(OpenStatus().message(), HasSubstr("file 'model.onnx' of package"));
  EXPECT_THAT(OpenStatus().message(), HasSubstr("is missing; register or copy it again"));
}

TEST_F(OnDisk, ASymbolicLinkIsRefusedEvenToTheSameBytes) {
  fs::rename(root_ / "model.onnx", root_ / "elsewhere");
  fs::create_symlink(root_ / "elsewhere", root_ / "model.onnx");
  EXPECT_THAT(OpenStatus().message(), HasSubstr("'model.onnx' of package"));
  EXPECT_THAT(OpenStatus().message(), HasSubstr("is a symbolic link"));
  fs::remove(root_ / "model.onnx");
  fs::rename(root_ / "elsewhere", root_ / "model.onnx");
  fs::rename(root_ / "python", root_ / "python2");
  fs::create_directory_symlink(root_ / "python2", root_ / "python");
  EXPECT_THAT(OpenStatus().message(), HasSubstr("is a symbolic link"));
}

TEST_F(OnDisk, ADirectoryNamedByAnotherDigestIsDataLoss) {
  const fs::path right = root_.parent_path() / digest_;
  fs::rename(root_, right);
  root_ = right;
  EXPECT_TRUE(OpenStatus().ok());
  const fs::path wrong = root_.parent_path() / Sha256Hex(digest_);
  fs::rename(root_, wrong);
  root_ = wrong;
  EXPECT_EQ(OpenStatus().code(), Code::kDataLoss);
  EXPECT_THAT(OpenStatus().message(), HasSubstr("'penstock.json' of package"));
}

TEST_F(OnDisk, FilesThatTheManifestDoesNotNameAreLeftAlone) {
  WriteFile("notes.txt", "mine");
  EXPECT_TRUE(OpenStatus().ok());
}

TEST_F(OnDisk, ANewerFormatIsRefusedWithTheRemedy) {
  Draft draft = IrisDraft();
  draft.manifest.format = 2;
  draft.manifest.reader_min = 2;
  Write(draft);
  EXPECT_EQ(OpenStatus().code(), Code::kFailedPrecondition);
  EXPECT_THAT(OpenStatus().message(),
              HasSubstr("made by a newer Penstock (format 2, needs a reader of format 2; this "
                        "one reads up to 1): upgrade Penstock here"));
  draft.manifest.reader_min = 1;
  Write(draft);
  EXPECT_TRUE(OpenStatus().ok()) << "a newer format that older readers can read";
}

TEST(Open, NamesWhatIsNotThere) {
  const Status status = Package::Open(os::FileSystem::System(), "/nonexistent/pkg").status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.message(), "there is no package at '/nonexistent/pkg'");
  EXPECT_THAT(Package::Open(os::FileSystem::System(), "/usr").status().message(),
              HasSubstr("'/usr' is no package: it has no 'penstock.json'"));
}

TEST(Seal, TheSameContentGivesTheSameBytesInAnyOrder) {
  Draft a = IrisDraft();
  Draft b = IrisDraft();
  std::reverse(b.contents.begin(), b.contents.end());
  EXPECT_EQ(a.Seal(), b.Seal());
  EXPECT_EQ(a.Seal(), b.Seal()) << "sealing twice changes nothing";
  b.contents[0].second += "!";
  EXPECT_NE(a.Seal(), b.Seal());
}

TEST(CheckPath, RefusesWhatCouldLeaveTheDirectory) {
  for (const std::string_view path :
       {std::string_view(""), std::string_view("/etc/passwd"), std::string_view("../x"),
        std::string_view("a/../x"), std::string_view("a//x"), std::string_view("a/"),
        std::string_view("./a"), std::string_view("a\\b"), std::string_view("a\0b", 3),
        std::string_view("penstock.json")}) {
    EXPECT_EQ(CheckPath(path).code(), Code::kInvalidArgument) << path;
  }
  EXPECT_FALSE(CheckPath(std::string(256, 'a')).ok());
  EXPECT_TRUE(CheckPath("python/model..joblib").ok());
}

Status ParseChanged(std::string_view member, json::Value value) {
  Draft draft = IrisDraft();
  draft.Seal();
  json::Value manifest = draft.manifest.ToJson();
  manifest.Set(member, std::move(value));
  return Manifest::FromJson(manifest).status();
}

TEST(Manifest, RefusesWhatDoesNotFitTogether) {
  EXPECT_EQ(ParseChanged("files", json::Array{}).message(),
            "engine file 'model.onnx' is not among the package's files");
  EXPECT_EQ(ParseChanged("engines", json::Array{}).message(),
            "the manifest names no engine; at least one was expected");
  EXPECT_EQ(ParseChanged("format", 0).message(),
            "'format' is 0 and 'reader_min' 1; 1 <= reader_min <= format was expected");
  EXPECT_EQ(ParseChanged("signature", nullptr).message(),
            "member 'task' is missing; a string was expected");
  const json::Value file =
      json::Object{{"path", "../../etc/passwd"}, {"size", 1}, {"sha256", std::string(64, 'a')}};
  EXPECT_THAT(ParseChanged("files", json::Array{file}).message(),
              HasSubstr("'../../etc/passwd' cannot be the path of a file in a package"));
  const json::Value large =
      json::Object{{"path", "a"}, {"size", kFileBytesMax + 1}, {"sha256", std::string(64, 'a')}};
  EXPECT_EQ(ParseChanged("files", json::Array{large}).message(),
            "the size of file 'a' is 4294967297; 0 to 4294967296 bytes were expected");
}

TEST(Signature, EveryKindOfClassesComesBack) {
  Signature signature = IrisDraft().manifest.signature;
  for (const Classes& classes :
       {Classes(std::vector<int64_t>{-1, 9007199254740993}), Classes(std::vector<double>{0.5, 1}),
        Classes(std::vector<bool>{false, true}), Classes(std::vector<std::string>{"a", "ü"})}) {
    signature.classes = classes;
    const auto parsed = Signature::FromJson(*json::Parse(json::Write(signature.ToJson())));
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    EXPECT_EQ(parsed->classes, classes);
    EXPECT_EQ(parsed->ToJson(), signature.ToJson());
  }
}

Status SignatureStatus(const std::function<void(Signature&)>& change) {
  Signature signature = IrisDraft().manifest.signature;
  change(signature);
  return Signature::FromJson(signature.ToJson()).status();
}

TEST(Signature, RefusesWhatDoesNotFitTogether) {
  EXPECT_EQ(SignatureStatus([](Signature& s) { s.inputs[1].name = "sepal"; }).message(),
            "input 'sepal' stands twice");
  EXPECT_THAT(SignatureStatus([](Signature& s) { s.task = Task::kRegression; }).message(),
              HasSubstr("has 2 classes"));
  EXPECT_EQ(SignatureStatus([](Signature& s) { s.classes = std::vector<int64_t>{1, 1}; }).message(),
            "a label stands twice in 'classes'");
  EXPECT_EQ(SignatureStatus([](Signature& s) { s.prediction_width = int64_t{1} << 62; }).message(),
            "'width' is 4611686018427387904; 0 to 1048576 was expected");
  EXPECT_EQ(TypeFromName("int").status().message(),
            "'int' is no type of a value; one of 'bool', 'int64', 'float32', 'float64', 'string' "
            "was expected");
}

TEST(Signature, AnEmptyListOfCategoriesIsNotTakenForAnyString) {
  std::string text = json::Write(IrisDraft().manifest.signature.ToJson());
  const std::string_view before = "\"missing_reason\"";
  text.insert(text.find(before), "\"categories\":[],\"categories_reason\":\"\",");
  EXPECT_EQ(Signature::FromJson(*json::Parse(text)).status().message(),
            "input 2: 'categories' is empty; at least one string was expected, or no list");
}

TEST(Encoding, EveryColumnStandsInExactlyOneTensor) {
  const auto status = [](std::string_view text) {
    return Encoding::FromJson(*json::Parse(text), 2).status();
  };
  EXPECT_TRUE(status(R"({"tensors":[{"name":"X","type":"float64","columns":[1,0]}]})").ok());
  EXPECT_EQ(status(R"({"tensors":[{"name":"X","type":"float64","columns":[1]}]})").message(),
            "column 0 stands in no tensor");
  EXPECT_THAT(status(R"({"tensors":[{"name":"X","type":"float64","columns":[1,1]}]})").message(),
              HasSubstr("tensor 'X' names the column 1;"));
  EXPECT_FALSE(status(R"({"tensors":[{"name":"X","type":"float64","columns":[0,2]}]})").ok());
}

}  // namespace
}  // namespace penstock::package
