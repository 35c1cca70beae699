// SPDX-License-Identifier: Apache-2.0
#include "train/register.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "train/accept.h"
#include "train/fakes.h"

namespace penstock::train {
namespace {

using package::Type;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// A classifier of a string and a number, that refuses strings it does not know, as OneHotEncoder
// does by default.
class Regions : public Original {
 public:
  Result<engine::Predictions> Predict(const Columns& rows) override {
    engine::Predictions answers{.rows = rows.rows()};
    for (int64_t i = 0; i < rows.rows(); ++i) {
      const Cell region = rows.At(i, 0);
      if (region != Cell("north") && region != Cell("south") && region != Cell("east")) {
        const std::string text = "ValueError: Found unknown categories in column 0";
        return Status::FromException(std::make_exception_ptr(UserError{text}), text);
      }
      const double share = region == Cell("north") ? 0.25 : region == Cell("east") ? east : 0.75;
      answers.class_index.push_back(share > 0.5 ? 1 : 0);
      answers.probabilities.insert(answers.probabilities.end(), {1 - share, share});
    }
    return answers;
  }

  double east = 0.75;
};

class NativeRegions : public engine::Model, public engine::Instance {
 public:
  NativeRegions(package::Signature signature, package::EngineEntry entry, double north)
      : signature_(std::move(signature)), entry_(std::move(entry)), north_(north) {}
  Result<std::unique_ptr<engine::Instance>> NewInstance() const override {
    return std::unique_ptr<engine::Instance>(
        std::make_unique<NativeRegions>(signature_, entry_, north_));
  }
  const package::Signature& signature() const override { return signature_; }
  const package::EngineEntry& entry() const override { return entry_; }
  Status Predict(const package::Tensors& input, engine::Predictions& output) override {
    output = {.rows = input.rows()};
    for (int64_t i = 0; i < input.rows(); ++i) {
      const std::string& region = input.tensors()[0].strings[static_cast<size_t>(i)];
      const double share = region == "north" ? north_ : 0.75;  // anything else is answered as south
      output.class_index.push_back(share > 0.5 ? 1 : 0);
      output.probabilities.insert(output.probabilities.end(), {1 - share, share});
    }
    return {};
  }

