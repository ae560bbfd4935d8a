#include "model_database.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace outbox::simulation {
namespace {

/// What the views of a batch look into.
struct Memory {
  std::deque<std::string> texts;
};

}  // namespace

void ModelDatabase::commit(int key, Duration due_in) {
  rows_.push_back({static_cast<std::int64_t>(rows_.size()) + 1, key, due_in, time_.now()});
  if (on_commit) on_commit();
}

Acquired ModelDatabase::acquire(const LeaseRequest& request,
                                const std::function<bool(const std::string&)>& gone) {
  const bool is_free = holder_.owner.empty() || holder_.owner == request.owner || gone(holder_.owner) ||
                       (request.expired && *request.expired == holder_);
  if (!is_free) return holder_;
  holder_.owner = request.owner;
  ++holder_.epoch;
  ++holder_.beat;
  return Granted{{request.route, request.shard, holder_.epoch}, {"", mark_}, paused_};
}

bool ModelDatabase::renew(std::int64_t epoch) {
  if (epoch != holder_.epoch) return false;
  ++holder_.beat;
  return true;
}

bool ModelDatabase::release(std::int64_t epoch) {
  if (epoch != holder_.epoch) return false;
  holder_.owner.clear();
  return true;
}

std::optional<Settled> ModelDatabase::settle(std::int64_t epoch, std::int64_t mark,
                                             const HeldWrites& writes) {
  if (!renew(epoch)) return std::nullopt;
  for (const Hold& hold : writes.holds)
    if (hold.seq <= mark_ || hold.seq > mark)
      violation_ = "row " + std::to_string(hold.seq) + " is held, but not passed";
  mark_ = mark;
  return held_.write(writes, time_.now());
}

void ModelDatabase::add_message(Batch& batch, std::deque<std::string>& texts, const Row& row) const {
  Message& message = batch.messages.emplace_back();
  message.seq = row.number;
  std::snprintf(message.id.data(), message.id.size(), "%012lld", static_cast<long long>(message.seq));
  message.topic = texts.emplace_back("topic-" + std::to_string(row.topic()));
  if (row.key >= 0) message.key = texts.emplace_back(std::to_string(row.key));
  message.age = time_.now() - row.committed;
  message.due_in = row.due_in - message.age;
  batch.bytes += message.bytes();
}

Batch ModelDatabase::read(std::int64_t after, std::size_t limit) const {
  Batch batch;
  auto memory = std::make_shared<Memory>();
  for (auto i = static_cast<std::size_t>(after); i < rows_.size() && batch.messages.size() < limit; ++i)
    add_message(batch, memory->texts, rows_[i]);
  batch.memory = memory;
  batch.end = {"", after + static_cast<std::int64_t>(batch.messages.size())};
  batch.more = static_cast<std::size_t>(batch.end.seq) < rows_.size();
  return batch;
}

HeldBatch ModelDatabase::read_held(std::size_t limit) const {
  HeldBatch batch;
  auto memory = std::make_shared<Memory>();
  for (const std::int64_t seq : held_.due(limit, time_.now(), batch.next_due_in)) {
    add_message(batch.rows, memory->texts, rows_[static_cast<std::size_t>(seq - 1)]);
    batch.facts.push_back({held_.rows().at(seq).attempts, held_.rows().at(seq).blocks});
  }
  batch.rows.memory = memory;
  batch.more_keys = batch.next_due_in == Duration::zero();
  return batch;
}

ModelStore::ModelStore(VirtualTime& time, Random& random, ModelDatabase& database, const Faults& faults,
                       std::function<bool(const std::string&)> gone, std::function<void(Event)> deliver)
    : time_(time),
      random_(random),
      database_(database),
      faults_(faults),
      gone_(std::move(gone)),
      deliver_(std::move(deliver)) {}

void ModelStore::accept(Commands& commands) {
  if (commands.acquire) push({*commands.acquire});
  if (commands.settle) push({*commands.settle});
  if (commands.renew) push({*commands.renew, true});
  if (commands.held_keys) push({*commands.held_keys});
  if (commands.read_held) push({*commands.read_held});
  if (commands.read) push({*commands.read});
  if (commands.release) push({*commands.release});
  if (commands.wait) push({*commands.wait});
}

void ModelStore::push(Queued queued) {
  queue_.push_back(std::move(queued));
  if (waiting_) end_wait(Woken::interrupted);
  if (!busy_) begin();
}

