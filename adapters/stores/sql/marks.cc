#include "adapters/stores/sql/marks.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

#include "adapters/common/owner.h"
#include "adapters/stores/sql/audit.h"
#include "adapters/stores/sql/held.h"

namespace outbox::sql {
namespace {

constexpr const char* acquire = "acquire";

const Statement load = {
    "outbox_mark_load", 1,
    "SELECT shard, shards, owner, epoch, beat, {position}, paused, held_version, replays, replayed_to FROM "
    "{mark} WHERE route = $1 ORDER BY shard"};
const Statement lock_all = {"outbox_mark_lock_all", 0,
                            "SELECT shard FROM {mark} ORDER BY route, shard{lock}"};
const Statement lock = {"outbox_mark_lock", 1,
                        "SELECT shard FROM {mark} WHERE route = $1 ORDER BY shard{lock}"};
// all shards at once: they begin at one place
const Statement make = {
    "outbox_mark_make", 11,
    "INSERT INTO {mark} (route, shard, shards, epoch, paused, held_version, topics, replays, replayed_to, "
    "{position_names}) SELECT $1, {r.shard}, $2::integer, $3::bigint, $4::boolean, $5::bigint, $6::text[], "
    "$7::integer, $8::bigint, {position_values $9 $10 $11} FROM {rows} WHERE true ON CONFLICT (route, shard) "
    "DO NOTHING",
    "shard integer"};
const Statement forget = {"outbox_mark_forget", 1, "DELETE FROM {mark} WHERE route = $1"};
const Statement put = {"outbox_mark_put", 5,
                       "UPDATE {mark} SET {move $3 $4 $5}, held_version = held_version + 1 WHERE route = "
                       "$1 AND shard = $2::integer"};
const Statement forget_passed = {"outbox_progress_forget", 0, "DELETE FROM {progress}"};
const Statement take = {"outbox_mark_take", 4,
                        "UPDATE {mark} SET owner = $3, epoch = epoch + 1, beat = beat + 1, "
                        "retention_milliseconds = $4::bigint WHERE route = $1 AND shard = $2::integer"};
const Statement take_from = {"outbox_mark_take_from", 4,
                             "UPDATE {mark} SET owner = '', epoch = epoch + 1, beat = beat + 1 WHERE "
                             "route = $1 AND owner = $2 AND epoch = $3::bigint AND beat = $4::bigint"};
const Statement known_topics = {"outbox_mark_known_topics", 2,
                                "SELECT count(*) FROM {mark} WHERE route = $1 AND topics = $2"};
const Statement set_topics = {"outbox_mark_topics", 2,
                              "UPDATE {mark} SET topics = $2 WHERE route = $1 AND topics <> $2"};
const Statement move_held_version = {"outbox_mark_held_version", 1,
                                     "UPDATE {mark} SET held_version = held_version + 1 WHERE route = $1"};

// Every write of a holder changes nothing under another epoch, or once the lease was given back.
const std::string if_still_ours =
    ", beat = beat + 1 WHERE route = $1 AND shard = $2::integer AND epoch = $3::bigint AND owner <> ''";
const Statement renew_lease = {"outbox_mark_renew", 3, "UPDATE {mark} SET owner = owner" + if_still_ours};
const Statement release_lease = {"outbox_mark_release", 3, "UPDATE {mark} SET owner = ''" + if_still_ours};
const Statement save = {"outbox_mark_settle", 6, "UPDATE {mark} SET {move $4 $5 $6}" + if_still_ours};

bool may_take(const LeaseHolder& holder, const LeaseRequest& request) {
  return holder.owner == request.owner || request.expired == holder || !may_live(holder.owner);
}

bool fit(const std::vector<MarkRow>& marks, const LeaseRequest& request) {
  return std::ssize(marks) == request.shards &&
         std::ranges::all_of(marks, [&](const MarkRow& row) { return row.shards == request.shards; });
}

/// The marks of one route while one of its leases is taken, in one transaction.
class Taking {
 public:
  /// `seen`: a look at the marks before.
  Taking(Session& session, Log& log, const LeaseRequest& request, const std::vector<MarkRow>& seen)
      : session_(session),
        log_(log),
        request_(request),
        patterns_(session.dialect().patterns(request.topics)),
        marks_(seen) {}