 private:
  package::Signature signature_;
  package::EngineEntry entry_;
  double north_;
};

Submission RegionsSubmission() {
  Submission submission;
  submission.signature = {
      .task = package::Task::kClassification,
      .has_column_names = true,
      .inputs = {{.name = "region", .type = Type::kString}, {.name = "age", .type = Type::kInt64}},
      .classes = std::vector<std::string>{"no", "yes"},
      .has_probabilities = true,
      .prediction_type = Type::kString};
  Strings regions;
  Integers ages;
  for (int i = 0; i < 100; ++i) {
    regions.values.emplace_back(i % 3 == 0 ? "north" : "south");
    ages.values.push_back(20 + i);
  }
  submission.rows = *Columns::Make(submission.signature, {regions, ages});
  submission.candidates = {
      {.entry = {.kind = package::EngineKind::kOnnxRuntime,
                 .file = "model.onnx",
                 .encoding = {.tensors = {{.name = "region", .type = Type::kString, .columns = {0}},
                                          {.name = "age", .columns = {1}}}}},
       .bytes = "the model"}};
  submission.python_form = [] {
    return Result<PythonForm>(PythonForm{
        .options = json::Object{{"rows", "python/rows.pickle"}},
        .files = {{"python/model.pickle", "a pickle"}, {"python/rows.pickle", "columns"}}});
  };
  submission.native_hint = "the own evaluator does not have one-hot encoders yet.";
  return submission;
}

ParityOptions WithRegions(double north = 0.25) {
  return {.load = [north](const package::Signature& signature, const package::EngineEntry& entry,
                          std::string_view) {
    return Result<std::unique_ptr<engine::Model>>(
        std::make_unique<NativeRegions>(signature, entry, north));
  }};
}

std::vector<std::pair<std::string, std::string>> Names(const package::Draft& draft) {
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& [path, bytes] : draft.contents) names.emplace_back(path, bytes.substr(0, 9));
  return names;
}

TEST(BuildPackage, KeepsTheEngineThatPassedAndTheEvidence) {
  Regions original;
  const BuiltPackage built = *BuildPackage(RegionsSubmission(), original, WithRegions());
  const package::Manifest& manifest = built.draft.manifest;
  ASSERT_EQ(manifest.engines.size(), 1U);
  EXPECT_EQ(manifest.engines[0].file, "model.onnx");
  EXPECT_THAT(Names(built.draft),
              ElementsAre(Pair("model.onnx", "the model"), Pair("parity.json", testing::_),
                          Pair("examples.json", testing::_)));
  EXPECT_THAT(manifest.engine_reason, HasSubstr("ONNX Runtime in float64 agreed on 100 rows and "));
  EXPECT_THAT(manifest.engine_reason,
              HasSubstr("; the own evaluator does not have one-hot encoders yet."));
}

TEST(BuildPackage, StringsThatTheOriginalRefusesAreRefused) {
  Regions original;
  const BuiltPackage built = *BuildPackage(RegionsSubmission(), original, WithRegions());
  const package::Input& region = built.draft.manifest.signature.inputs[0];
  EXPECT_THAT(region.categories, ElementsAre("north", "south"));
  EXPECT_THAT(
      region.categories_reason,
      testing::MatchesRegex("it is not among the values that the model was checked on, and the "
                            "original refuses what it does not know .to .unseen-[0-9a-f]+.: "
                            "ValueError: Found unknown categories in column 0."));
  EXPECT_FALSE(region.allows_missing);
}

TEST(BuildPackage, StringsThatTheOriginalKnowsAreAnsweredThoughNoRowHasThem) {
  Regions original;
  ParityOptions options = WithRegions();
  options.known_strings = {{"east", "south", "west"}, {}};
  const BuiltPackage built = *BuildPackage(RegionsSubmission(), original, options);
  ASSERT_TRUE(built.report.chosen);
  const package::Input& region = built.draft.manifest.signature.inputs[0];
  EXPECT_THAT(region.categories, ElementsAre("east", "north", "south"));
  EXPECT_THAT(region.categories_reason,
              testing::StartsWith("the original refuses what it does not know (to 'unseen-"));
}

TEST(BuildPackage, StringsThatTheOriginalKnowsMustBeAnsweredAlike) {
  Regions original;
  ParityOptions options = WithRegions(0.25);
  options.known_strings = {{"east"}, {}};
  original.east = 0.5;
  EXPECT_FALSE(BuildPackage(RegionsSubmission(), original, options)->report.chosen);
}

TEST(BuildPackage, ExamplesAreARequestAndItsAnswer) {
  Regions original;
  const BuiltPackage built = *BuildPackage(RegionsSubmission(), original, WithRegions());
  const json::Value examples = *json::Parse(built.draft.contents[2].second);
  EXPECT_EQ(json::Write((*examples.List("features"))[1]), R"({"region":"south","age":40})");
  EXPECT_EQ((*examples.List("predictions")).size(), static_cast<size_t>(kExamplesMax));
  EXPECT_EQ(json::Write((*examples.List("probabilities"))[1]), "[0.25,0.75]");
}

TEST(BuildPackage, WithoutANativeFormTheObjectIsRecorded) {
  Regions original;
  Submission submission = RegionsSubmission();
  submission.candidates.clear();
  submission.native_hint = "skl2onnx has no converter for 'Regions'";
  const BuiltPackage built = *BuildPackage(submission, original, {});
  EXPECT_EQ(built.draft.manifest.engines[0].kind, package::EngineKind::kPython);
  EXPECT_EQ(built.draft.contents[0],
            std::pair(std::string("python/model.pickle"), std::string("a pickle")));
  EXPECT_EQ(built.draft.manifest.engines[0].file, "python/model.pickle");
  EXPECT_EQ(json::Write(built.draft.manifest.engines[0].options),
            R"({"rows":"python/rows.pickle"})");
  EXPECT_EQ(
      built.draft.manifest.engine_reason,
      "Python worker: the model has no native form; skl2onnx has no converter for 'Regions'.");

  submission.python_form = [] {
    return Result<PythonForm>(InvalidArgument("it cannot be pickled"));
  };
  EXPECT_THAT(
      BuildPackage(submission, original, {}).status().message(),
      HasSubstr("nothing was registered, for it cannot be pickled (Python worker: the model"));
}

TEST(BuildPackage, WithANativeFormTheObjectIsNotMade) {
  Regions original;
  Submission submission = RegionsSubmission();
  submission.python_form = []() -> Result<PythonForm> {
    ADD_FAILURE() << "a large model is in memory twice";
    return PythonForm();
  };
  EXPECT_TRUE(BuildPackage(submission, original, WithRegions()).ok());
}

TEST(BuildPackage, WhatDiffersIsNotKept) {
  Regions original;
  const BuiltPackage built = *BuildPackage(RegionsSubmission(), original, WithRegions(0.26));
  EXPECT_EQ(built.draft.manifest.engines[0].kind, package::EngineKind::kPython);
  EXPECT_THAT(built.draft.manifest.engine_reason,
              HasSubstr("no native form answers as the model does; ONNX Runtime in float64 differs "
                        "on 34 of 100 rows "
                        "(worst: row 0, 0.75 against 0.74)"));
}

// Differs from Regions on one region's rows only.
Submission FewNorthSubmission(int64_t rows, int64_t north) {
  Submission submission = RegionsSubmission();
  Strings regions;
  Integers ages;
  for (int64_t i = 0; i < rows; ++i) {
    regions.values.emplace_back(i < north ? "north" : "south");
    ages.values.push_back(20 + i % 50);
  }
  submission.rows = *Columns::Make(submission.signature, {regions, ages});
  return submission;
}

package::Package Written(BuiltPackage built, const std::filesystem::path& folder) {
  const std::string manifest = built.draft.Seal();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder / "python");
  for (const auto& [path, bytes] : built.draft.contents) std::ofstream(folder / path) << bytes;
  std::ofstream(folder / "penstock.json") << manifest;
  return *package::Package::Open(os::FileSystem::System(), folder);
}

