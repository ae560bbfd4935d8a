#include "adapters/stores/sqlite/leases.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "adapters/common/owner.h"
#include "adapters/stores/sqlite/shard_function.h"
#include "base/json_text.h"

namespace outbox::sqlite {
namespace {

LeaseHolder holder_of(const MarkRow& row) {
  return {row.owner, row.epoch, row.beat};
}

bool may_take(const MarkRow& row, const LeaseRequest& request) {
  if (row.owner.empty() || row.owner == request.owner) return true;
  return request.expired == holder_of(row) || provably_gone(row.owner);
}

/// The marks of one route while one of its leases is taken.
class Marks {
 public:
  Marks(OutboxTable& table, StateFile& state, const LeaseRequest& request)
      : table_(table), state_(state), request_(request) {}

  Result<void> load() {
    auto rows = state_.load(request_.route);
    if (!rows) return rows.error();
    rows_ = std::move(*rows);
    return {};
  }

  [[nodiscard]] MarkRow& mine() { return rows_[static_cast<std::size_t>(request_.shard)]; }

  [[nodiscard]] bool fit() const {
    return std::ssize(rows_) == request_.shards &&
           std::ranges::all_of(rows_, [&](const MarkRow& row) { return row.shards == request_.shards; });
  }

  std::optional<LeaseHolder> holder_of_any() const {
    for (const MarkRow& row : rows_)
      if (!may_take(row, request_)) return holder_of(row);
    return std::nullopt;
  }

  /// Whoever waits for several leases sees one after the other expire: what has, stays free.
  Result<void> free_expired() {
    for (MarkRow& row : rows_) {
      if (request_.expired != holder_of(row)) continue;
      row.owner.clear();
      ++row.epoch;
      ++row.beat;
      if (auto stored = state_.store(request_.route, row); !stored) return stored;
    }
    return {};
  }

  /// Marks that a database was not saved for, or an older state of it, lie: repeats rather than loss.
  Result<void> check(std::vector<MarkRow*> rows) {
    for (MarkRow* row : rows) {
      if (!row->seq) continue;
      auto loss = table_.loss_behind(*row->seq, row->last_id);
      if (!loss) return loss.error();
      if (!*loss) continue;
      if (auto done = reset(*row, **loss); !done) return done;
    }
    return {};
  }
  Result<void> check_mine() { return check({&mine()}); }
  Result<void> check_all() {
    std::vector<MarkRow*> all;
    for (MarkRow& row : rows_) all.push_back(&row);
    return check(all);
  }

  /// For another number of shards: each begins at the earliest of the old marks, and fences who had one.
  Result<void> make_anew() {
    MarkRow fresh;
    if (!rows_.empty())
      fresh = *std::ranges::min_element(rows_, {}, [](const MarkRow& row) { return row.seq; });
    for (const MarkRow& row : rows_) {
      fresh.epoch = std::max(fresh.epoch, row.epoch);
      fresh.paused |= row.paused;
    }
    if (!rows_.empty()) ++fresh.epoch;
    fresh.owner.clear();
    fresh.shards = request_.shards;
    if (auto done = state_.forget(request_.route); !done) return done;
    rows_.assign(static_cast<std::size_t>(request_.shards), fresh);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      rows_[i].shard = static_cast<int>(i);
      if (auto done = state_.store(request_.route, rows_[i]); !done) return done;
    }
    return share_out_held();
  }

  /// All shards that have not begun do so together: rows that come between are nobody's else.
  Result<void> begin() {
    if (mine().seq) return {};
    std::int64_t start = 0;
    std::optional<std::string> id;
    if (request_.start == Start::now) {
      auto newest = table_.newest_seq();
      if (!newest) return newest.error();
      auto found = table_.id_of(*newest);
      if (!found) return found.error();
      start = *newest;
      id = std::move(*found);
    }
    for (MarkRow& row : rows_) {
      if (row.seq) continue;
      row.seq = start;
      row.last_id = id;
      if (auto done = state_.store(request_.route, row); !done) return done;
    }
    return {};
  }

  Result<Granted> grant() {
    MarkRow& row = mine();
    row.owner = request_.owner;
    ++row.epoch;
    ++row.beat;
    if (auto stored = state_.store(request_.route, row); !stored) return stored.error();
    if (auto stored = state_.set_topics(request_.route, request_.topics); !stored) return stored.error();
    return Granted{{request_.route, row.shard, row.epoch}, {"", *row.seq}, row.paused};
  }

 private:
  /// Also what is held goes: it is read again, and its numbers may be other rows' now. Only unrouted rows may
  /// have been another route's to find.
  Result<void> reset(MarkRow& row, const std::string& loss) {
    row.seq = 0;
    row.last_id.reset();
    auto statement = state_.connection().prepare(
        "DELETE FROM outbox_held WHERE route = ?1 AND shard = ?2 AND state <> 'unrouted'", "acquire");
    if (!statement) return statement.error();
    const int code = statement->bind(1, request_.route).bind(2, std::int64_t{row.shard}).run();
    if (code != SQLITE_DONE) return state_.connection().error_of(code, "acquire");
    std::string detail = "{\"shard\":" + std::to_string(row.shard) + ",\"reason\":";
    append_json_string(detail, loss + "; starting at its oldest row");
    return state_.audit("outboxd", "mark_reset", request_.route, detail + "}");
  }

  Result<void> share_out_held() {
    if (auto added = add_shard_function(state_.connection()); !added) return added;
    auto statement = state_.connection().prepare(
        "UPDATE outbox_held SET shard = outbox_shard(message_key, seq, ?2) WHERE route = ?1", "acquire");
    if (!statement) return statement.error();
    const int code = statement->bind(1, request_.route).bind(2, std::int64_t{request_.shards}).run();
    if (code != SQLITE_DONE) return state_.connection().error_of(code, "acquire");
    return {};
  }

  OutboxTable& table_;
  StateFile& state_;
  const LeaseRequest& request_;
  std::vector<MarkRow> rows_;
};

}  // namespace

Result<Acquired> take_lease(OutboxTable& table, StateFile& state, const LeaseRequest& request) {
  assert(request.shard >= 0 && request.shard < request.shards);
  auto transaction = state.begin("acquire");
  if (!transaction) return transaction.error();
  Marks marks(table, state, request);
  if (auto loaded = marks.load(); !loaded) return loaded.error();
  if (!marks.fit()) {
    if (const auto other = marks.holder_of_any()) {
      if (auto freed = marks.free_expired(); !freed) return freed.error();
      if (auto committed = transaction->commit("acquire"); !committed) return committed.error();
      return Acquired(*other);
    }
    if (auto checked = marks.check_all(); !checked) return checked.error();
    if (auto made = marks.make_anew(); !made) return made.error();
  }
  if (!may_take(marks.mine(), request)) return Acquired(holder_of(marks.mine()));
  if (auto checked = marks.check_mine(); !checked) return checked.error();
  if (auto begun = marks.begin(); !begun) return begun.error();
  auto granted = marks.grant();
  if (!granted) return granted.error();
  if (auto committed = transaction->commit("acquire"); !committed) return committed.error();
  return Acquired(std::move(*granted));
}

}  // namespace outbox::sqlite