void ModelStore::begin() {
  if (queue_.empty()) return;
  busy_ = true;
  auto alive = alive_;
  if (const auto* timeout = std::get_if<Duration>(&queue_.front().command); timeout && connected_) {
    waiting_ = true;
    poll(time_.now() + *timeout, ++wait_number_);
    return;
  }
  time_.after(random_.within(std::chrono::microseconds(50), faults_.store_latency_max), [this, alive] {
    if (*alive) {
      finish();
    } else if (random_.chance(0.5)) {
      carry_out(queue_.front());
    }
  });
}

/// The safety poll sees what no notification told of, and is silent otherwise: it must not stand in for a
/// wake-up that the relay forgot to ask for.
void ModelStore::poll(Instant until, std::uint64_t number) {
  const Instant next = std::min<Instant>(until, time_.now() + std::chrono::milliseconds(100));
  time_.at(next, [this, alive = alive_, until, number] {
    if (!*alive || !waiting_ || number != wait_number_) return;
    if (static_cast<std::int64_t>(database_.rows().size()) > read_end_) return end_wait(Woken::notified);
    if (time_.now() >= until) return end_wait(Woken::timeout);
    poll(until, number);
  });
}

void ModelStore::end_wait(Woken why) {
  waiting_ = false;
  busy_ = false;
  queue_.pop_front();
  auto alive = alive_;
  time_.after(std::chrono::microseconds(20), [this, alive, why] {
    if (*alive) deliver_(WaitAnswer{why});
  });
  begin();
}

void ModelStore::committed() {
  if (waiting_ && !random_.chance(faults_.notification_lost)) end_wait(Woken::notified);
}

void ModelStore::finish() {
  const Queued queued = std::move(queue_.front());
  queue_.pop_front();
  busy_ = false;
  const bool acquires = std::holds_alternative<LeaseRequest>(queued.command);
  if (acquires) connected_ = true;
  if (!connected_ || random_.chance(faults_.store_fails)) {
    if (connected_ && random_.chance(0.5)) carry_out(queued);
    connected_ = false;
    deliver_(fail(queued));
  } else {
    deliver_(carry_out(queued));
  }
  if (!busy_) begin();
}

Event ModelStore::carry_out(const Queued& queued) {
  const Error fenced{Fault::fenced, "fenced"};
  if (const auto* request = std::get_if<LeaseRequest>(&queued.command))
    return AcquireAnswer{database_.acquire(*request, gone_)};
  if (const auto* settle = std::get_if<SettleCommand>(&queued.command)) {
    auto settled = database_.settle(settle->lease.epoch, settle->mark.seq, settle->held);
    return SettleAnswer{settled ? Result<Settled>(std::move(*settled)) : fenced};
  }
  if (std::holds_alternative<HeldKeysCommand>(queued.command))
    return HeldKeysAnswer{database_.held().keys(time_.now())};
  if (const auto* held = std::get_if<ReadHeldCommand>(&queued.command))
    return ReadHeldAnswer{database_.read_held(held->limit.messages_max)};
  if (const auto* read = std::get_if<ReadCommand>(&queued.command)) {
    Batch batch = database_.read(read->after.seq, read->limit.messages_max);
    read_end_ = batch.end.seq;
    return ReadAnswer{std::move(batch)};
  }
  if (const auto* lease = std::get_if<Lease>(&queued.command)) {
    if (queued.renews) return RenewAnswer{database_.renew(lease->epoch) ? Result<void>() : fenced};
    return ReleaseAnswer{database_.release(lease->epoch) ? Result<void>() : fenced};
  }
  return WaitAnswer{Woken::timeout};
}

Event ModelStore::fail(const Queued& queued) const {
  const Error lost{Fault::unavailable, "connection lost"};
  if (std::holds_alternative<LeaseRequest>(queued.command)) return AcquireAnswer{lost};
  if (std::holds_alternative<SettleCommand>(queued.command)) return SettleAnswer{lost};
  if (std::holds_alternative<HeldKeysCommand>(queued.command)) return HeldKeysAnswer{lost};
  if (std::holds_alternative<ReadHeldCommand>(queued.command)) return ReadHeldAnswer{lost};
  if (std::holds_alternative<ReadCommand>(queued.command)) return ReadAnswer{lost};
  if (std::holds_alternative<Duration>(queued.command)) return WaitAnswer{lost};
  if (queued.renews) return RenewAnswer{lost};
  return ReleaseAnswer{lost};
}

void ModelStore::crash() {
  *alive_ = false;
}

}  // namespace outbox::simulation