  Result<Acquired> run() {
    if (auto told = find_new_topics(); !told) return told.error();
    if (takes_anew_)
      if (auto locked = lock_all_marks(session_, acquire); !locked) return locked.error();
    if (auto loaded = reload(); !loaded) return loaded.error();
    if (marks_.empty())
      if (auto made = make_first(); !made) return made.error();
    if (!fit(marks_, request_)) {
      if (const auto other = holder_of_any()) {
        if (auto freed = free_expired(); !freed) return freed.error();
        return Acquired(*other);
      }
      for (MarkRow& row : marks_)
        if (auto checked = check(row); !checked) return checked.error();
      if (auto made = make_anew(); !made) return made.error();
    }
    MarkRow& mine = marks_[static_cast<std::size_t>(request_.shard)];
    if (!may_take(mine.holder, request_)) return Acquired(mine.holder);
    if (auto checked = check(mine); !checked) return checked.error();
    if (auto begun = begin(); !begun) return begun.error();
    if (auto taken = take_topics(); !taken) return taken.error();
    return grant(mine);
  }

 private:
  Result<void> reload() {
    auto rows = lock_marks(session_, acquire, request_.route);
    if (!rows) return rows.error();
    marks_ = std::move(*rows);
    return {};
  }

  Result<void> make_first() {
    auto beginning = log_.beginning(request_.start);
    if (!beginning) return beginning.error();
    if (auto made = make_marks({}, *beginning); !made) return made;
    return reload();  // another relay may have been faster
  }

  Result<void> make_marks(const MarkRow& like, const Position& position) {
    ValueRows rows;
    for (int shard = 0; shard < request_.shards; ++shard) rows.add({shard});
    auto made = session_.run(acquire, {&make,
                                       {request_.route, request_.shards, like.holder.epoch, like.paused,
                                        like.held_version, patterns_, like.replays.number, like.replays.up_to,
                                        position.mark.cursor, position.mark.seq, position.stamp},
                                       &rows});
    if (!made) return made.error();
    return marks_put_back(session_, acquire);
  }

  /// Marks that a database was not saved for, or an older state of it, lie: repeats rather than loss. What is
  /// held goes too: it is read again, and its numbers may be other rows' now.
  Result<void> check(MarkRow& row) {
    if (!row.position) return {};
    auto loss = log_.loss_behind(request_.route, *row.position);
    if (!loss) return loss.error();
    if (!*loss) return {};
    auto oldest = log_.beginning(Start::oldest);
    if (!oldest) return oldest.error();
    row.position = *oldest;
    reset_ = **loss;
    if (auto done = put_mark(row); !done) return done;
    if (auto gone = forget_held(session_, request_.route, row.shard); !gone) return gone;
    return audit(session_, "outboxd", "mark_reset", request_.route,
                 Details().add("shard", row.shard).add("reason", **loss + "; starting at its oldest row"));
  }

  Result<void> put_mark(const MarkRow& row) {
    const Position& position = *row.position;
    auto done = session_.run(
        acquire,
        {&put, {request_.route, row.shard, position.mark.cursor, position.mark.seq, position.stamp}});
    if (!done) return done.error();
    if (auto forgotten = marks_put_back(session_, acquire); !forgotten) return forgotten;
    return {};
  }

  [[nodiscard]] std::optional<LeaseHolder> holder_of_any() const {
    for (const MarkRow& row : marks_)
      if (!may_take(row.holder, request_)) return row.holder;
    return std::nullopt;
  }

