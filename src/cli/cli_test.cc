// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/count.h"
#include "base/ids.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/python.h"
#include "config/home.h"
#include "engine/own_format.h"
#include "registry/runs.h"
#include "train/register.h"

namespace penstock::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class FakeTerminal : public Terminal {
 public:
  void Out(std::string_view text) override { out += text; }
  void Err(std::string_view text) override { err += text; }
  Status written() const override { return {}; }
  std::string out;
  std::string err;
};

class FakeUserCode : public UserCode {
 public:
  Status Train(const TrainArguments& arguments) override {
    trained.push_back(arguments);
    return answer;
  }
  Status Check(const CheckArguments& arguments) override {
    checked.push_back(arguments);
    return answer;
  }
  Status Register(const RegisterArguments& arguments) override {
    registered.push_back(arguments);
    return answer;
  }
  std::vector<CheckArguments> checked;
  std::vector<RegisterArguments> registered;
  std::vector<TrainArguments> trained;
  Status answer;
};

// y = 2 a - b + 0.5, which refuses missing values as scikit-learn does.
class Plane : public train::Original {
 public:
  Result<engine::Predictions> Predict(const train::Columns& rows) override {
    engine::Predictions answers{.rows = rows.rows()};
    for (int64_t row = 0; row < rows.rows(); ++row) {
      const train::Cell a = rows.At(row, 0);
      const train::Cell b = rows.At(row, 1);
      if (train::IsMissing(a) || train::IsMissing(b)) {
        return Status::FromException(std::make_exception_ptr(std::exception()),
                                     "ValueError: Input X contains NaN.");
      }
      answers.values.push_back(std::get<double>(a) * 2 - std::get<double>(b) + 0.5);
      if (!std::isfinite(answers.values.back())) {
        return Status::FromException(std::make_exception_ptr(std::exception()),
                                     "ValueError: Input X contains infinity.");
      }
    }
    return answers;
  }
};

std::string_view BytesOf(std::span<const double> numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()};
}

train::Submission PlaneSubmission() {
  static constexpr std::array<double, 2> kCoef = {2, -1};
  static constexpr std::array<double, 1> kIntercept = {0.5};
  const std::vector<engine::OwnArray> arrays = {
      {.name = "c", .shape = {1, 2}, .bytes = BytesOf(kCoef)},
      {.name = "b", .shape = {1}, .bytes = BytesOf(kIntercept)}};
  const json::Value steps =
      *json::Parse(R"([{"op": "linear", "coef": "c", "intercept": "b", "link": "identity"}])");
  train::Submission submission;
  submission.signature.task = package::Task::kRegression;
  submission.signature.has_column_names = true;
  submission.signature.inputs = {{.name = "a"}, {.name = "größe"}};
  submission.signature.prediction_dtype = "float64";
  package::EngineEntry entry{.file = "evaluator.safetensors"};
  entry.encoding.tensors = {{.name = "X", .columns = {0, 1}}};
  submission.candidates = {{.entry = entry, .bytes = *engine::WriteOwn(steps, arrays)}};
  train::Numbers a;
  train::Numbers b;
  for (int row = 0; row < 50; ++row) {
    a.values.push_back(row * 0.5);
    b.values.push_back(row % 7);
  }
  submission.rows = *train::Columns::Make(submission.signature, {a, b});
  return submission;
}

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("penstock_cli_" + NewId());
    std::filesystem::create_directories(folder_);
    setenv(config::kHomeVariable, (folder_ / "home").c_str(), 1);
  }
  void TearDown() override {
    unsetenv(config::kHomeVariable);
    std::filesystem::remove_all(folder_);
  }

  int Run(const std::vector<std::string>& arguments) {
    terminal_ = FakeTerminal();
    return cli::Run(arguments, user_code_, terminal_);
  }

  void RegisterPlane() {
    std::filesystem::create_directories(folder_ / "home");
    Plane plane;
    Result<train::BuiltPackage> built = train::BuildPackage(PlaneSubmission(), plane);
    ASSERT_TRUE(built.ok()) << built.status().ToString();
    Result<registry::Registry> registry = registry::Registry::Open(folder_ / "home");
    ASSERT_TRUE(registry.ok()) << registry.status().ToString();
    ASSERT_TRUE(
        registry->Register("plane", built->draft, json::Object{{"framework", "none"}}).ok());
  }

  std::string File(const std::string& text) const {
    const std::filesystem::path path = folder_ / "sample.json";
    std::ofstream(path) << text;
    return path.string();
  }

  std::filesystem::path folder_;
  FakeTerminal terminal_;
  FakeUserCode user_code_;
};

