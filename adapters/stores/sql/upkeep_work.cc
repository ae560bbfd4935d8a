// SqlAdmin: what a relay process asks of its database once a second, and keeps up.
#include <algorithm>
#include <chrono>
#include <utility>

#include "adapters/stores/sql/audit.h"
#include "adapters/stores/sql/held.h"
#include "adapters/stores/sql/sql_admin.h"
#include "base/text.h"
#include "core/shard.h"

namespace outbox::sql {
namespace {

constexpr std::int64_t adopted_rows_max = 10'000;  // in one transaction, in which the route settles nothing
constexpr int passed_notes = 8;                    // within the time for which sent rows are kept
constexpr std::int64_t forgotten_after = std::int64_t{24} * 3600 * 1'000'000;  // microseconds

const Statement all_marks = {"outbox_mark_all", 0,
                             "SELECT route, shard, owner, epoch, paused, held_version, beat, topics::text, "
                             "retention_milliseconds FROM {mark} ORDER BY route, shard"};
// A service may date a row in the future; it waits since it was held, at least.
const Statement held_by_state = {
    "outbox_held_by_state", 1,
    "SELECT s.state, s.rows, {age f.held_at}, {age o.created_at} FROM (SELECT state, count(*) AS rows, "
    "min(seq) AS seq FROM {held} h {by outbox_held_state} WHERE route = $1 GROUP BY state) s JOIN {held} f "
    "ON "
    "f.route = $1 AND f.seq = s.seq LEFT JOIN {outbox} o ON o.seq = s.seq"};
const Statement waiting_keys = {
    "outbox_held_waiting", 2,
    "SELECT " + begin_of("f.message_key") +
        ", f.seq, {id o}, f.state, f.attempts, f.last_error, {age "
        "f.held_at}, f.waiting FROM "
        "(SELECT h.message_key, h.seq, h.state, h.attempts, h.last_error, h.held_at, k.waiting FROM (SELECT "
        "message_key, min(seq) AS seq, count(*) AS waiting FROM {held} b {by outbox_held_queue} WHERE route "
        "= $1 "
        "AND {blocks b} AND message_key IS NOT NULL GROUP BY message_key) k JOIN {held} h ON h.route = $1 "
        "AND "
        "h.seq = k.seq ORDER BY h.held_at, h.seq LIMIT $2::bigint) f LEFT JOIN {outbox} o ON o.seq = f.seq "
        "ORDER "
        "BY f.held_at, f.seq"};
const Statement topics_waiting = {
    "outbox_held_topics", 2,
    "SELECT t.topic, f.last_error, {age f.held_at}, t.waiting FROM (SELECT topic, min(seq) AS seq, count(*) "
    "AS waiting FROM {held} h {by outbox_held_topic} WHERE route = $1 AND topic IS NOT NULL AND state = "
    "'retrying' GROUP BY topic ORDER BY 3 DESC, 2 LIMIT $2::bigint) t JOIN {held} f ON f.route = $1 AND "
    "f.seq = t.seq ORDER BY t.waiting DESC, t.seq"};

// those that stop a key stay
const Statement old_dead = {
    "outbox_held_old_dead", 2,
    "SELECT route, seq FROM {held} h {by outbox_held_dead} WHERE state = 'dead' AND NOT ({blocks h} AND "
    "message_key IS NOT NULL) AND coalesce(last_failed_at, held_at) <= {ago $1::bigint} LIMIT $2::bigint"};
const Statement forget_dead = {"outbox_held_forget_dead", 1,
                               "DELETE FROM {held} WHERE {listed {r.seq} {rows}} AND state = 'dead'",
                               "seq bigint"};

const Statement topics_unrouted = {
    "outbox_unrouted_topics", 0,
    "SELECT DISTINCT topic FROM {held} WHERE state = 'unrouted' AND topic IS NOT NULL ORDER BY 1"};
const Statement rows_unrouted = {
    "outbox_unrouted_rows", 2,
    "SELECT seq, message_key FROM {held} WHERE state = 'unrouted' AND {takes $1 topic} ORDER BY seq LIMIT "
    "$2::bigint"};
const Statement holders_unrouted = {
    "outbox_unrouted_holders", 0,
    "SELECT DISTINCT route FROM {held} h {by outbox_held_state} WHERE state = 'unrouted'"};
// what the mark of its shard has passed; nobody would come across it again. What the route holds already is
// left as it is.
const Statement take_over = {
    "outbox_unrouted_take", 1,
    "INSERT INTO {held} (route, seq, shard, message_key, state, blocks, next_attempt_at{timed_name}) SELECT "
    "$1, {r.seq}, {r.shard}, {r.message_key}, CASE WHEN {later o.deliver_at} > {now} THEN 'scheduled' WHEN "
    "{r.message_key} IS NOT NULL THEN 'blocked' ELSE 'retrying' END, NOT ({later o.deliver_at} > {now}), "
    "{later o.deliver_at}{timed_value} FROM {rows} JOIN {mark} k ON k.route = $1 AND k.shard = {r.shard} "
    "JOIN "
    "{outbox} o ON o.seq = {r.seq} WHERE {passed k o} ON CONFLICT (route, seq) DO NOTHING",
    "seq bigint, message_key text, shard integer"};

// What every mark had passed, and how long ago that was seen; negative: by a clock that was put back since.
const Statement all_passed = {"outbox_progress_all", 0,
                              "SELECT -{until at}, place, seq FROM {progress} ORDER BY at"};
const Statement note_passed = {
    "outbox_progress_note", 2,
    "INSERT INTO {progress} (place, seq) VALUES ($1, $2::bigint) ON CONFLICT (at) DO NOTHING"};
// all but the newest that is as old as that, and what is younger
const Statement forget_passed = {
    "outbox_progress_forget_old", 1,
    "DELETE FROM {progress} WHERE at < (SELECT max(p.at) FROM {progress} p WHERE p.at <= "
    "{ago $1::bigint}) OR at > {now}"};
const Statement oldest_row = {
    "outbox_oldest_row", 0,
    "SELECT {age o.created_at} FROM {outbox} o WHERE NOT EXISTS (SELECT 1 FROM {mark} k JOIN {held} h "
    "ON h.route = k.route AND h.seq = o.seq) ORDER BY o.seq LIMIT 1"};

const Statement beat = {"outbox_relay_beat", 1,
                        "INSERT INTO {relay} AS m (owner, beat, seen_at) VALUES ($1, 1, {now}) ON CONFLICT "
                        "(owner) DO UPDATE SET beat = m.beat + 1, seen_at = excluded.seen_at"};
const Statement forget_members = {"outbox_relay_forget", 1,
                                  "DELETE FROM {relay} WHERE seen_at < {ago $1::bigint}"};
const Statement members_now = {"outbox_relay_all", 0,
                               "SELECT owner, beat, {age seen_at} FROM {relay} ORDER BY owner"};
const Statement leave_now = {"outbox_relay_leave", 1, "DELETE FROM {relay} WHERE owner = $1"};

/// Dead letters that nobody has decided about in time: how many.
Result<std::size_t> remove_dead(Session& session, const Retention& retention) {
  auto transaction = Transaction::begin(session, "retention");
  if (!transaction) return transaction.error();
  std::map<std::string, ValueRows> by_route;
  std::size_t found = 0;
  const auto age = std::chrono::duration_cast<std::chrono::microseconds>(*retention.dead).count();
  auto done = session.run("retention", {&old_dead, {age, retention.rows_max}}, [&](const Row& row) {
    by_route[row.string(0)].add({row.number(1)});
    ++found;
    return true;
  });
  if (!done) return done.error();
  for (const auto& [route, rows] : by_route) {
    done = session.run("retention", {&forget_dead, {route}, &rows});
    if (!done) return done.error();
    if (auto noted = held_changed(session, "retention", route); !noted) return noted.error();
  }
  if (found == 0) return found;  // rolled back: nothing was changed
  if (auto committed = transaction->commit(); !committed) return committed.error();
  return found;
}

struct Passed {
  Position position;
  Duration age{};
};

/// The oldest first.
Result<std::vector<Passed>> passed_so_far(Session& session) {
  std::vector<Passed> all;
  auto done = session.run("retention", {&all_passed, {}}, [&](const Row& row) {
    all.push_back({{{row.string(1), row.number(2)}, {}}, std::chrono::microseconds(row.number(0))});
    return true;
  });
  if (!done) return done.error();
  return all;
}

/// Writes down what every mark has passed by now. Nobody puts a mark back meanwhile, and the time is that
/// after the look.
Result<void> note_what_is_passed(const Books& books, Duration kept) {
  Session& session = *books.session;
  auto transaction = Transaction::begin(session, "retention");
  if (!transaction) return transaction.error();
  if (auto locked = lock_all_marks(session, "retention"); !locked) return locked.error();
  auto now = books.log->passed_by_all();
  if (!now) return now.error();
  if (!*now) return {};
  const auto age = std::chrono::duration_cast<std::chrono::microseconds>(kept).count();
  auto done = session.run("retention", {&forget_passed, {age}});
  if (!done) return done.error();
  done = session.run("retention", {&note_passed, {(*now)->mark.cursor, (*now)->mark.seq}});
  if (!done) return done.error();
  return transaction->commit();
}

/// What every mark has passed at least so long ago; nullopt: nothing.
Result<std::optional<Position>> passed_for(const Books& books, Duration kept) {
  if (kept <= Duration::zero()) return books.log->passed_by_all();
  auto all = passed_so_far(*books.session);
  if (!all) return all.error();
  const bool is_of_the_future = !all->empty() && all->back().age < Duration::zero();
  if (all->empty() || is_of_the_future || all->back().age >= kept / passed_notes) {
    auto now = books.log->passed_by_all();
    if (!now) return now.error();
    const bool is_new = *now && (all->empty() || all->back().position.mark != (*now)->mark);
    if (is_new || is_of_the_future) {
      if (auto noted = note_what_is_passed(books, kept); !noted) return noted.error();
      all = passed_so_far(*books.session);
      if (!all) return all.error();
    }
  }
  std::optional<Position> passed;
  for (const Passed& one : *all)
    if (one.age >= kept) passed = one.position;
  return passed;
}

/// One transaction of at most adopted_rows_max rows: how many.
Result<std::int64_t> adopt_some(Session& session, const std::string& route, const std::string& patterns) {
  auto transaction = Transaction::begin(session, "adopt");
  if (!transaction) return transaction.error();
  if (auto locked = lock_all_marks(session, "adopt"); !locked) return locked.error();  // holders may be any
  auto marks = load_marks(session, "adopt", route);
  if (!marks) return marks.error();
  const bool begun = !marks->empty() && std::ranges::all_of(*marks, [](const MarkRow& mark) {
    return mark.position.has_value();
  });
  if (!begun) return 0;
  ValueRows rows, seqs;
  KeySet keys;
  auto done = session.run("adopt", {&rows_unrouted, {patterns, adopted_rows_max}}, [&](const Row& row) {
    const std::int64_t seq = row.number(0);
    const std::optional<std::string> key = row.optional(1);
    const int shard = shard_of(key, seq, static_cast<int>(marks->size()));
    rows.add({seq, key ? Value(rows.keep(*key)) : Value(), shard});
    seqs.add({seq});
    if (key) keys.insert(*key);
    return true;
  });
  if (!done) return done.error();
  if (rows.empty()) return 0;
  std::vector<std::string> holders = {route};
  done = session.run("adopt", {&holders_unrouted, {}}, [&](const Row& row) {
    if (row.text(0) != route) holders.push_back(row.string(0));
    return true;
  });
  if (!done) return done.error();
  if (auto gone = forget_notes(session, "adopt", seqs); !gone) return gone.error();
  if (done = session.run("adopt", {&take_over, {route}, &rows}); !done) return done.error();
  if (auto ordered = order_keys(session, "adopt", route, keys); !ordered) return ordered.error();
  for (const std::string& holder : holders)
    if (auto noted = held_changed(session, "adopt", holder); !noted) return noted.error();
  const auto count = static_cast<std::int64_t>(rows.count());
  if (auto noted = audit(session, "outboxd", "adopt", route, Details().add("rows", count)); !noted)
    return noted.error();
  if (auto committed = transaction->commit(); !committed) return committed.error();
  return count;
}

}  // namespace

Result<std::vector<RouteShard>> SqlAdmin::routes() {
  return with_books([&](const Books& books) -> Result<std::vector<RouteShard>> {
    std::vector<RouteShard> routes;
    auto done = books.session->run("routes", {&all_marks, {}}, [&](const Row& row) {
      routes.push_back({row.string(0), static_cast<int>(row.number(1)), row.string(2), row.number(3),
                        row.boolean(4), row.number(5), row.number(6), row.string(7),
                        std::chrono::milliseconds(row.number(8))});
      return true;
    });
    if (!done) return done.error();
    return routes;
  });
}

Result<Backlog> SqlAdmin::backlog(const std::string& route) {
  return with_books([&](const Books& books) { return books.log->backlog(route); });
}

Result<std::map<HeldState, HeldCount>> SqlAdmin::held_counts(const std::string& route) {
  return with_books([&](const Books& books) -> Result<std::map<HeldState, HeldCount>> {
    std::map<HeldState, HeldCount> counts;
    auto done = books.session->run("held", {&held_by_state, {route}}, [&](const Row& row) {
      counts[held_state(row.text(0))] = {row.number(1),
                                         std::chrono::microseconds(std::max(row.number(2), row.number(3)))};
      return true;
    });
    if (!done) return done.error();
    return counts;
  });
}

Result<std::vector<BlockedKey>> SqlAdmin::blocked_keys(const std::string& route, std::size_t keys_max) {
  return with_books([&](const Books& books) -> Result<std::vector<BlockedKey>> {
    std::vector<BlockedKey> keys;
    auto done = books.session->run("held", {&waiting_keys, {route, keys_max}}, [&](const Row& row) {
      keys.push_back({cut(row.text(0)), row.number(1), row.string(2), held_state(row.text(3)),
                      static_cast<int>(row.number(4)), row.string(5),
                      std::chrono::microseconds(row.number(6)), row.number(7)});
      return true;
    });
    if (!done) return done.error();
    return keys;
  });
}

Result<std::vector<WaitingTopic>> SqlAdmin::waiting_topics(const std::string& route, std::size_t topics_max) {
  return with_books([&](const Books& books) -> Result<std::vector<WaitingTopic>> {
    std::vector<WaitingTopic> topics;
    auto done = books.session->run("held", {&topics_waiting, {route, topics_max}}, [&](const Row& row) {
      topics.push_back(
          {row.string(0), row.string(1), std::chrono::microseconds(row.number(2)), row.number(3)});
      return true;
    });
    if (!done) return done.error();
    return topics;
  });
}

Result<Removed> SqlAdmin::remove_sent(const Retention& retention) {
  return with_books([&](const Books& books) -> Result<Removed> {
    if (removed_up_to_ == 0 && retention.dead) {
      auto forgotten = remove_dead(*books.session, retention);
      if (!forgotten) return forgotten.error();
      // the same once more, before the rows themselves
      if (*forgotten >= std::max<std::size_t>(retention.rows_max, 1)) return Removed{0, true};
    }
    auto passed = passed_for(books, retention.sent);
    if (!passed) return passed.error();
    if (*passed) return books.log->remove_passed(**passed, retention.rows_max, removed_up_to_);
    removed_up_to_ = 0;
    return Removed{};
  });
}

Result<Duration> SqlAdmin::oldest_row_age() {
  return with_books([&](const Books& books) -> Result<Duration> {
    Duration age{};
    auto done = books.session->run("retention", {&oldest_row, {}}, [&](const Row& row) {
      age = std::chrono::microseconds(row.number(0));
      return false;
    });
    if (!done) return done.error();
    return age;
  });
}

Result<std::vector<std::string>> SqlAdmin::unrouted_topics() {
  return with_books([&](const Books& books) -> Result<std::vector<std::string>> {
    std::vector<std::string> topics;
    auto done = books.session->run("unrouted", {&topics_unrouted, {}}, [&](const Row& row) {
      topics.push_back(row.string(0));
      return true;
    });
    if (!done) return done.error();
    return topics;
  });
}

Result<std::int64_t> SqlAdmin::adopt(const std::string& route, const std::vector<std::string>& topics) {
  return with_books([&](const Books& books) -> Result<std::int64_t> {
    const std::string patterns = books.session->dialect().patterns(topics);
    for (std::int64_t adopted = 0;;) {
      auto some = adopt_some(*books.session, route, patterns);
      if (!some) return some;
      if (*some == 0) return adopted;
      adopted += *some;
    }
  });
}

Result<std::vector<RelayMember>> SqlAdmin::join(const std::string& owner) {
  return with_books(
      [&](const Books& books) -> Result<std::vector<RelayMember>> {
        Session& session = *books.session;
        auto transaction = Transaction::begin(session, "join");
        if (!transaction) return transaction.error();
        if (auto done = session.run("join", {&beat, {owner}}); !done) return done.error();
        if (auto done = session.run("join", {&forget_members, {forgotten_after}}); !done) return done.error();
        std::vector<RelayMember> members;
        auto done = session.run("join", {&members_now, {}}, [&](const Row& row) {
          members.push_back({row.string(0), row.number(1), std::chrono::microseconds(row.number(2))});
          return true;
        });
        if (!done) return done.error();
        if (auto committed = transaction->commit(); !committed) return committed.error();
        return members;
      },
      true);
}

Result<void> SqlAdmin::leave(const std::string& owner) {
  return with_books([&](const Books& books) -> Result<void> {
    auto done = books.session->run("leave", {&leave_now, {owner}});
    if (!done) return done.error();
    return {};
  });
}

}  // namespace outbox::sql
