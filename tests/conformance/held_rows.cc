#include "tests/conformance/held_rows.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

namespace outbox::test {

Shelf::Shelf(StoreFixture& fixture, const LeaseRequest& request)
    : holder(holder_of(fixture, request)), fixture_(fixture) {}

void Shelf::hold(const std::vector<Wanted>& rows) {
  std::vector<ServiceRow> written;
  for (const Wanted& row : rows) written.push_back({.topic = row.topic, .key = row.key});
  fixture_.writer()->commit_rows(written);
  take(rows);
}

void Shelf::take(const std::vector<Wanted>& rows) {
  HeldWrites writes;
  std::size_t next = 0;
  for (bool more = true; more;) {
    auto batch = holder.store->read(holder.mark, {1000, 1u << 24});
    REQUIRE_MESSAGE(batch, batch.error().text);
    for (const Message& message : batch->messages) {
      const Wanted& row = rows.at(next++);
      if (!row.state) continue;
      Hold hold = test::hold_of(message, *row.state);
      hold.attempts = row.attempts;
      hold.due_in = row.due_in;
      hold.blocks = row.blocks.value_or(hold.blocks);
      hold.last_error = row.last_error;
      if (row.for_topic) hold.topic = row.topic;
      writes.holds.push_back(std::move(hold));
    }
    holder.mark = batch->end;
    more = batch->more;
  }
  REQUIRE(next == rows.size());
  settle(writes);
}

Hold Shelf::hold_of(std::int64_t seq, const std::optional<std::string>& key, HeldState state) {
  Hold hold;
  hold.seq = seq;
  hold.key = key;
  hold.state = state;
  hold.blocks = state == HeldState::retrying || state == HeldState::blocked;
  hold.attempts = 2;
  hold.due_in = Duration::zero();
  hold.last_error = "turned away again";
  return hold;
}

std::vector<std::string> Shelf::settle(const HeldWrites& writes) {
  auto settled = holder.store->settle(holder.lease, holder.mark, writes);
  REQUIRE_MESSAGE(settled, settled.error().text);
  std::ranges::sort(settled->freed);
  CHECK(std::ranges::adjacent_find(settled->freed) == settled->freed.end());
  return std::move(settled->freed);
}

HeldBatch Shelf::read(const ReadLimit& limit) const {
  auto batch = holder.store->read_held(holder.lease, limit);
  REQUIRE_MESSAGE(batch, batch.error().text);
  CHECK(batch->facts.size() == batch->rows.messages.size());
  CHECK(batch->rows.messages.size() <= limit.messages_max);
  return std::move(*batch);
}

std::string Shelf::due(const ReadLimit& limit) const {
  return seqs_text(read(limit).rows);
}

HeldKeys Shelf::keys() const {
  auto keys = holder.store->held_keys(holder.lease);
  REQUIRE_MESSAGE(keys, keys.error().text);
  return std::move(*keys);
}

std::string Shelf::held(const HeldFilter& filter) const {
  return held_text(fixture_, filter);
}

HeldEntry Shelf::entry(std::int64_t seq) const {
  HeldFilter filter;
  filter.seqs = {seq};
  const auto entries = fixture_.admin()->held(filter, std::nullopt, 10);
  REQUIRE_MESSAGE(entries, entries.error().text);
  REQUIRE(entries->size() == 1);
  return entries->front();
}

std::string seqs_text(const Batch& batch) {
  std::string text;
  for (const Message& message : batch.messages)
    text += (text.empty() ? "" : " ") + std::to_string(message.seq);
  return text;
}

std::string attempts_text(const HeldBatch& batch) {
  std::string text;
  for (const HeldFacts& facts : batch.facts)
    text += (text.empty() ? "" : " ") + std::to_string(facts.attempts);
  return text;
}

std::string held_text(StoreFixture& fixture, const HeldFilter& filter) {
  const auto entries = fixture.admin()->held(filter, std::nullopt, 10'000);
  REQUIRE_MESSAGE(entries, entries.error().text);
  std::string text;
  for (const HeldEntry& entry : *entries)
    text += (text.empty() ? "" : ", ") + std::to_string(entry.seq) + " " + std::string(name_of(entry.state));
  return text;
}

}  // namespace outbox::test