TEST_F(CliTest, ExplainsItselfWithExamples) {
  EXPECT_EQ(Run({}), 0);
  EXPECT_THAT(terminal_.out, AllOf(HasSubstr("register"), HasSubstr("Examples:")));
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(terminal_.out, HasSubstr("penstock serve churn --port 8000"));
  EXPECT_THAT(terminal_.out, ::testing::Not(HasSubstr("read-rows")));
  EXPECT_EQ(Run({"serve", "--help"}), 0);
  EXPECT_THAT(terminal_.out, AllOf(HasSubstr("--admin-port"), HasSubstr("PENSTOCK_SERVE_PORT")));
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_EQ(terminal_.out, std::string("penstock ") + PENSTOCK_VERSION + "\n");
}

TEST_F(CliTest, NamesTheNearestCommand) {
  EXPECT_EQ(Run({"regster"}), 2);
  EXPECT_THAT(terminal_.err, AllOf(::testing::StartsWith("penstock: 'regster' is not a command"),
                                   HasSubstr("Did you mean 'register'?")));
  EXPECT_THAT(terminal_.out, IsEmpty());
}

TEST_F(CliTest, TellsWhichFlagIsMissingOrWrong) {
  EXPECT_EQ(Run({"register", "model.joblib"}), 2);
  EXPECT_THAT(terminal_.err, AllOf(HasSubstr("required"), HasSubstr("penstock register --help")));
  EXPECT_EQ(Run({"serve", "churn", "--port", "70000"}), 2);
  EXPECT_THAT(terminal_.err, HasSubstr("--port"));
  EXPECT_EQ(Run({"models", "list", "--jsno"}), 2);
  EXPECT_THAT(terminal_.err, HasSubstr("--jsno"));
}

TEST_F(CliTest, ShowsTheHeadAndTheSchemaOfASource) {
  const std::string path = (folder_ / "rows.csv").string();
  std::ofstream(path) << "id,name\n1,Zürich\n2,\n3,x\n";
  EXPECT_EQ(Run({"data", "schema", path}), 0) << terminal_.err;
  EXPECT_EQ(terminal_.out, "COLUMN  TYPE\nid      int64\nname    string\n");
  EXPECT_EQ(Run({"data", "head", path, "-n", "2"}), 0) << terminal_.err;
  EXPECT_EQ(terminal_.out, "id  name\n1   Zürich\n2   NULL\n");
  EXPECT_EQ(Run({"data", "head", path, "--json"}), 0) << terminal_.err;
  const Result<json::Value> rows = json::Parse(terminal_.out);
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  ASSERT_EQ(rows->if_array()->size(), 3U);
  EXPECT_EQ((*rows->if_array())[1], json::Value(json::Object{{"id", 2}, {"name", nullptr}}));
  EXPECT_EQ(Run({"data", "head", path + "x"}), 2);
  EXPECT_EQ(Run({"data", "head", path, "-n", "0"}), 2);
}

TEST_F(CliTest, LeavesRegisterToTheUsersPython) {
  EXPECT_EQ(Run({"register", "m.joblib", "--name", "churn", "--examples", "rows.csv", "--target",
                 "left", "--json"}),
            0);
  ASSERT_EQ(user_code_.registered.size(), 1U);
  EXPECT_EQ(user_code_.registered[0].model, "m.joblib");
  EXPECT_EQ(user_code_.registered[0].name, "churn");
  EXPECT_EQ(user_code_.registered[0].examples, "rows.csv");
  EXPECT_EQ(user_code_.registered[0].target, "left");
  EXPECT_TRUE(user_code_.registered[0].is_json);
  user_code_.answer = AlreadyExists("no");
  EXPECT_EQ(Run({"register", "m.joblib", "--name", "churn", "--examples", "rows.csv"}), 4);
  EXPECT_EQ(terminal_.err, "penstock: no\n");
}