  /// An observer knows the signs of life of one holder at a time. Unless what it has seen expire is taken
  /// away here, two dead holders would take turns to be in its way.
  Result<void> free_expired() {
    if (!request_.expired) return {};
    const LeaseHolder& expired = *request_.expired;
    auto done =
        session_.run(acquire, {&take_from, {request_.route, expired.owner, expired.epoch, expired.beat}});
    if (!done) return done.error();
    return {};
  }

  /// For another number of shards: each begins at the earliest of the old marks, and fences who had one. Rows
  /// that the new marks have not passed come again through the log: what is held of them would be held twice.
  Result<void> make_anew() {
    MarkRow like;
    std::vector<Position> positions;
    for (const MarkRow& row : marks_) {
      like.holder.epoch = std::max(like.holder.epoch, row.holder.epoch);
      like.held_version = std::max(like.held_version, row.held_version);
      like.paused |= row.paused;
      like.replays = row.replays;  // of the route, the same in each
      if (row.position) positions.push_back(*row.position);
    }
    ++like.holder.epoch;
    ++like.held_version;
    // One that has not begun has passed nothing.
    auto first = positions.size() == marks_.size() ? Result<Position>(log_.earliest(positions))
                                                   : log_.beginning(request_.start);
    if (!first) return first.error();
    if (auto gone = session_.run(acquire, {&forget, {request_.route}}); !gone) return gone.error();
    if (auto made = make_marks(like, *first); !made) return made;
    if (auto gone = forget_unread(session_, log_, request_.route, *first); !gone) return gone;
    if (auto moved = share_out_held(session_, request_.route, request_.shards); !moved) return moved;
    return reload();
  }

  /// All shards that have not begun do so together: rows that come between are nobody's else.
  Result<void> begin() {
    if (std::ranges::all_of(marks_, [](const MarkRow& row) { return row.position.has_value(); })) return {};
    auto beginning = log_.beginning(request_.start);
    if (!beginning) return beginning.error();
    for (MarkRow& row : marks_) {
      if (row.position) continue;
      row.position = *beginning;
      if (auto done = put_mark(row); !done) return done;
    }
    return {};
  }

  Result<void> find_new_topics() {
    const auto has_begun = [](const MarkRow& row) { return row.position.has_value(); };
    std::int64_t known = 0;
    auto done = session_.run(acquire, {&known_topics, {request_.route, patterns_}}, [&](const Row& row) {
      known = row.number(0);
      return false;
    });
    if (!done) return done.error();
    takes_anew_ = marks_.empty() || !std::ranges::all_of(marks_, has_begun) || known != std::ssize(marks_);
    return {};
  }

  /// Whoever passes a row that no route takes notes it, by the marks of that moment. With all of them locked
  /// that is before this route takes it or afterwards: what is noted now is all there is.
  Result<void> take_topics() {
    auto set = session_.run(acquire, {&set_topics, {request_.route, patterns_}});
    if (!set) return set.error();
    if (takes_anew_) return forget_unread_notes(session_, log_, request_.route, patterns_);
    if (*set == 0) return {};
    return session_.error(Fault::unavailable, acquire,
                          "another relay has changed what route " + request_.route + " takes at this moment");
  }

  Result<Acquired> grant(const MarkRow& row) {
    const auto kept = std::chrono::ceil<std::chrono::milliseconds>(request_.retention).count();
    auto taken = session_.run(acquire, {&take, {request_.route, row.shard, request_.owner, kept}});
    if (!taken) return taken.error();
    return Acquired(Granted{{request_.route, row.shard, row.holder.epoch + 1},
                            row.position->mark,
                            row.paused,
                            row.replays,
                            reset_});
  }

