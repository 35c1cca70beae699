// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <span>

#include "engine/labels.h"
#include "engine/worker_interpreter.h"
#include "engine/worker_pool.h"
#include "engine/worker_protocol.h"

namespace penstock::engine {
namespace {

using package::Type;

// Bytes of a text in an answer beyond that of the longest label: its offset and its mark.
constexpr uint64_t kTextOverhead = 16;
// A call goes to another worker only where one was gone before it had read all of it; once more
// where that one was sent some of it: rows that end whoever reads them must not end every worker.
constexpr int kAttemptsMax = 3;
constexpr int kSentMax = 2;
// What an instance holds on to between calls.
constexpr size_t kKeptBytesMax = size_t{4} << 20;

// Each column of the signature for itself, in its own type.
package::Encoding EncodingOf(const package::Signature& signature) {
  package::Encoding encoding;
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    const package::Input& input = signature.inputs[i];
    encoding.tensors.push_back({.name = input.name,
                                .type = input.type == Type::kBool ? Type::kInt64 : input.type,
                                .columns = {static_cast<int>(i)},
                                .marks_missing = true});
  }
  return encoding;
}

uint64_t LongestLabel(const package::Classes& classes) {
  uint64_t longest = 0;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&classes)) {
    for (const std::string& text : *texts) longest = std::max<uint64_t>(longest, text.size());
  }
  return longest;
}

class WorkerModel final : public Model {
 public:
  WorkerModel(const package::Signature& signature, const package::EngineEntry& entry,
              std::unique_ptr<WorkerPool> pool)
      : signature_(signature),
        entry_(entry),
        labels_(signature_.classes),
        row_bytes_max_(static_cast<uint64_t>(signature_.answer_cells() * 16) + kTextOverhead +
                       LongestLabel(signature_.classes)),
        pool_(std::move(pool)) {
    entry_.encoding = EncodingOf(signature_);
  }

  Result<std::unique_ptr<Instance>> NewInstance() const override;
  const package::Signature& signature() const override { return signature_; }
  const package::EngineEntry& entry() const override { return entry_; }

  const Labels& labels() const { return labels_; }
  uint64_t row_bytes_max() const { return row_bytes_max_; }
  WorkerPool& pool() const { return *pool_; }
  uint64_t NextId() const { return next_id_.fetch_add(1, std::memory_order_relaxed); }

 private:
  package::Signature signature_;
  package::EngineEntry entry_;
  Labels labels_;
  uint64_t row_bytes_max_;
  std::unique_ptr<WorkerPool> pool_;
  mutable std::atomic<uint64_t> next_id_ = 1;
};

class WorkerInstance final : public Instance {
 public:
  explicit WorkerInstance(const WorkerModel& model) : model_(model) {}

  void NameRequest(std::string_view id) override { request_id_ = id; }

  Status Predict(const package::Tensors& input, Predictions& output) override {
    const uint64_t id = model_.NextId();
    WritePredictFrame(id, input, frame_);
    Status status;
    int sent = 0;
    for (int attempt = 0; attempt < kAttemptsMax && sent < kSentMax; ++attempt) {
      status = Call(id, input.rows(), output, sent);
      if (status.code() != Code::kAborted) break;
    }
    if (frame_.capacity() + answer_.payload.capacity() > kKeptBytesMax) {
      frame_ = {};
      answer_ = {};
    }
    if (status.code() != Code::kAborted) return status;
    if (sent < kSentMax) return Unavailable(status.message());
    return Unavailable(
        fmt::format("{}; it was sent to {} workers, and each ended before it had read it",
                    status.message(), sent));
  }

 private:
  // sent: grows by one where a worker was sent any of the call.
  Status Call(uint64_t id, int64_t rows, Predictions& output, int& sent) {
    WorkerPool::Lease lease = PENSTOCK_TRY(model_.pool().Take(request_id_));
    const uint64_t bytes_max =
        kWorkerTextBytesMax + static_cast<uint64_t>(rows) * model_.row_bytes_max();
    const Status exchanged = lease.Exchange(frame_, id, bytes_max, answer_);
    if (lease.has_sent()) ++sent;
    PENSTOCK_TRY(exchanged);
    const auto columns = ParseFramePayload(answer_.header, answer_.payload);
    if (!columns.ok()) return lease.Discard(columns.status().message());
    if (answer_.header.kind != FrameKind::kAnswer) {
      const bool is_text = columns->size() == 1 && (*columns)[0].type() == Type::kString &&
                           (*columns)[0].count() == 1;
      if (!is_text) return lease.Discard("it sent an error without a text");
      return ErrorOf(std::string((*columns)[0].String(0)));
    }
    if (const std::string why = WhyNotAnAnswer(*columns, rows); !why.empty())
      return lease.Discard(why);
    return Read(*columns, output);
  }