TEST_F(CliTest, LeavesTrainToTheUsersPython) {
  EXPECT_EQ(Run({"train", "app:model", "--set", "C=0.5", "--set", "solver=saga", "--param",
                 "rows=3", "--split", "test_size=0.3", "--trainer", "epochs=5", "--no-register"}),
            0);
  ASSERT_EQ(user_code_.trained.size(), 1U);
  const TrainArguments& trained = user_code_.trained[0];
  EXPECT_EQ(trained.app, "app:model");
  EXPECT_THAT(trained.set, ElementsAre("C=0.5", "solver=saga"));
  EXPECT_THAT(trained.param, ElementsAre("rows=3"));
  EXPECT_THAT(trained.split, ElementsAre("test_size=0.3"));
  EXPECT_THAT(trained.trainer, ElementsAre("epochs=5"));
  EXPECT_FALSE(trained.registers);
  EXPECT_EQ(Run({"train", "app:model"}), 0);
  EXPECT_TRUE(user_code_.trained[1].registers);
  EXPECT_EQ(Run({"train"}), 2);
}

TEST_F(CliTest, LeavesCheckToTheUsersPython) {
  EXPECT_EQ(Run({"check", "app:model", "--set", "C=0.5", "--against", "churn@3", "--native",
                 "--examples", "a.json", "--examples", "b.json", "--json"}),
            0);
  ASSERT_EQ(user_code_.checked.size(), 1U);
  const CheckArguments& checked = user_code_.checked[0];
  EXPECT_EQ(checked.app, "app:model");
  EXPECT_THAT(checked.set, ElementsAre("C=0.5"));
  EXPECT_EQ(checked.against, "churn@3");
  EXPECT_TRUE(checked.is_native);
  EXPECT_THAT(checked.examples, ElementsAre("a.json", "b.json"));
  EXPECT_TRUE(checked.is_json);
  user_code_.answer = FailedPrecondition("1 of 5 checks failed: 'signature'");
  EXPECT_EQ(Run({"check", "app:model"}), 7);
}

TEST_F(CliTest, InitMakesAnAppThatBearsTheFoldersName) {
  const std::filesystem::path folder = folder_ / "shop";
  EXPECT_EQ(Run({"init", folder.string()}), 0);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path().filename().string());
  EXPECT_THAT(files, UnorderedElementsAre("app.py", "test_app.py", "README.md", "requirements.txt",
                                          ".gitignore", "customers.csv", "sample.json"));
  std::ifstream app(folder / "app.py");
  const std::string text((std::istreambuf_iterator<char>(app)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, HasSubstr("model = Model(\"shop\", "));
  EXPECT_THAT(text, Not(HasSubstr("{{")));
}

TEST_F(CliTest, InitLosesNothing) {
  const std::filesystem::path folder = folder_ / "shop";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "README.md") << "mine";
  EXPECT_EQ(Run({"init", folder.string() + "/"}), 4);
  EXPECT_THAT(terminal_.err, HasSubstr("has a file 'README.md' already, which would be lost"));
  EXPECT_FALSE(std::filesystem::exists(folder / "app.py"));
  EXPECT_EQ(Run({"init", (folder_ / "my shop").string()}), 2);
  EXPECT_THAT(terminal_.err, HasSubstr("the folder's name is the model's too: 'my shop' is not"));
}

