// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/ids.h"

namespace penstock::config {
namespace {

using ::testing::HasSubstr;

const std::vector<Setting> kKnown = {{.key = "serve.port", .is_number = true},
                                     {.key = "serve.host"}};

class SettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("penstock_settings_" + NewId());
    std::filesystem::create_directories(folder_ / "app" / "deep");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& text) const {
    std::ofstream(folder_ / "app" / kSettingsName) << text;
  }
  Result<Settings> Load(const std::vector<std::string>& environment = {}) const {
    return Settings::Load(kKnown, folder_ / "app" / "deep", environment);
  }
  std::string Error(const std::string& text) const {
    Write(text);
    const Status status = Load().status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  }

  std::filesystem::path folder_;
};

TEST_F(SettingsTest, TakesTheVariableBeforeTheFileFoundUpward) {
  EXPECT_EQ(Load()->Find("serve.port"), std::nullopt);
  Write("[serve]\nport = 9000\nhost = \"0.0.0.0\"\n");
  EXPECT_EQ(Load()->Find("serve.port"), "9000");
  EXPECT_THAT(Load()->OriginOf("serve.port"), HasSubstr("serve.port in '" + folder_.string()));
  const Result<Settings> both =
      Load({"PENSTOCK_SERVE_PORT=7000", "HOME=/root", "PENSTOCK_HOME=/srv"});
  ASSERT_TRUE(both.ok()) << both.status().ToString();
  EXPECT_EQ(both->Find("serve.port"), "7000");
  EXPECT_EQ(both->OriginOf("serve.port"), "PENSTOCK_SERVE_PORT");
  EXPECT_EQ(both->Find("serve.host"), "0.0.0.0");
}

TEST_F(SettingsTest, NamesTheNearestForWhatItDoesNotKnow) {
  EXPECT_THAT(Error("[serve]\nprot = 9000\n"),
              HasSubstr("line 2, is not a setting; 'serve.port' and 'serve.host' are. Did you mean "
                        "'serve.port'?"));
  Write("");
  EXPECT_EQ(Load({"PENSTOCK_SERVE_PROT=1"}).status().message(),
            "the variable PENSTOCK_SERVE_PROT is not a setting; unset it, or correct its name. Did "
            "you mean "
            "'PENSTOCK_SERVE_PORT'?");
}

TEST_F(SettingsTest, RefusesValuesOfAnotherType) {
  EXPECT_THAT(Error("[serve]\nport = \"9000\"\n"),
              HasSubstr("is not a whole number; write it without quotes"));
  EXPECT_THAT(Error("[serve]\nport = 90.5\n"), HasSubstr("is not a whole number"));
  EXPECT_THAT(Error("[serve]\nhost = 5\n"), HasSubstr("is not a text; write it in quotes"));
  Write("");
  EXPECT_EQ(Load({"PENSTOCK_SERVE_PORT=80a"}).status().message(),
            "the variable PENSTOCK_SERVE_PORT is '80a'; a whole number was expected");
}

TEST_F(SettingsTest, SaysWhereAFileIsNotToml) {
  EXPECT_THAT(Error("[serve]\nport = = 9000\n"), HasSubstr("are not TOML, at line 2, column 8"));
  EXPECT_THAT(Error("port = 1\nport = 2\n"), HasSubstr("are not TOML, at line 2"));
}

}  // namespace
}  // namespace penstock::config
