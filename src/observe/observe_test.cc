// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "observe/log.h"
#include "observe/metrics.h"

namespace penstock::observe {
namespace {

using testing::HasSubstr;

// The worked example of the format's documentation
// (prometheus.io/docs/instrumenting/exposition_formats).
TEST(Metrics, EscapesAsTheTextFormatAsks) {
  Metrics metrics(1);
  metrics.AddGauge("msdos_file_access_time_seconds", "a \\ and\na line",
                   {{"path", "C:\\DIR\\FILE.TXT"}, {"error", "Cannot find file:\n\"FILE.TXT\""}},
                   [] { return 1.458e9; });
  EXPECT_EQ(metrics.Text(),
            "# HELP msdos_file_access_time_seconds a \\\\ and\\na line\n"
            "# TYPE msdos_file_access_time_seconds gauge\n"
            "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\","
            "error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\"} 1.458e+09\n");
}

TEST(Metrics, HistogramBucketsAreCumulativeWithInclusiveBounds) {
  Metrics metrics(1);
  Histogram& histogram = metrics.AddHistogram("x_seconds", "help", {{"model", "m"}}, {0.1, 0.5});
  for (double value : {0.05, 0.1, 0.3, 2.0}) histogram.Observe(0, value);
  EXPECT_EQ(metrics.Text(),
            "# HELP x_seconds help\n# TYPE x_seconds histogram\n"
            "x_seconds_bucket{model=\"m\",le=\"0.1\"} 2\n"
            "x_seconds_bucket{model=\"m\",le=\"0.5\"} 3\n"
            "x_seconds_bucket{model=\"m\",le=\"+Inf\"} 4\n"
            "x_seconds_sum{model=\"m\"} 2.45\n"
            "x_seconds_count{model=\"m\"} 4\n");
}

TEST(Metrics, KeepsTheSeriesOfAFamilyTogether) {
  Metrics metrics(1);
  metrics.AddCounter("a_total", "a", {{"code", "200"}}).Add(0, 3);
  metrics.AddCounter("b_total", "b");
  metrics.AddCounter("a_total", "ignored", {{"code", "404"}});
  EXPECT_EQ(
      metrics.Text(),
      "# HELP a_total a\n# TYPE a_total counter\na_total{code=\"200\"} 3\na_total{code=\"404\"} 0\n"
      "# HELP b_total b\n# TYPE b_total counter\nb_total 0\n");
}

TEST(Metrics, GivesTheSameSeriesForTheSameLabels) {
  Metrics metrics(1);
  EXPECT_EQ(&metrics.AddCounter("a_total", "a", {{"k", "v"}}),
            &metrics.AddCounter("a_total", "a", {{"k", "v"}}));
  EXPECT_NE(&metrics.AddCounter("a_total", "a", {{"k", "v"}}),
            &metrics.AddCounter("a_total", "a", {{"k", "w"}}));
}

TEST(Metrics, WritesNotANumberAndInfinityInPrometheusWords) {
  Metrics metrics(1);
  metrics.AddGauge("a", "a", {}, [] { return std::numeric_limits<double>::quiet_NaN(); });
  metrics.AddGauge("b", "b", {}, [] { return -std::numeric_limits<double>::infinity(); });
  EXPECT_THAT(metrics.Text(), HasSubstr("\na NaN\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("\nb -Inf\n"));
}

TEST(MetricsDeathTest, RefusesNamesThatTheFormatDoesNotHave) {
  Metrics metrics(1);
  EXPECT_DEATH(metrics.AddCounter("1x", "h"), "IsName");
  EXPECT_DEATH(metrics.AddCounter("x", "h", {{"le", "1"}}), "le");
}

TEST(Metrics, SumsOverThreadsThatEachWriteToTheirShard) {
  constexpr int kThreads = 4;
  constexpr int kAdds = 20'000;
  Metrics metrics(kThreads);
  Counter& counter = metrics.AddCounter("a_total", "a");
  Histogram& histogram = metrics.AddHistogram("h", "h", {}, LatencyBoundsSeconds());
  {
    std::vector<std::jthread> threads;
    for (int shard = 0; shard < kThreads; ++shard) {
      threads.emplace_back([&, shard] {
        for (int i = 0; i < kAdds; ++i) {
          counter.Add(shard);
          histogram.Observe(shard, 0.25);
        }
      });
    }
    uint64_t last = 0;
    for (int i = 0; i < 100; ++i) {
      const uint64_t now = counter.Sum();
      EXPECT_GE(now, last);
      last = now;
    }
  }
  EXPECT_EQ(counter.Sum(), uint64_t{kThreads} * kAdds);
  EXPECT_EQ(histogram.Sum().cumulative.back(), uint64_t{kThreads} * kAdds);
  EXPECT_EQ(histogram.Sum().sum, 0.25 * kThreads * kAdds);
}

constexpr int64_t kTime = 1'795'468'200'123'456;  // date -u -d @1795468200

TEST(Log, WritesLevelTimeMessageAndFields) {
  const Record record{Level::kInfo,
                      kTime,
                      "serving",
                      {{"model", "churn"},
                       {"version", int64_t{3}},
                       {"share", 0.5},
                       {"cold", true},
                       {"path", "a b"}}};
  EXPECT_EQ(FormatRecord(record, LogFormat::kText),
            "info 2026-11-23T21:10:00.123456Z serving model=churn version=3 share=0.5 cold=true "
            "path=\"a b\"");
  EXPECT_EQ(
      FormatRecord(record, LogFormat::kJson),
      R"({"level":"info","time":"2026-11-23T21:10:00.123456Z","message":"serving","model":"churn","version":3,)"
      R"("share":0.5,"cold":true,"path":"a b"})");
}

TEST(Log, NeverLetsAValueBreakTheLineOrReachTheTerminal) {
  const std::string hostile =
      "x\nerror 2026 forged\x1b[31m\xc2\x9b"
      "0m\xff\r\t\"\\ ü";
  const Record record{Level::kError, kTime, hostile, {{"name", hostile}}};
  const std::string text = FormatRecord(record, LogFormat::kText);
  const std::string escaped = R"(x\nerror 2026 forged\x1b[31m\xc2\x9b0m\xff\x0d\x09\"\\ ü)";
  EXPECT_EQ(text, "error 2026-11-23T21:10:00.123456Z " + escaped + " name=\"" + escaped + "\"");
  const std::string json = FormatRecord(record, LogFormat::kJson);
  EXPECT_THAT(
      json,
      HasSubstr(
          R"("name":"x\nerror 2026 forged\u001b[31m\u00c2\u009b0m\u00ff\u000d\u0009\"\\ ü"})"));
}

TEST(Log, QuotesValuesThatWouldReadAsFields) {
  const Record record{Level::kWarning, kTime, "m", {{"a", ""}, {"b", "x=y"}}};
  EXPECT_THAT(FormatRecord(record, LogFormat::kText), HasSubstr(R"(a="" b="x=y")"));
}

TEST(Logger, DropsWhatIsBelowItsLevel) {
  MemorySink sink;
  const Logger logger(&sink, &Clock::System(), Level::kWarning);
  logger.Info("no");
  logger.Error("yes", {{"k", "v"}});
  ASSERT_EQ(sink.Records().size(), 1u);
  EXPECT_EQ(sink.Records()[0].message, "yes");
  EXPECT_EQ(sink.Records()[0].fields.size(), 1u);
}

}  // namespace
}  // namespace penstock::observe