TEST_F(CliTest, ShowsRuns) {
  EXPECT_EQ(Run({"runs", "list"}), 3) << "there is no home yet";
  std::filesystem::create_directories(folder_ / "home");
  EXPECT_EQ(Run({"runs", "list"}), 0);
  EXPECT_THAT(terminal_.err, HasSubstr("nothing was trained yet"));
  registry::LiveRun run = *registry::LiveRun::Begin(
      folder_ / "home", "plane", json::Object{{"C", 0.1}},
      json::Object{{"data", json::Object{{"kind", "DataFrame"}, {"rows", 1797}}}});
  for (int step = 1; step <= 12; ++step)
    ASSERT_TRUE(run.Report(step, json::Object{{"loss", 1.0 / step}}).ok());
  ASSERT_TRUE(run.End(registry::RunStatus::kFailed,
                      json::Object{{"test", json::Object{{"f1", 0.5}}}}, "ValueError: no",
                      "Traceback ...\n")
                  .ok());
  EXPECT_EQ(Run({"runs", "list"}), 0);
  EXPECT_THAT(terminal_.out, AllOf(HasSubstr(run.id().substr(0, 8)), HasSubstr("failed"),
                                   HasSubstr("test f1 0.5")));
  EXPECT_EQ(Run({"runs", "show", run.id().substr(0, 8)}), 0);
  EXPECT_THAT(terminal_.out,
              AllOf(HasSubstr("run " + run.id() + " of plane\n"),
                    HasSubstr("failed: ValueError: no"), HasSubstr("C 0.1"),
                    HasSubstr("1,797 rows, DataFrame"), HasSubstr("(the last 10 of 12)"),
                    HasSubstr("step 12  loss 0.0833333"), HasSubstr("Traceback ...")));
  EXPECT_EQ(Run({"runs", "list", "other", "--json"}), 0);
  EXPECT_EQ(terminal_.out, "[]\n");
  EXPECT_EQ(Run({"runs", "show", "ffffffff"}), 3);
}

TEST_F(CliTest, ShowsWhatDiffersBetweenVersions) {
  RegisterPlane();
  RegisterPlane();
  EXPECT_EQ(Run({"models", "diff", "plane@1", "plane@2"}), 0) << terminal_.err;
  EXPECT_THAT(terminal_.out, HasSubstr("plane@1 and plane@2 are the same model"));
  EXPECT_EQ(Run({"models", "diff", "plane@1", "plane@3"}), 3);
}

TEST_F(CliTest, MakesNoRegistryToReadOne) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"models", "list"}, {"models", "show", "plane"}, {"serve", "plane"}, {"doctor"}}) {
    const int code = Run(words);
    EXPECT_THAT(terminal_.err + terminal_.out,
                HasSubstr("there is no folder '" + folder_.string()));
    EXPECT_TRUE(code != 0 || words[0] == "doctor") << words[0];
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "home"));
}

TEST_F(CliTest, EndsWellInADeletedFolder) {
  RegisterPlane();
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::create_directories(folder_ / "gone");
  std::filesystem::current_path(folder_ / "gone");
  std::filesystem::remove_all(folder_ / "gone");
  const int listed = Run({"models", "list"});
  Run({"doctor"});
  std::filesystem::current_path(before);
  EXPECT_EQ(listed, 0) << "PENSTOCK_HOME is an absolute path";
  EXPECT_THAT(terminal_.out, HasSubstr("ok  home"));
}

TEST_F(CliTest, ListsModels) {
  std::filesystem::create_directories(folder_ / "home");
  EXPECT_EQ(Run({"models", "list"}), 0);
  EXPECT_THAT(terminal_.out, IsEmpty());
  EXPECT_THAT(terminal_.err, HasSubstr("no model is registered yet"));
  EXPECT_EQ(Run({"models", "list", "--json"}), 0);
  EXPECT_EQ(terminal_.out, "[]\n");
  RegisterPlane();
  RegisterPlane();
  EXPECT_EQ(Run({"models", "list"}), 0);
  EXPECT_THAT(terminal_.out, HasSubstr("MODEL  VERSION  ENGINE  CREATED"));
  EXPECT_THAT(terminal_.out, HasSubstr("plane  2        own     2"));
  EXPECT_EQ(Run({"models", "list", "--json"}), 0);
  const json::Value list = *json::Parse(terminal_.out);
  EXPECT_EQ(list.if_array()->size(), 1U);
  EXPECT_EQ(*list.if_array()->front().Int("version"), 2);
}