  Status ErrorOf(std::string text) const {
    if (answer_.header.kind == FrameKind::kRefused) return InvalidArgument(std::move(text));
    return Internal(std::move(text));
  }

  const package::Signature& signature() const { return model_.signature(); }
  uint64_t width() const {
    return static_cast<uint64_t>(std::max<int64_t>(1, signature().prediction_width));
  }

  // Empty where the columns have the shape and the types of an answer to so many rows.
  std::string WhyNotAnAnswer(const std::vector<FrameColumn>& columns, int64_t rows) const {
    const auto count = static_cast<uint64_t>(rows);
    const bool is_classifier = signature().task == package::Task::kClassification;
    const size_t expected = signature().has_probabilities ? 2 : 1;
    if (columns.size() != expected || answer_.header.rows != count) {
      return fmt::format("it sent {} columns for {} rows; {} for {} were expected", columns.size(),
                         answer_.header.rows, expected, count);
    }
    const uint64_t values = count * (is_classifier ? 1 : width());
    const bool is_text = columns[0].type() == Type::kString;
    if (columns[0].count() != values || (is_text && !is_classifier)) {
      return fmt::format("it sent {} predictions of type {}; {} were expected", columns[0].count(),
                         package::TypeName(columns[0].type()), values);
    }
    if (expected == 1) return {};
    const uint64_t cells = count * package::ClassCount(signature().classes);
    if (columns[1].count() != cells || columns[1].type() == Type::kString)
      return fmt::format("it sent {} probabilities; {} were expected", columns[1].count(), cells);
    return {};
  }

  Status Read(const std::vector<FrameColumn>& columns, Predictions& output) const {
    output.rows = static_cast<int64_t>(answer_.header.rows);
    // Of a classifier only probabilities are written as numbers.
    output.is_float32 = columns.back().type() == Type::kFloat32;
    output.class_index.clear();
    output.values.clear();
    output.probabilities.clear();
    if (columns.size() > 1) ReadNumbers(columns[1], output.probabilities);
    if (signature().task == package::Task::kClassification)
      return ReadLabels(columns[0], output.class_index);
    ReadNumbers(columns[0], output.values);
    return {};
  }

  static void ReadNumbers(const FrameColumn& column, std::vector<double>& numbers) {
    numbers.reserve(column.count());
    for (uint64_t i = 0; i < column.count(); ++i) numbers.push_back(column.Number(i));
  }

  Status ReadLabels(const FrameColumn& column, std::vector<int64_t>& indices) const {
    indices.reserve(column.count());
    for (uint64_t i = 0; i < column.count(); ++i) {
      const int64_t index = IndexOf(column, i);
      if (index < 0) {
        const std::string shown = column.type() == Type::kString
                                      ? fmt::format("'{}'", column.String(i))
                                      : fmt::format("{}", column.Number(i));
        return Internal(fmt::format(
            "predict returned the label {}, which is not one of the {} that the model was "
            "registered with; register it again with rows for which it returns that label",
            shown, package::ClassCount(signature().classes)));
      }
      indices.push_back(index);
    }
    return {};
  }

  int64_t IndexOf(const FrameColumn& column, uint64_t i) const {
    const Labels& labels = model_.labels();
    if (column.type() == Type::kString) return labels.Find(column.String(i));
    const bool is_whole = column.type() == Type::kInt64 || column.type() == Type::kBool;
    return is_whole ? labels.Find(column.Integer(i)) : labels.Find(column.Number(i));
  }

  const WorkerModel& model_;
  std::string request_id_;
  std::string frame_;
  Frame answer_;
};

Result<std::unique_ptr<Instance>> WorkerModel::NewInstance() const {
  return std::unique_ptr<Instance>(std::make_unique<WorkerInstance>(*this));
}

}  // namespace

Result<std::unique_ptr<Model>> LoadWorkers(const package::Package& package,
                                           const package::EngineEntry& entry,
                                           const LoadOptions& options) {
  const RecordedInterpreter recorded = PENSTOCK_TRY(RecordedInterpreter::FromJson(entry.options));
  const std::filesystem::path python =
      PENSTOCK_TRY(FindInterpreter(recorded, options.workers.python));
  std::unique_ptr<WorkerPool> pool = PENSTOCK_TRY(WorkerPool::Start(
      {.python = python, .package = std::filesystem::absolute(package.directory())},
      options.workers));
  return std::unique_ptr<Model>(
      std::make_unique<WorkerModel>(package.manifest().signature, entry, std::move(pool)));
}

}  // namespace penstock::engine
