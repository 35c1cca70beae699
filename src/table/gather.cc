// SPDX-License-Identifier: Apache-2.0
#include "table/gather.h"

#include <optional>
#include <utility>

namespace penstock::table {
namespace {

class GatheredSource : public BatchSource {
 public:
  explicit GatheredSource(TableStream stream) : stream_(std::move(stream)) {}

  Result<OwnedSchema> Schema() override { return MakeSchema(PENSTOCK_TRY(stream_.Fields())); }

  Result<Batch> Next() override {
    if (!builder_) {
      builder_.emplace(PENSTOCK_TRY(stream_.Fields()));
      ahead_ = PENSTOCK_TRY(stream_.Next());
    }
    while (!ahead_.empty() && builder_->HasRoomFor(ahead_)) {
      builder_->AppendBatch(ahead_);
      ahead_.Reset();  // before the next one is made
      ahead_ = PENSTOCK_TRY(stream_.Next());
    }
    if (builder_->rows() == 0) return Batch();
    return builder_->Finish();
  }

 private:
  TableStream stream_;
  std::optional<BatchBuilder> builder_;
  Batch ahead_;
};

}  // namespace

TableStream Gather(TableStream stream) {
  if (stream.GatherByItself()) return stream;
  return TableStream(std::make_unique<GatheredSource>(std::move(stream)));
}

}  // namespace penstock::table