TEST_F(CliTest, ShowsAVersionWithItsEvidence) {
  RegisterPlane();
  EXPECT_EQ(Run({"models", "show", "plane"}), 0) << terminal_.err;
  EXPECT_THAT(terminal_.out, AllOf(HasSubstr("plane@1\n"), HasSubstr("50 rows and "),
                                   HasSubstr("0 differ (95 %: < 5.9 %)"),
                                   HasSubstr("regression, 2 columns"), HasSubstr("größe")));
  EXPECT_EQ(Run({"models", "show", "plane@1", "--json"}), 0);
  const json::Value shown = *json::Parse(terminal_.out);
  EXPECT_EQ(shown.Find("parity")->Int("rows").status().ToString(), "OK");
  EXPECT_EQ(*shown.Find("parity")->Int("rows"), 50);
  EXPECT_TRUE(std::filesystem::is_directory(*shown.String("path")));
}

TEST_F(CliTest, NamesWhatIsNotRegistered) {
  RegisterPlane();
  EXPECT_EQ(Run({"models", "show", "plain"}), 3);
  EXPECT_THAT(terminal_.err, HasSubstr("Did you mean 'plane'?"));
  EXPECT_EQ(Run({"models", "show", "plane@7"}), 3);
  EXPECT_THAT(terminal_.err, HasSubstr("no version 7"));
  EXPECT_EQ(Run({"serve", "plain"}), 3);
}

TEST_F(CliTest, AnswersRowsFromAFile) {
  RegisterPlane();
  for (const char* features : {R"({"features": [{"a": 1, "größe": 2}, {"a": 3, "größe": 0}]})",
                               "[[1, 2], [3, 0]]", R"({"a": [1, 3], "größe": [2, 0]})"}) {
    EXPECT_EQ(Run({"predict", "plane", "--features", File(features)}), 0) << terminal_.err;
    EXPECT_EQ(terminal_.out, "{\"model\":\"plane\",\"version\":1,\"predictions\":[0.5,6.5]}\n");
  }
}

TEST_F(CliTest, TellsWhereFeaturesDoNotFit) {
  RegisterPlane();
  EXPECT_EQ(
      Run({"predict", "plane", "--features", File(R"({"features": [{"a": 1, "gröse": 2}]})")}), 2);
  EXPECT_THAT(terminal_.err, AllOf(HasSubstr("sample.json' at /features/0/"), HasSubstr("größe")));
  EXPECT_EQ(Run({"predict", "plane", "--features", File("[[1, null]]")}), 2);
  EXPECT_THAT(terminal_.err, HasSubstr("at /features/0/1"));
  EXPECT_EQ(Run({"predict", "plane", "--features", File("[[1, 2]")}), 2);
  EXPECT_THAT(terminal_.err, HasSubstr("sample.json'"));
  EXPECT_EQ(Run({"predict", "plane", "--features", (folder_ / "none.json").string()}), 3);
  EXPECT_THAT(terminal_.err, HasSubstr("none.json"));
}

TEST_F(CliTest, ExaminesTheInstallation) {
  RegisterPlane();
  Run({"doctor", "--json"});  // its exit code depends on what is installed here
  const json::Value list = *json::Parse(terminal_.out);
  std::vector<std::string> names;
  for (const json::Value& finding : *list.if_array()) names.push_back(*finding.String("name"));
  EXPECT_THAT(names, ElementsAre("penstock", "server", "onnxruntime", "python", "settings", "home",
                                 "disk", "registry"));
  EXPECT_EQ(*list.if_array()->back().String("text"), "1 model, every file intact");
}

TEST_F(CliTest, DoctorFindsAFlippedBit) {
  RegisterPlane();
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder_ / "home" / "objects")) {
    if (!entry.is_regular_file()) continue;
    std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_all);
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const int first = file.get();
    file.seekp(0);
    file.put(static_cast<char>(first ^ 1));
    break;
  }
  EXPECT_NE(Run({"doctor"}), 0);
  EXPECT_THAT(terminal_.out, HasSubstr("WRONG  registry"));
}

