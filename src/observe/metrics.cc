// SPDX-License-Identifier: Apache-2.0
#include "observe/metrics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace penstock::observe {
namespace {

bool IsNameStart(char c, bool allows_colon) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (allows_colon && c == ':');
}

bool IsName(std::string_view name, bool allows_colon) {
  if (name.empty() || !IsNameStart(name[0], allows_colon)) return false;
  return std::ranges::all_of(
      name, [&](char c) { return IsNameStart(c, allows_colon) || (c >= '0' && c <= '9'); });
}

void AppendEscaped(std::string& out, std::string_view text, bool escapes_quote) {
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && escapes_quote) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void AppendInteger(std::string& out, uint64_t value) {
  std::array<char, 24> buffer;
  out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
}

void AppendNumber(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> buffer;
    out.append(buffer.data(),
               std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
  }
}

void AppendLabel(std::string& out, std::string_view name, std::string_view value) {
  out += out.back() == '{' ? "" : ",";
  out += name;
  out += "=\"";
  AppendEscaped(out, value, true);
  out += '"';
}

// `name_suffix{a="b",le="0.1"} `; an empty bound means that there is none.
void AppendSeriesName(std::string& out, std::string_view name, std::string_view suffix,
                      const Labels& labels, std::string_view bound = {}) {
  out += name;
  out += suffix;
  if (!labels.empty() || !bound.empty()) {
    out += '{';
    for (const Label& label : labels) AppendLabel(out, label.name, label.value);
    if (!bound.empty()) AppendLabel(out, "le", bound);
    out += '}';
  }
  out += ' ';
}

void AppendHistogram(std::string& out, std::string_view name, const Labels& labels,
                     const Histogram& histogram) {
  const Histogram::Snapshot sum = histogram.Sum();
  for (size_t i = 0; i < sum.cumulative.size(); ++i) {
    std::string bound = "+Inf";
    if (i < histogram.bounds().size()) {
      bound.clear();
      AppendNumber(bound, histogram.bounds()[i]);
    }
    AppendSeriesName(out, name, "_bucket", labels, bound);
    AppendInteger(out, sum.cumulative[i]);
    out += '\n';
  }
  AppendSeriesName(out, name, "_sum", labels);
  AppendNumber(out, sum.sum);
  out += '\n';
  AppendSeriesName(out, name, "_count", labels);
  AppendInteger(out, sum.cumulative.back());
  out += '\n';
}

}  // namespace

Counter::Counter(int shards) : cells_(static_cast<size_t>(shards)) {}

uint64_t Counter::Sum() const {
  uint64_t sum = 0;
  for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
  return sum;
}

Histogram::Histogram(int shards, std::vector<double> bounds) : bounds_(std::move(bounds)) {
  PENSTOCK_CHECK(std::ranges::adjacent_find(bounds_, std::greater_equal<>()) == bounds_.end());
  constexpr size_t kWords = kCacheLineBytes / sizeof(uint64_t);
  lines_per_shard_ = (bounds_.size() + 2 + kWords - 1) / kWords;
  lines_ = std::vector<Line>(lines_per_shard_ * static_cast<size_t>(shards));
}

std::atomic<uint64_t>& Histogram::Word(size_t shard, size_t index) const {
  constexpr size_t kWords = kCacheLineBytes / sizeof(uint64_t);
  return lines_[shard * lines_per_shard_ + index / kWords].words[index % kWords];
}

