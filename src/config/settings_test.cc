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
                                     {.key = "serve.host"},
                                     {.key = "serve.log_json", .is_switch = true}};

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
              HasSubstr("line 2, is not a setting; 'serve.port', 'serve.host' and 'serve.log_json' "
                        "are. Did you mean 'serve.port'?"));
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

TEST_F(SettingsTest, TakesEveryWordForASwitchAndNoOther) {
  for (const auto& [word, expected] :
       {std::pair("true", "true"), std::pair("1", "true"), std::pair("yes", "true"),
        std::pair("false", "false"), std::pair("0", "false"), std::pair("no", "false")}) {
    EXPECT_EQ(Load({std::string("PENSTOCK_SERVE_LOG_JSON=") + word})->Find("serve.log_json"),
              expected);
  }
  for (const char* word : {"on", "", "TRUE", "2"}) {
    EXPECT_EQ(Load({std::string("PENSTOCK_SERVE_LOG_JSON=") + word}).status().message(),
              std::string("the variable PENSTOCK_SERVE_LOG_JSON is '") + word +
                  "'; true or false was expected");
  }
  Write("[serve]\nlog_json = true\n");
  EXPECT_EQ(Load()->Find("serve.log_json"), "true");
  EXPECT_THAT(Error("[serve]\nlog_json = \"yes\"\n"), HasSubstr("is neither true nor false"));
}

// The variables of https://kubernetes.io/docs/concepts/services-networking/service/, for a Service
// called penstock and one called penstock-serve.
TEST_F(SettingsTest, LeavesAloneWhatKubernetesSetsForAServiceOfThatName) {
  std::vector<std::string> environment;
  for (const std::string service : {"PENSTOCK", "PENSTOCK_SERVE"}) {
    for (const char* variable :
         {"_SERVICE_HOST=10.0.0.11", "_SERVICE_PORT=6379", "_SERVICE_PORT_HTTP=6379",
          "_PORT=tcp://10.0.0.11:6379", "_PORT_6379_TCP=tcp://10.0.0.11:6379",
          "_PORT_6379_TCP_PROTO=tcp", "_PORT_6379_TCP_PORT=6379", "_PORT_6379_TCP_ADDR=10.0.0.11"})
      environment.push_back(service + variable);
  }
  const Result<Settings> settings = Load(environment);
  ASSERT_TRUE(settings.ok()) << settings.status().ToString();
  EXPECT_EQ(settings->Find("serve.port"), std::nullopt);
  EXPECT_THAT(Load({"PENSTOCK_SERVICE_HOST=0.0.0.0"}).status().message(),
              HasSubstr("Did you mean 'PENSTOCK_SERVE_HOST'?"))
      << "no such Service: a name that was misspelt";
}

TEST_F(SettingsTest, SaysWhereAFileIsNotToml) {
  EXPECT_THAT(Error("[serve]\nport = = 9000\n"), HasSubstr("are not TOML, at line 2, column 8"));
  EXPECT_THAT(Error("port = 1\nport = 2\n"), HasSubstr("are not TOML, at line 2"));
}

}  // namespace
}  // namespace penstock::config