TEST(ServerFlags, PutFlagsBeforeVariablesBeforeTheFile) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("penstock_flags_" + NewId());
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "penstock.toml")
      << "[serve]\nport = 1\nadmin_port = 2\nidle_ms_max = 3\nbody_bytes_max = 4\n"
         "log_json = true\n";
  const std::vector<std::string> environment = {"PENSTOCK_SERVE_ADMIN_PORT=20",
                                                "PENSTOCK_SERVE_PORT=10"};
  const Result<config::Settings> settings =
      config::Settings::Load(ServeSettings(), folder, environment);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(settings.ok()) << settings.status().ToString();
  const ServeCommand command{
      .version = "churn", .port = 100, .server_flags = {"--body-bytes-max=400"}};
  EXPECT_THAT(ServerFlags(command, *settings),
              ElementsAre("--port", "100", "--body-bytes-max=400", "--admin-port", "20",
                          "--idle-ms-max", "3", "--log-json"));
}

TEST(ParseCommandLine, PassesTheFlagsItDoesNotKnowToTheServer) {
  const Result<Command> command =
      ParseCommandLine({"serve", "churn@2", "--port", "0", "--body-bytes-max", "100"});
  ASSERT_TRUE(command.ok()) << command.status().ToString();
  const auto& serve = std::get<ServeCommand>(*command);
  EXPECT_EQ(serve.version, "churn@2");
  EXPECT_EQ(serve.port, 0);
  EXPECT_EQ(serve.host, std::nullopt);
  EXPECT_THAT(serve.server_flags, ElementsAre("--body-bytes-max", "100"));
}

TEST(Text, AlignsByCharacters) {
  EXPECT_EQ(AlignedTable({{"A", "B"}, {"größe", "1"}, {"x", ""}}), "A      B\ngröße  1\nx\n");
}

TEST(Text, WritesTimesAndCounts) {
  EXPECT_EQ(TimeText(1'000'000'000'000'000), "2001-09-09 01:46:40 UTC");
  EXPECT_EQ(CountText(0), "0");
  EXPECT_EQ(CountText(999), "999");
  EXPECT_EQ(CountText(41'203), "41,203");
  EXPECT_EQ(CountText(-1'000'000), "-1,000,000");
  EXPECT_EQ(PercentText(0.0582), "5.9") << "a bound is never told smaller than it is";
  EXPECT_EQ(PercentText(7.2704e-05), "0.0073");
  EXPECT_EQ(PercentText(0.0995), "10.0");
  EXPECT_EQ(PercentText(0.05), "5.0");
  EXPECT_EQ(PercentText(0.951), "96");
  EXPECT_EQ(PercentText(1), "100");
  EXPECT_EQ(PercentText(0), "0");
  EXPECT_EQ(MicrosecondsText(212), "0.2");
  EXPECT_EQ(MicrosecondsText(9'949), "9.9");
  EXPECT_EQ(MicrosecondsText(9'950), "10");
  EXPECT_EQ(MicrosecondsText(1'612'499), "1,612");
}

TEST(FindPython, TakesTheVariableThenTheVirtualEnvironmentThenDotVenvUpward) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("penstock_python_" + NewId());
  std::filesystem::create_directories(folder / ".venv" / "bin");
  std::filesystem::create_directories(folder / "deep");
  std::filesystem::create_symlink("/bin/true", folder / ".venv" / "bin" / "python");
  unsetenv(kPythonVariable);
  unsetenv("VIRTUAL_ENV");
  EXPECT_EQ(FindPython(folder / "deep"), (folder / ".venv/bin/python").string());
  setenv("VIRTUAL_ENV", "/opt/env", 1);
  EXPECT_EQ(FindPython(folder), "/opt/env/bin/python");
  setenv(kPythonVariable, "/opt/python", 1);
  EXPECT_EQ(FindPython(folder), "/opt/python");
  unsetenv(kPythonVariable);
  unsetenv("VIRTUAL_ENV");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace penstock::cli
