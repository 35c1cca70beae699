// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::engine {
namespace {

using testing::HasSubstr;

TEST(WorkerInterpreter, WorkersAreGivenNoCredentials) {
  for (const char* name : {"AWS_PROFILE", "aws_secret_access_key", "HF_TOKEN", "API_KEY",
                           "A_SECRET", "PGPASSWORD", "MY_PASSWORD_FILE", "PENSTOCK_HOME"}) {
    EXPECT_TRUE(IsCredential(name)) << name;
  }
  for (const char* name : {"PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH", "OMP_NUM_THREADS",
                           "KEYBOARD", "TOKENIZERS_PARALLELISM"}) {
    EXPECT_FALSE(IsCredential(name)) << name;
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
