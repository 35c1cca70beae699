// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/ids.h"
#include "config/flags.h"
#include "config/home.h"

namespace penstock::config {
namespace {

struct Parsed {
  std::string package;
  std::string as;
  int64_t port = 8000;
  std::string beyond = "refuse";
  bool is_json = false;
  Status status;
};

Parsed Parse(const std::vector<std::string>& arguments) {
  Parsed parsed;
  Flags flags("server", "Serves.");
  flags.Positional("PACKAGE", "folder of the package", parsed.package);
  flags.String("as", "name and version", parsed.as);
  flags.Int("port", "port of the service", parsed.port, {.min = 0, .max = 65535});
  flags.Choice("beyond-limits", "what to do", parsed.beyond, {"refuse", "answer"});
  flags.Switch("log-json", "log as JSON", parsed.is_json);
  parsed.status = flags.Parse(arguments);
  return parsed;
}

std::string Error(const std::vector<std::string>& arguments) {
  return Parse(arguments).status.message();
}

TEST(Flags, TakeBothSpellingsAndKeepDefaults) {
  const Parsed parsed = Parse({"dir", "--as=a@1", "--beyond-limits", "answer", "--log-json"});
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.message();
  EXPECT_EQ(parsed.package, "dir");
  EXPECT_EQ(parsed.as, "a@1");
  EXPECT_EQ(parsed.port, 8000);
  EXPECT_EQ(parsed.beyond, "answer");
  EXPECT_TRUE(parsed.is_json);
}

TEST(Flags, AWrongLineIsToldWithTheRemedy) {
  EXPECT_EQ(Error({"dir", "--prot", "1"}),
            "unknown flag '--prot'. Did you mean '--port'? server --help lists all flags.");
  EXPECT_EQ(Error({"dir", "--port", "70000"}),
            "--port is '70000'; an integer of 0 to 65535 was expected");
  EXPECT_EQ(Error({"dir", "--port", "8o"}),
            "--port is '8o'; an integer of 0 to 65535 was expected");
  EXPECT_EQ(Error({"dir", "--port"}), "--port has no value; port of the service was expected");
  EXPECT_EQ(Error({"dir", "--port", "1", "--port", "2"}), "--port is given twice; give it once");
  EXPECT_EQ(Error({"dir", "--beyond-limits", "x"}),
            "--beyond-limits is 'x'; one of 'refuse' and 'answer' was expected");
  EXPECT_EQ(Error({"dir", "--log-json=1"}), "--log-json takes no value");
  EXPECT_EQ(Error({}), "PACKAGE is missing (folder of the package); server --help tells the usage");
  EXPECT_EQ(Error({"a", "b"}), "argument 'b' is one too many; server takes 1");
}

class HomeTest : public testing::Test {
 protected:
  void SetUp() override {
    unsetenv(kHomeVariable);
    std::filesystem::create_directories(root_ / "a" / "b");
  }
  void TearDown() override {
    unsetenv(kHomeVariable);
    std::filesystem::remove_all(root_);
  }
  const std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / ("penstock-" + NewId());
};

TEST_F(HomeTest, IsFoundUpwardLikeGit) {
  std::filesystem::create_directories(root_ / kHomeName);
  const Home home = *FindHome("", root_ / "a" / "b");
  EXPECT_EQ(home.path, root_ / kHomeName);
  EXPECT_FALSE(home.is_new);
}

TEST_F(HomeTest, IsToBeMadeInTheWorkingDirectoryAndSaysSo) {
  const Home home = *FindHome("", root_ / "a");
  EXPECT_EQ(home.path, root_ / "a" / kHomeName);
  EXPECT_TRUE(home.is_new);
  EXPECT_FALSE(std::filesystem::exists(home.path)) << "the registry makes it, to last";
  std::filesystem::create_directories(home.path);
  EXPECT_FALSE(FindHome("", root_ / "a" / "b")->is_new);
}

TEST_F(HomeTest, TheArgumentWinsOverTheVariableWhichWinsOverTheSearch) {
  setenv(kHomeVariable, (root_ / "variable").c_str(), 1);
  EXPECT_EQ(FindHome("", root_)->path, root_ / "variable");
  EXPECT_EQ(FindHome(root_ / "given", root_)->path, root_ / "given");
}

TEST_F(HomeTest, IsNotMadeByWhoOnlyReads) {
  const Status upward = FindHome("", root_ / "a", MissingHome::kRefuse).status();
  EXPECT_EQ(upward.code(), Code::kNotFound);
  EXPECT_NE(upward.message().find((root_ / "a").string()), std::string::npos) << upward.message();
  EXPECT_FALSE(std::filesystem::exists(root_ / "a" / kHomeName));
  const Status given = FindHome(root_ / "given", root_, MissingHome::kRefuse).status();
  EXPECT_EQ(given.code(), Code::kNotFound);
  EXPECT_NE(given.message().find((root_ / "given").string()), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(root_ / "given"));
}

TEST_F(HomeTest, NeedsNoWorkingDirectoryWhereItIsNamed) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(root_ / "a" / "b");
  std::filesystem::remove_all(root_ / "a");
  const Result<Home> named = FindHome(root_ / "given", ".");
  const Status searched = FindHome("", ".").status();
  std::filesystem::current_path(before);
  EXPECT_TRUE(named.ok()) << named.status().ToString();
  EXPECT_EQ(searched.code(), Code::kFailedPrecondition);
  EXPECT_NE(searched.message().find("change to one that exists"), std::string::npos);
}

TEST_F(HomeTest, AFileInItsPlaceIsToldWithTheRemedy) {
  std::ofstream(root_ / "file") << "x";
  const Status status = FindHome(root_ / "file", root_).status();
  EXPECT_NE(status.message().find("PENSTOCK_HOME"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace penstock::config
