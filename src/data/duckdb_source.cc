// SPDX-License-Identifier: Apache-2.0
#include "data/duckdb_source.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "data/duckdb_session.h"

namespace penstock::data {
namespace {

// How long the consumer waits between two polls, and between two interrupts of a query that is not
// running yet when the first one comes.
constexpr std::chrono::milliseconds kPollInterval{20};

class DuckdbSource : public table::BatchSource {
 public:
  DuckdbSource(std::shared_ptr<const DuckdbLibrary> library, FileUri uri,
               std::function<Status()> poll)
      : session_(std::make_unique<DuckdbSession>(std::move(library))),
        uri_(std::move(uri)),
        poll_(std::move(poll)) {
    worker_ = std::thread([this] { Work(); });
  }
  DuckdbSource(const DuckdbSource&) = delete;
  DuckdbSource& operator=(const DuckdbSource&) = delete;
  ~DuckdbSource() override { Stop(); }

  Result<table::OwnedSchema> Schema() override {
    std::unique_lock lock(mutex_);
    PENSTOCK_TRY(Wait(lock, [this] { return is_open_ || is_done_; }));
    if (!is_open_) return status_;
    return table::MakeSchema(fields_);
  }

  bool GatherByItself() override {
    const std::lock_guard lock(mutex_);
    is_gathered_ = true;  // the worker looks once rows are wanted
    return true;
  }

  Result<table::Batch> Next() override {
    std::unique_lock lock(mutex_);
    is_wanted_ = true;
    changed_.notify_all();
    PENSTOCK_TRY(Wait(lock, [this] { return !batches_.empty() || is_done_; }));
    if (batches_.empty()) {
      PENSTOCK_TRY(status_);
      return table::Batch();
    }
    table::Batch batch = std::move(batches_.front());
    batches_.pop_front();
    changed_.notify_all();
    return batch;
  }

 private:
  // Waits until `is_ready`. An error of the poll stops the worker first, so that the caller has its
  // memory back when it is told.
  template <typename Ready>
  Status Wait(std::unique_lock<std::mutex>& lock, Ready is_ready) {
    while (!is_ready()) {
      changed_.wait_for(lock, kPollInterval);
      if (!poll_) continue;
      lock.unlock();
      const Status polled = poll_();
      if (!polled.ok()) Stop();
      lock.lock();
      if (polled.ok()) continue;
      batches_.clear();
      status_ = polled;
      return polled;
    }
    return {};
  }

  void Stop() {
    std::unique_lock lock(mutex_);
    is_stopped_ = true;
    changed_.notify_all();
    // Again and again: a query that starts after an interrupt knows nothing of it.
    while (!is_done_) {
      session_->Interrupt();
      changed_.wait_for(lock, kPollInterval / 4);
    }
    lock.unlock();
    if (worker_.joinable()) worker_.join();
  }

  // The worker.

  void Work() {
    const Status status = Produce();
    std::unique_ptr<DuckdbSession> session;  // closed, and its memory freed, outside of the lock
    const std::lock_guard lock(mutex_);
    session = std::move(session_);
    if (status_.ok()) status_ = status;
    is_done_ = true;
    changed_.notify_all();
  }

  Status Produce() {
    PENSTOCK_TRY(session_->Open(uri_));
    std::vector<table::Field> fields;
    for (const DuckdbColumn& column : session_->columns()) fields.push_back(column.field);
    if (!AnnounceAndWait(fields)) return {};
    table::BatchBuilder builder(std::move(fields));
    PENSTOCK_TRY(session_->Execute());
    while (true) {
      const DuckdbHandle<duckdb_data_chunk> chunk = PENSTOCK_TRY(session_->Fetch());
      if (chunk.get() == nullptr) break;
      const DuckdbLibrary& duckdb = session_->library();
      const auto rows = static_cast<int64_t>(duckdb.data_chunk_get_size(chunk.get()));
      if (!PENSTOCK_TRY(Append(chunk.get(), 0, rows, builder))) return {};
    }
    if (builder.rows() > 0) Push(PENSTOCK_TRY(builder.Finish()));
    return {};
  }

  // Halves rows that hold more text than a batch should. False once nobody wants more.
  Result<bool> Append(duckdb_data_chunk chunk, int64_t begin, int64_t end,
                      table::BatchBuilder& builder) {
    const DuckdbLibrary& duckdb = session_->library();
    const TextBytes bytes = TextBytesOf(duckdb, chunk, begin, end, builder.fields());
    if (bytes.value > table::kValueBytesMax) {
      return ResourceExhausted(fmt::format(
          "a value has {} bytes, more than {}; take a part of it in ?query=", bytes.value,
          table::kValueBytesMax));
    }
    if (bytes.column > table::kBatchBytesMax && end - begin > 1) {
      const int64_t middle = begin + (end - begin) / 2;
      if (!PENSTOCK_TRY(Append(chunk, begin, middle, builder))) return false;
      return Append(chunk, middle, end, builder);
    }
    if (is_gathered_ && !builder.HasRoomFor(bytes.column) && !Push(PENSTOCK_TRY(builder.Finish())))
      return false;
    AppendRows(duckdb, chunk, begin, end, builder);
    return is_gathered_ || !builder.is_full() || Push(PENSTOCK_TRY(builder.Finish()));
  }

  // Tells the columns, and waits until somebody wants rows.
  bool AnnounceAndWait(const std::vector<table::Field>& fields) {
    std::unique_lock lock(mutex_);
    fields_ = fields;
    is_open_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_wanted_ || is_stopped_; });
    return !is_stopped_;
  }

  // Hands a batch over, once there is room for it. False once nobody wants it.
  bool Push(table::Batch batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return batches_.size() < kBatchesAheadMax || is_stopped_; });
    if (is_stopped_) return false;
    batches_.push_back(std::move(batch));
    changed_.notify_all();
    return true;
  }

  std::unique_ptr<DuckdbSession> session_;
  FileUri uri_;
  std::function<Status()> poll_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<table::Field> fields_;
  std::deque<table::Batch> batches_;
  Status status_;
  bool is_open_ = false;
  bool is_wanted_ = false;
  bool is_gathered_ = false;
  bool is_stopped_ = false;
  bool is_done_ = false;
  std::thread worker_;
};

}  // namespace

Result<std::unique_ptr<table::BatchSource>> OpenDuckdb(const FileUri& uri,
                                                       std::function<Status()> poll) {
  auto source =
      std::make_unique<DuckdbSource>(PENSTOCK_TRY(DuckdbLibrary::Open()), uri, std::move(poll));
  PENSTOCK_TRY(source->Schema());
  return std::unique_ptr<table::BatchSource>(std::move(source));
}

}  // namespace penstock::data
