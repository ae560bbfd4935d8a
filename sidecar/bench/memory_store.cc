#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/wakeup.h"
#include "bench/measuring.h"

namespace outbox::bench {
namespace {

/// What all rows share.
struct Rows {
  NewRow row;
  std::int64_t count = 0;
  std::vector<std::string> keys;
  Timestamp created_at{};
};

void put_hexadecimal(char* at, std::uint64_t number, int digits) {
  for (int i = digits - 1; i >= 0; --i, number >>= 4) at[i] = "0123456789abcdef"[number & 15];
}

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(std::shared_ptr<const Rows> rows) : rows_(std::move(rows)) {}

  Result<Acquired> acquire(const LeaseRequest& request) override {
    return Acquired(Granted{{request.route, request.shard, 1}, mark_});
  }
  Result<void> renew(const Lease&) override { return {}; }
  Result<void> release(const Lease&) override { return {}; }

  Result<Batch> read(const Mark& after, const ReadLimit& limit) override {
    Batch batch;
    batch.memory = rows_;
    const auto room = static_cast<std::int64_t>(limit.messages_max);
    const std::int64_t last = std::min(rows_->count, after.seq + room);
    batch.messages.reserve(static_cast<std::size_t>(last - after.seq));
    std::int64_t seq = after.seq;
    while (seq < last && (batch.bytes < limit.bytes_max || batch.messages.empty())) {
      batch.messages.push_back(message(++seq));
      batch.bytes += batch.messages.back().bytes();
    }
    batch.end = {{}, seq};
    batch.more = seq < rows_->count;
    return batch;
  }

  Result<Settled> settle(const Lease&, const Mark& mark, const HeldWrites&) override {
    mark_ = mark;
    return Settled{};
  }

  Result<HeldKeys> held_keys(const Lease&) override { return HeldKeys{}; }
  Result<HeldBatch> read_held(const Lease&, const ReadLimit&) override { return HeldBatch{}; }

  Result<Woken> wait(Duration timeout) override {
    return wakeup_.wait(timeout) ? Woken::interrupted : Woken::timeout;
  }
  void wake() noexcept override { wakeup_.ring(); }

 private:
  [[nodiscard]] Message message(std::int64_t seq) const {
    const NewRow& row = rows_->row;
    Message message;
    message.seq = seq;
    std::ranges::copy(std::string_view("00000000-0000-4000-8000-000000000000"), message.id.begin());
    put_hexadecimal(&message.id[24], static_cast<std::uint64_t>(seq), 12);
    message.topic = row.topic;
    message.type = *row.type;
    message.payload = row.payload;
    message.content_type = row.content_type;
    message.created_at = rows_->created_at;
    if (!rows_->keys.empty()) message.key = rows_->keys[static_cast<std::size_t>(seq) % rows_->keys.size()];
    return message;
  }

  std::shared_ptr<const Rows> rows_;
  Mark mark_;
  Wakeup wakeup_;
};

}  // namespace

StoreAdapter memory_adapter(NewRow row, std::int64_t count, std::int64_t keys) {
  auto rows = std::make_shared<Rows>();
  rows->row = std::move(row);
  rows->count = count;
  for (std::int64_t i = 0; i < keys; ++i) rows->keys.push_back("key-" + std::to_string(i));
  rows->created_at = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  StoreAdapter adapter;
  adapter.name = "memory";
  adapter.schemes = {"memory"};
  adapter.open_store = [rows](const StoreTarget&) -> Result<std::unique_ptr<Store>> {
    return std::unique_ptr<Store>(std::make_unique<MemoryStore>(rows));
  };
  // The watcher goes without.
  adapter.open_admin = [](const StoreTarget&) -> Result<std::unique_ptr<Admin>> {
    return Error{Fault::refused, "memory: nothing to keep up"};
  };
  return adapter;
}

}  // namespace outbox::bench
