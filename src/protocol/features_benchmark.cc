// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include "base/check.h"
#include "protocol/answer.h"
#include "protocol/features.h"
#include "serve/fake_model.h"

namespace penstock::protocol {
namespace {

constexpr int kColumns = 64;

struct Loaded {
  Loaded() {
    std::vector<std::pair<std::string, package::Type>> columns;
    for (int i = 0; i < kColumns; ++i)
      columns.emplace_back("x" + std::to_string(i), package::Type::kFloat64);
    auto model = std::make_unique<serve::FakeModel>(serve::FakeModel::SignatureOf(columns));
    snapshot = *serve::Snapshot::Make(std::move(model), {"m", 1}, {}, Clock::System(), metrics);
    workspace = *snapshot->TakeWorkspace();
  }
  observe::Metrics metrics{1};
  std::shared_ptr<const serve::Snapshot> snapshot;
  std::unique_ptr<serve::Workspace> workspace;
};

std::string Body(bool is_record, const char* fraction) {
  std::string body = is_record ? "{\"features\": [{" : "{\"features\": [[";
  for (int i = 0; i < kColumns; ++i) {
    if (i > 0) body += ", ";
    if (is_record) body += "\"x" + std::to_string(i) + "\": ";
    body += "0." + std::to_string(i % 10) + fraction;
  }
  return body + (is_record ? "}]}" : "]]}");
}

void Decode(benchmark::State& state, const std::string& body) {
  Loaded loaded;
  for (auto _ : state) {
    PENSTOCK_CHECK(!DecodeFeatures(body, *loaded.snapshot, {}, *loaded.workspace).has_value());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(body.size()) * state.iterations());
}

BENCHMARK_CAPTURE(Decode, row_of_short_numbers, Body(false, "5"));
BENCHMARK_CAPTURE(Decode, row_of_17_digit_numbers, Body(false, "1234567890123456"));
BENCHMARK_CAPTURE(Decode, record, Body(true, "5"));

void Answer(benchmark::State& state) {
  Loaded loaded;
  engine::Predictions predictions{.rows = 1, .values = {0.12345678901234567}};
  std::string out;
  for (auto _ : state) {
    out.clear();
    PENSTOCK_CHECK(AppendAnswer(*loaded.snapshot, predictions, {.count = 1},
                                "00000000000000000000000000000000", out)
                       .ok());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(Answer);

}  // namespace
}  // namespace penstock::protocol

BENCHMARK_MAIN();
