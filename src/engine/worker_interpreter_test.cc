// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::engine {
namespace {

using testing::HasSubstr;

TEST(WorkerInterpreter, WorkersAreGivenNoCredentials) {
  for (const char* name : {"AWS_PROFILE",
                           "aws_secret_access_key",
                           "HF_TOKEN",
                           "API_KEY",
                           "A_SECRET",
                           "PGPASSWORD",
                           "DB_PASS",
                           "GITHUB_PAT",
                           "MY_PASSWORD_FILE",
                           "PENSTOCK_HOME",
                           "GOOGLE_APPLICATION_CREDENTIALS",
                           "DATABASE_URL",
                           "MY_DATABASE_URL",
                           "STORE_CONNECTION_STRING",
                           "SENTRY_DSN",
                           "DSN",
                           "AZURE_TENANT_ID",
                           "BLOB_SAS",
                           "BLOB_SAS_URL",
                           "SECRET_OF_MINE",
                           "SSH_AUTH_SOCK",
                           "MYSQL_PWD",
                           "PGPASSFILE",
                           "TOKEN",
                           "KEYS"}) {
    EXPECT_TRUE(IsCredential(name, "1")) << name;
  }
  for (const char* name :
       {"PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH", "OMP_NUM_THREADS", "KEYBOARD",
        "TOKENIZERS_PARALLELISM", "PWD", "OLDPWD", "XAUTHORITY", "SASL_MECHANISM"}) {
    EXPECT_FALSE(IsCredential(name, "1")) << name;
  }
}

TEST(WorkerInterpreter, AValueMayBeACredentialUnderAnyName) {
  for (const char* value : {"postgresql://user:word@host/name", "see redis://:word@host",
                            "http://a/b@c,amqp://u:p@h", "Server=x;Password=word",
                            "AccountName=x;AccountKey=word", "-----BEGIN RSA PRIVATE KEY-----"}) {
    EXPECT_TRUE(IsCredential("BROKER", value)) << value;
  }
  for (const char* value : {"", "://", "http://host:80/a@b:c", "https://user@host/", "a:b@c",
                            "http://host:80?to=a:b@c"}) {
    EXPECT_FALSE(IsCredential("BROKER", value)) << value;
  }
}

TEST(WorkerInterpreter, WhatIsNoSuitablePythonIsToldWithTheRemedy) {
  const json::Value options =
      json::Object{{"interpreter", json::Object{{"path", "/nowhere/python"},
                                                {"version", "3.11.7"},
                                                {"implementation", "cpython"}}}};
  const RecordedInterpreter recorded = *RecordedInterpreter::FromJson(options);
  const Status gone = FindInterpreter(recorded, "").status();
  EXPECT_EQ(gone.code(), Code::kFailedPrecondition);
  EXPECT_EQ(
      gone.message(),
      "the model runs in Python workers and needs cpython 3.11 with its packages and penstock; "
      "'/nowhere/python', which is the one it was registered with, is not there or no program; "
      "name the path of another with --python");
  EXPECT_THAT(FindInterpreter(recorded, "/bin/false").status().message(),
              HasSubstr("'/bin/false': it does not answer as a Python does"));
  EXPECT_THAT(FindInterpreter(recorded, "/bin/echo").status().message(),
              HasSubstr("'/bin/echo' is -I -S -c import sys"));
}

TEST(WorkerInterpreter, APackageThatDoesNotSayWhatItNeedsIsRefused) {
  EXPECT_EQ(RecordedInterpreter::FromJson(json::Object{}).status().code(),
            Code::kFailedPrecondition);
}

}  // namespace
}  // namespace penstock::engine