void Histogram::Observe(int shard, double value) {
  const auto bucket =
      static_cast<size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
  std::atomic<uint64_t>& count = Word(static_cast<size_t>(shard), bucket);
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::atomic<uint64_t>& sum = Word(static_cast<size_t>(shard), bounds_.size() + 1);
  const double total = std::bit_cast<double>(sum.load(std::memory_order_relaxed)) + value;
  sum.store(std::bit_cast<uint64_t>(total), std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::Sum() const {
  Snapshot snapshot{.cumulative = std::vector<uint64_t>(bounds_.size() + 1)};
  const size_t shards = lines_.size() / lines_per_shard_;
  for (size_t shard = 0; shard < shards; ++shard) {
    for (size_t bucket = 0; bucket <= bounds_.size(); ++bucket) {
      snapshot.cumulative[bucket] += Word(shard, bucket).load(std::memory_order_relaxed);
    }
    snapshot.sum +=
        std::bit_cast<double>(Word(shard, bounds_.size() + 1).load(std::memory_order_relaxed));
  }
  for (size_t bucket = 1; bucket <= bounds_.size(); ++bucket) {
    snapshot.cumulative[bucket] += snapshot.cumulative[bucket - 1];
  }
  return snapshot;
}

std::vector<double> LatencyBoundsSeconds() {
  return {10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3,
          20e-3, 50e-3, 0.1,   0.2,    0.5,    1.0,    2.0,  5.0,  10.0};
}

Metrics::Metrics(int shards) : shards_(shards) { PENSTOCK_CHECK(shards > 0); }

Counter& Metrics::AddCounter(std::string_view name, std::string_view help, Labels labels) {
  const std::lock_guard lock(mutex_);
  Series& series = FindOrAddSeries(FindOrAddFamily(name, help, Kind::kCounter), std::move(labels));
  if (!series.counter) series.counter = std::make_unique<Counter>(shards_);
  return *series.counter;
}

Histogram& Metrics::AddHistogram(std::string_view name, std::string_view help, Labels labels,
                                 std::vector<double> bounds) {
  const std::lock_guard lock(mutex_);
  Series& series =
      FindOrAddSeries(FindOrAddFamily(name, help, Kind::kHistogram), std::move(labels));
  if (!series.histogram) series.histogram = std::make_unique<Histogram>(shards_, std::move(bounds));
  return *series.histogram;
}

void Metrics::AddGauge(std::string_view name, std::string_view help, Labels labels,
                       std::function<double()> read) {
  const std::lock_guard lock(mutex_);
  FindOrAddSeries(FindOrAddFamily(name, help, Kind::kGauge), std::move(labels)).read =
      std::move(read);
}

void Metrics::AddCounterReading(std::string_view name, std::string_view help, Labels labels,
                                std::function<double()> read) {
  const std::lock_guard lock(mutex_);
  FindOrAddSeries(FindOrAddFamily(name, help, Kind::kCounter), std::move(labels)).read =
      std::move(read);
}

std::string Metrics::Text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& family : families_) AppendFamily(out, *family);
  return out;
}

Metrics::Family& Metrics::FindOrAddFamily(std::string_view name, std::string_view help, Kind kind) {
  for (const auto& family : families_) {
    if (family->name != name) continue;
    PENSTOCK_CHECK(family->kind == kind);
    return *family;
  }
  PENSTOCK_CHECK(IsName(name, true));
  families_.push_back(
      std::make_unique<Family>(Family{std::string(name), std::string(help), kind, {}}));
  return *families_.back();
}

Metrics::Series& Metrics::FindOrAddSeries(Family& family, Labels labels) {
  for (const auto& series : family.series) {
    if (series->labels == labels) return *series;
  }
  for (const Label& label : labels) {
    PENSTOCK_CHECK(IsName(label.name, false) && !label.name.starts_with("__") &&
                   label.name != "le");
  }
  family.series.push_back(std::make_unique<Series>());
  family.series.back()->labels = std::move(labels);
  return *family.series.back();
}

void Metrics::AppendFamily(std::string& out, const Family& family) {
  constexpr std::array<std::string_view, 3> kKindNames = {"counter", "gauge", "histogram"};
  out.append("# HELP ").append(family.name).append(" ");
  AppendEscaped(out, family.help, false);
  out.append("\n# TYPE ").append(family.name).append(" ");
  out.append(kKindNames[static_cast<size_t>(family.kind)]).append("\n");
  for (const auto& series : family.series) {
    if (family.kind == Kind::kHistogram) {
      AppendHistogram(out, family.name, series->labels, *series->histogram);
      continue;
    }
    AppendSeriesName(out, family.name, "", series->labels);
    if (series->counter) {
      AppendInteger(out, series->counter->Sum());
    } else {
      AppendNumber(out, series->read());
    }
    out += '\n';
  }
}

}  // namespace penstock::observe