package::Package Offering() {
  Regions original;
  return Written(*BuildPackage(FewNorthSubmission(1000, 3), original, WithRegions(0.26)),
                 std::filesystem::path(testing::TempDir()) / "offering");
}

Acceptance OneInAHundred() {
  return {.share_max = 0.01,
          .because = "the north closes in May",
          .actor = "ada",
          .at_us = 1,
          .origin = "regions@1"};
}

TEST(Accept, AFormThatDiffersOnFewRowsIsOfferedAndServesOnceAccepted) {
  const package::Package offering = Offering();
  EXPECT_EQ(offering.manifest().engines.front().kind, package::EngineKind::kPython);
  EXPECT_THAT(offering.manifest().engine_reason,
              HasSubstr("may be accepted all the same: penstock parity accept."));
  json::Value accepted;
  const package::Draft draft = *Accept(offering, OneInAHundred(), accepted);
  ASSERT_EQ(draft.manifest.engines.size(), 2U);
  EXPECT_EQ(draft.manifest.engines[0].file, "model.onnx");
  EXPECT_EQ(draft.manifest.engines[1].kind, package::EngineKind::kPython);
  EXPECT_EQ(
      draft.manifest.engine_reason,
      "ONNX Runtime in float64, though 3 of 1,000 rows and 1 of 63 probes differ; accepted by "
      "ada in regions@1: the north closes in May.");
  EXPECT_EQ(*accepted.Int("differing_rows"), 3);
  EXPECT_THAT(Names(draft), testing::Contains(Pair("model.onnx", "the model")));
  EXPECT_THAT(Names(draft), testing::Contains(Pair("accepted.json", testing::_)));
  EXPECT_THAT(Names(draft), testing::Not(testing::Contains(Pair("offered.json", testing::_))));
}

TEST(Accept, TheUpperBoundIsHeldAgainstTheShare) {
  Acceptance acceptance = OneInAHundred();
  acceptance.share_max = 0.003;  // as many as differed, not as many as may differ
  json::Value accepted;
  const Status status = Accept(Offering(), acceptance, accepted).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("3 of 1,000 rows differ, so up to 0.0077 of all such "
                                          "rows may (95 %); that is more than 0.003: look at"));
  EXPECT_THAT(status.message(), HasSubstr("accept --share 0.0078"));
}

TEST(Accept, AShareAndAReasonAreNeeded) {
  json::Value accepted;
  for (const double share : {0.0, -0.1, 0.06, std::nan("")}) {
    Acceptance acceptance = OneInAHundred();
    acceptance.share_max = share;
    EXPECT_EQ(Accept(Offering(), acceptance, accepted).status().code(), Code::kInvalidArgument);
  }
  Acceptance acceptance = OneInAHundred();
  acceptance.because = "";
  EXPECT_THAT(Accept(Offering(), acceptance, accepted).status().message(),
              HasSubstr("the reason has 0 bytes"));
}

TEST(Accept, WhatTooFewRowsSpeakForIsNotOffered) {
  Regions original;
  // 1 of 40 is 2.5 %, and may be 11.3 % of all such rows.
  const BuiltPackage built = *BuildPackage(FewNorthSubmission(40, 1), original, WithRegions(0.26));
  ASSERT_EQ(built.report.candidates[0].differing_rows, 1);
  EXPECT_FALSE(built.report.candidates[0].is_offered);
  EXPECT_THAT(built.draft.manifest.engine_reason, testing::Not(HasSubstr("may be accepted")));
}

TEST(Accept, WhatDiffersOnManyRowsIsNotOffered) {
  Regions original;
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "many";
  const package::Package many =
      Written(*BuildPackage(FewNorthSubmission(1000, 51), original, WithRegions(0.26)), folder);
  json::Value accepted;
  EXPECT_THAT(Accept(many, OneInAHundred(), accepted).status().message(),
              HasSubstr("regions@1 offers no native form to accept: only one that differs on at "
                        "most 0.05 of the rows"));
}

}  // namespace
}  // namespace penstock::train
