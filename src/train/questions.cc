// SPDX-License-Identifier: Apache-2.0
#include "train/questions.h"

#include <algorithm>

#include "train/answers.h"

namespace penstock::train {
namespace {

constexpr size_t kReasonBytesMax = 240;
// A call takes a twentieth of the time at most, as far as the one before it tells, but this many
// rows.
constexpr int64_t kCallsInTimeMin = 20;
constexpr int64_t kSlowRowsMin = 16;

// The first line, cut so that it stays valid UTF-8.
std::string ReasonOf(const Status& status) {
  std::string reason = status.message().substr(0, status.message().find('\n'));
  if (reason.size() <= kReasonBytesMax) return reason;
  size_t size = kReasonBytesMax;
  while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xC0) == 0x80) --size;
  return reason.substr(0, size) + "...";
}

}  // namespace

void Questions::GiveTime(double seconds) {
  given_ns_ = static_cast<int64_t>(seconds * 1e9);
  end_ns_ = options_.clock->MonotonicNs() + given_ns_;
}

bool Questions::IsOutOfTime() const {
  return given_ns_ > 0 && options_.clock->MonotonicNs() >= end_ns_;
}

size_t Questions::rows_per_call() const {
  int64_t rows =
      std::clamp<int64_t>(kOriginalCellsMax / std::max(1, rows_.width()), 1, kOriginalRowsMax);
  if (given_ns_ > 0 && row_ns_ > 0) {
    rows = std::min(rows, std::max(kSlowRowsMin, given_ns_ / kCallsInTimeMin / row_ns_));
  }
  return static_cast<size_t>(rows);
}

Status Questions::Call(const Columns& columns, Result<engine::Predictions>& answers) {
  const int64_t start = options_.clock->MonotonicNs();
  answers = original_.Predict(columns);
  if (options_.poll) PENSTOCK_TRY(options_.poll());
  if (!answers.ok()) {
    return answers.status().code() == Code::kCancelled ? answers.status() : Status();
  }
  row_ns_ = (options_.clock->MonotonicNs() - start) / columns.rows();
  return CheckAnswers(signature_, *answers, columns.rows());
}

Result<engine::Predictions> Questions::AskRows() {
  engine::Predictions all;
  Result<engine::Predictions> answers = engine::Predictions();
  std::vector<int64_t> chunk;
  const auto limit = static_cast<int64_t>(rows_per_call());
  for (int64_t begin = 0; begin < rows_.rows(); begin += limit) {
    chunk.clear();
    for (int64_t row = begin; row < std::min(rows_.rows(), begin + limit); ++row)
      chunk.push_back(row);
    PENSTOCK_TRY(Call(rows_.Gather(chunk), answers));
    Append(PENSTOCK_TRY(std::move(answers)), all);
  }
  return all;
}

Result<std::vector<Reply>> Questions::Ask(std::span<const Probe> probes) {
  std::vector<Reply> replies(probes.size());
  for (size_t begin = 0; begin < probes.size();) {
    // One kind a call: a missing value turns a whole column of integers into floating point
    // numbers.
    size_t end = begin;
    const size_t limit = rows_per_call();
    while (end < probes.size() && end - begin < limit && probes[end].kind == probes[begin].kind)
      ++end;
    PENSTOCK_TRY(AskRange(probes.subspan(begin, end - begin),
                          std::span(replies).subspan(begin, end - begin)));
    begin = end;
  }
  return replies;
}

Status Questions::AskRange(std::span<const Probe> probes, std::span<Reply> replies) {
  if (probes.empty() || PENSTOCK_TRY(AskTogether(probes, replies))) return {};
  return AskApart(probes, replies);
}

Result<bool> Questions::AskTogether(std::span<const Probe> probes, std::span<Reply> replies) {
  if (IsOutOfTime()) return true;
  Result<engine::Predictions> answers = engine::Predictions();
  PENSTOCK_TRY(Call(Apply(rows_, probes), answers));
  if (answers.ok()) {
    for (size_t i = 0; i < probes.size(); ++i) {
      replies[i] = {.is_asked = true,
                    .answer = TakeRow(signature_, *answers, static_cast<int64_t>(i))};
    }
    return true;
  }
  if (probes.size() > 1) return false;
  replies[0] = {.is_asked = true, .is_refused = true, .reason = ReasonOf(answers.status())};
  return true;
}

Status Questions::AskApart(std::span<const Probe> probes, std::span<Reply> replies) {
  // What is alike stands side by side: where the first is refused, the next ones will be.
  size_t single = 0;
  bool is_refused = true;
  while (is_refused && single < probes.size()) {
    PENSTOCK_TRY(AskRange(probes.subspan(single, 1), replies.subspan(single, 1)));
    is_refused = replies[single].is_refused;
    ++single;
  }
  const size_t half = single + (probes.size() - single) / 2;
  PENSTOCK_TRY(
      AskRange(probes.subspan(single, half - single), replies.subspan(single, half - single)));
  return AskRange(probes.subspan(half), replies.subspan(half));
}

}  // namespace penstock::train