  Session& session_;
  Log& log_;
  const LeaseRequest& request_;
  const std::string patterns_;
  std::vector<MarkRow> marks_;
  bool takes_anew_ = false;  // the route begins, or its topics are others than until now
  std::string reset_;
};

Error fenced(const Session& session, const char* what, const Lease& lease) {
  return session.error(
      Fault::fenced, what,
      "another relay holds the lease of route " + lease.route + ", shard " + std::to_string(lease.shard));
}

Result<void> fenced_run(Session& session, const char* what, const Statement& statement, const Lease& lease) {
  auto changed = session.run(what, {&statement, {lease.route, lease.shard, lease.epoch}});
  if (!changed) return changed.error();
  if (*changed == 0) return fenced(session, what, lease);
  return {};
}

}  // namespace

Result<std::vector<MarkRow>> load_marks(Session& session, const char* what, const std::string& route) {
  std::vector<MarkRow> marks;
  auto done = session.run(what, {&load, {route}}, [&](const Row& row) {
    MarkRow& mark = marks.emplace_back();
    mark.shard = static_cast<int>(row.number(0));
    mark.shards = static_cast<int>(row.number(1));
    mark.holder = {row.string(2), row.number(3), row.number(4)};
    if (!row.null(6)) mark.position = Position{{row.string(5), row.number(6)}, row.optional(7)};
    mark.paused = row.boolean(8);
    mark.held_version = row.number(9);
    mark.replays = {static_cast<int>(row.number(10)), row.number(11)};
    return true;
  });
  if (!done) return done.error();
  return marks;
}

Result<std::vector<MarkRow>> lock_marks(Session& session, const char* what, const std::string& route) {
  if (auto locked = session.run(what, {&lock, {route}}); !locked) return locked.error();
  return load_marks(session, what, route);
}

Result<void> lock_all_marks(Session& session, const char* what) {
  if (auto locked = session.run(what, {&lock_all, {}}); !locked) return locked.error();
  return {};
}

Result<void> held_changed(Session& session, const char* what, const std::string& route) {
  auto done = session.run(what, {&move_held_version, {route}});
  if (!done) return done.error();
  return {};
}

Result<void> marks_put_back(Session& session, const char* what) {
  auto done = session.run(what, {&forget_passed, {}});
  if (!done) return done.error();
  return {};
}

Result<Acquired> take_lease(Session& session, Log& log, const LeaseRequest& request) {
  assert(request.shard >= 0 && request.shard < request.shards);
  // A look first: whoever stands by locks nobody out.
  auto seen = load_marks(session, acquire, request.route);
  if (!seen) return seen.error();
  for (const MarkRow& row : *seen)
    if (row.position)
      if (auto loss = log.loss_behind(request.route, *row.position); !loss) return loss.error();
  if (fit(*seen, request)) {
    const LeaseHolder& holder = (*seen)[static_cast<std::size_t>(request.shard)].holder;
    if (!may_take(holder, request)) return Acquired(holder);
  }
  auto transaction = Transaction::begin(session, acquire);
  if (!transaction) return transaction.error();
  auto acquired = Taking(session, log, request, *seen).run();
  if (!acquired) return acquired;
  if (auto committed = transaction->commit(); !committed) return committed.error();
  return acquired;
}

Result<void> renew(Session& session, const Lease& lease) {
  return fenced_run(session, "renew", renew_lease, lease);
}

Result<void> release(Session& session, const Lease& lease) {
  return fenced_run(session, "release", release_lease, lease);
}

Result<Settled> settle(Session& session, const Lease& lease, const Position& position,
                       const HeldWrites& held) {
  const Call moved = {
      &save,
      {lease.route, lease.shard, lease.epoch, position.mark.cursor, position.mark.seq, position.stamp}};
  Settled settled;
  if (held.empty()) {
    auto changed = session.run("settle", moved);
    if (!changed) return changed.error();
    if (*changed == 0) return fenced(session, "settle", lease);
    return settled;
  }
  // The mark first: its row is then ours until the end, and nobody else changes what is held of the route.
  const SettleCalls writes(lease, held);
  std::vector<Call> calls = {moved};
  calls.insert(calls.end(), writes.calls().begin(), writes.calls().end());
  auto written = session.run_together("settle", calls, [&](const Row& freed) {
    settled.freed.push_back(freed.string(0));
    return true;
  });
  if (!written) return written.error();
  if (!*written) return fenced(session, "settle", lease);
  return settled;
}

}  // namespace outbox::sql
