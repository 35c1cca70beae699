// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::observe {

// One label of a series. Values may hold any text; they are escaped when they are written.
struct Label {
  std::string name;
  std::string value;
  friend bool operator==(const Label&, const Label&) = default;
};
using Labels = std::vector<Label>;

// Cells come in shards, one per writing thread: a cell has one writer, which needs no locked
// instruction, and a scrape sums over shards with relaxed loads. Two threads must not write to one
// shard; any thread may read at any time.
inline constexpr size_t kCacheLineBytes = 64;

// A number that only grows. Lives as long as its Metrics.
class Counter {
 public:
  explicit Counter(int shards);
  void Add(int shard, uint64_t amount = 1) {
    std::atomic<uint64_t>& cell = cells_[static_cast<size_t>(shard)].value;
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  uint64_t Sum() const;

 private:
  struct alignas(kCacheLineBytes) Cell {
    std::atomic<uint64_t> value = 0;
  };
  std::vector<Cell> cells_;
};

// How often a value fell into each of fixed buckets, and the sum of all values. Lives as long as
// its Metrics.
class Histogram {
 public:
  // bounds: inclusive upper bounds, strictly rising, without the last one (infinity).
  Histogram(int shards, std::vector<double> bounds);
  void Observe(int shard, double value);

  struct Snapshot {
    std::vector<uint64_t> cumulative;  // one for each bound, then one for infinity
    double sum = 0;
  };
  // Buckets are read one after the other: a scrape during a write may miss that one observation.
  Snapshot Sum() const;
  std::span<const double> bounds() const { return bounds_; }

 private:
  struct alignas(kCacheLineBytes) Line {
    std::atomic<uint64_t> words[kCacheLineBytes / sizeof(uint64_t)] = {};
  };
  std::atomic<uint64_t>& Word(size_t shard, size_t index) const;

  std::vector<double> bounds_;
  size_t lines_per_shard_;
  // A shard's words: one count for each bucket, infinity's, then the sum as the bits of a double.
  mutable std::vector<Line> lines_;
};

// From 10 us to 10 s, about three a decade: what a request to a native model takes, and what a
// stuck one takes.
std::vector<double> LatencyBoundsSeconds();

// Metric families and their series, and their text for Prometheus. Add... and Text may be called
// from any thread; a series is added once and lives as long as this object. Names and label names
// must be valid in the text format (checked: they come from code, never from requests).
class Metrics {
 public:
  // shards: the number of threads that write.
  explicit Metrics(int shards);

  // The series with this name and these labels, made at the first call. help belongs to the family:
  // the first one holds.
  Counter& AddCounter(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& AddHistogram(std::string_view name, std::string_view help, Labels labels,
                          std::vector<double> bounds);
  // A value that is read at each scrape, by the scraping thread: read must be safe there and
  // outlive this object.
  void AddGauge(std::string_view name, std::string_view help, Labels labels,
                std::function<double()> read);
  // The same for a number that only grows and is counted elsewhere.
  void AddCounterReading(std::string_view name, std::string_view help, Labels labels,
                         std::function<double()> read);

  // All families in the text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats),
  // families in the order in which they were added.
  std::string Text() const;

  int shards() const { return shards_; }

 private:
  enum class Kind { kCounter, kGauge, kHistogram };
  struct Series {
    Labels labels;
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Histogram> histogram;
    std::function<double()> read;
  };
  struct Family {
    std::string name;
    std::string help;
    Kind kind = Kind::kCounter;
    std::vector<std::unique_ptr<Series>> series;
  };
  Family& FindOrAddFamily(std::string_view name, std::string_view help, Kind kind);
  static Series& FindOrAddSeries(Family& family, Labels labels);
  static void AppendFamily(std::string& out, const Family& family);

  int shards_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_;
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace penstock::observe
