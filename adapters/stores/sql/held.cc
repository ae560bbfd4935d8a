#include "adapters/stores/sql/held.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <limits>
#include <utility>

#include "base/text.h"
#include "core/shard.h"

namespace outbox::sql {
namespace {

// A reason is for people, and brokers may send anything.
constexpr std::size_t reason_characters_max = 2000;
constexpr std::int64_t page_rows = 10'000;

/// The first row that blocks a key. LIMIT makes it a look into the index per row, however large the table is
/// thought to be.
std::string head(const std::string& condition = "", const std::string& column = "q.seq",
                 const std::string& key = "{r.message_key}") {
  return "(SELECT " + column +
         " FROM {held} q {by outbox_held_queue} WHERE q.route = $1 AND {blocks q} AND {key_is q " + key +
         "}" + condition + " ORDER BY q.seq LIMIT 1)";
}

/// Whoever is at the head has a time; but who was requeued or adopted meanwhile may be in front of it.
std::string hold_text(const std::string& condition) {
  return "INSERT INTO {held} AS h (route, seq, shard, message_key, state, blocks, attempts, next_attempt_at, "
         "last_error, topic, first_failed_at, last_failed_at{timed_name}) SELECT $1, w.seq, $2::integer, "
         "w.message_key, CASE WHEN w.behind THEN 'blocked' ELSE w.state END, w.blocks, w.attempts, CASE WHEN "
         "w.behind THEN NULL WHEN w.state IN ('retrying', 'scheduled') THEN {in "
         "coalesce(w.due,0)} ELSE {in w.due} END, w.last_error, w.topic, CASE WHEN w.failed THEN {now} END, "
         "CASE WHEN "
         "w.failed THEN {now} END{timed_value} FROM (SELECT {r.seq} AS seq, {r.message_key} AS message_key, "
         "{r.state} AS state, {r.blocks} AS blocks, {r.attempts} AS attempts, {r.due} AS due, {r.last_error} "
         "AS last_error, {r.topic} AS topic, {r.attempts} > 0 OR {r.state} = 'dead' AS failed, {r.state} = "
         "'retrying' AND {r.blocks} AND {r.message_key} IS NOT NULL AND " +
         head(" AND q.seq < {r.seq}") + " IS NOT NULL AS behind FROM {rows} WHERE {ours}" + condition +
         ") w WHERE true ON CONFLICT (route, seq) DO UPDATE SET shard = excluded.shard, message_key = "
         "excluded.message_key, state = excluded.state, blocks = excluded.blocks, attempts = "
         "excluded.attempts, next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error, "
         "topic = excluded.topic, "
         "first_failed_at = coalesce(h.first_failed_at, excluded.first_failed_at), last_failed_at = "
         "coalesce(excluded.last_failed_at, h.last_failed_at){timed_set}";
}

const std::string promote_text =
    "UPDATE {held} SET state = 'retrying', next_attempt_at = {now}{timed_set} WHERE {found SELECT " +
    head("", "{place q}") + " FROM {rows}} AND state = 'blocked'";

const std::string written_columns =
    "seq bigint, message_key text, state text, blocks boolean, attempts integer, due bigint, last_error "
    "text, "
    "topic text";

const Statement hold_rows = {"outbox_held_hold", 3, hold_text(""), written_columns};
// what another route takes it comes across by itself; each row is noted once, by whoever passes it first
const Statement note_rows = {
    "outbox_held_note", 3,
    "INSERT INTO {held} (route, seq, shard, message_key, state, blocks, topic) SELECT $1, {r.seq}, "
    "$2::integer, {r.message_key}, 'unrouted', false, {r.topic} FROM {rows} WHERE {ours} AND NOT EXISTS "
    "(SELECT 1 FROM {mark} k WHERE k.route <> $1 AND {takes k.topics {r.topic}}) ON CONFLICT DO NOTHING",
    "seq bigint, message_key text, topic text"};
// what an operator has removed meanwhile stays removed
const Statement change_rows = {
    "outbox_held_change", 3,
    hold_text(" AND (SELECT q.seq FROM {held} q WHERE q.route = $1 AND q.seq = {r.seq} LIMIT 1) IS NOT NULL"),
    written_columns};
const Statement remove_rows = {"outbox_held_remove", 3,
                               "DELETE FROM {held} WHERE {listed {r.seq} {rows}} AND {ours}", "seq bigint"};
const Statement promote = {"outbox_held_promote", 3, promote_text + " AND {ours}", "message_key text"};
const std::string of_topics =
    "{hash topic} {in_rows SELECT {hash {r.topic}} FROM {rows}} AND topic {in_rows SELECT {r.topic} FROM "
    "{rows}}";
const Statement mend_topics = {
    "outbox_held_mend", 3,
    "UPDATE {held} SET next_attempt_at = {now}, topic = NULL{timed_set} WHERE route = $1 AND shard = "
    "$2::integer AND state = 'retrying' AND " +
        of_topics + " AND {ours}",
    "topic text"};
const Statement freed = {"outbox_held_freed", 3,
                         "SELECT {r.message_key} FROM {rows} WHERE {ours} AND " + head() + " IS NULL",
                         "message_key text"};
const Statement promote_keys = {"outbox_held_promote_keys", 1, promote_text, "message_key text"};
const Statement demote_keys = {
    "outbox_held_demote_keys", 1,
    "UPDATE {held} SET state = 'blocked', next_attempt_at = NULL WHERE route = $1 AND seq {in_query SELECT "
    "d.seq FROM {rows} CROSS JOIN {held} d {by "
    "outbox_held_head} "
    "WHERE d.route = $1 AND {blocks d} AND {key_is d {r.message_key}} AND d.state = 'retrying' AND d.seq "
    "> " +
        head() + "}",
    "message_key text"};
const Statement keys_with_rows = {
    "outbox_held_all_keys", 1,
    "SELECT DISTINCT message_key FROM {held} h {by outbox_held_queue} WHERE route = $1 AND {blocks h} AND "
    "message_key IS NOT NULL"};

const Statement forget_shard = {"outbox_held_forget", 2,
                                "DELETE FROM {held} WHERE route = $1 AND shard = $2::integer"};
const Statement page = {
    "outbox_held_page", 3,
    "SELECT seq, message_key, shard FROM {held} WHERE route = $1 AND seq > $2::bigint ORDER BY seq LIMIT "
    "$3::bigint"};
const Statement move_shard = {"outbox_held_move", 2,
                              "UPDATE {held} SET shard = $2::integer WHERE {listed {r.seq} {rows}}",
                              "seq bigint"};

const Statement blocked = {"outbox_held_keys", 2,
                           "SELECT DISTINCT message_key FROM {held} h {by outbox_held_queue} WHERE route = "
                           "$1 AND shard = $2::integer "
                           "AND {blocks h} AND message_key IS NOT NULL"};
const Statement count = {
    "outbox_held_count", 2,
    "SELECT count(*), count(CASE WHEN state = 'unrouted' THEN 1 END) FROM {held} WHERE route = $1 "
    "AND shard = $2::integer"};

const std::string of_heads =
    " FROM {held} h {by outbox_held_due} WHERE route = $1 AND shard = $2::integer AND state IN ('retrying', "
    "'scheduled')";
// one that left its key's order comes back to its place in it
const std::string is_next = " AND ({blocks h} OR message_key IS NULL OR " +
                            head(" AND q.seq < h.seq", "q.seq", "h.message_key") + " IS NULL)";
// column by column: seq, key, attempts, whether it is due, how long until it is, its time, whether it blocks
const Statement due_heads = {
    "outbox_held_heads", 3,
    "{timed_heads}SELECT * FROM (SELECT seq, message_key, attempts, 1 AS due, 0 AS wait, next_attempt_at, "
    "CASE WHEN {blocks h} THEN 1 ELSE 0 END AS holds" +
        of_heads + is_next +
        " AND next_attempt_at <= {now}{untimed} ORDER BY next_attempt_at LIMIT $3::bigint) d UNION ALL "
        "SELECT "
        "* FROM (SELECT seq, message_key, attempts, 0, {until next_attempt_at}, next_attempt_at, 0" +
        of_heads +
        " AND next_attempt_at > {now}{untimed} ORDER BY next_attempt_at LIMIT 1) w ORDER BY 4 DESC, 6, 1"};
// $2 at most so many behind each, $3 all together: of these the last key's may be fewer
const Statement followers = {
    "outbox_held_followers", 3,
    "SELECT {r.place}, f.seq, f.attempts, f.free FROM {rows} {each} (SELECT q.seq, q.attempts, CASE WHEN "
    "q.state = 'blocked' THEN 1 ELSE 0 END AS "
    "free FROM {held} q {by outbox_held_queue} WHERE q.route = $1 AND {blocks q} AND {key_is q "
    "{r.message_key}} AND q.seq > {r.seq} ORDER BY q.seq LIMIT $2::bigint) f LIMIT $3::bigint",
    "place bigint, message_key text, seq bigint"};

const Statement routed_elsewhere = {
    "outbox_mark_routed", 1,
    "SELECT DISTINCT p_k.value FROM {mark} k CROSS JOIN {patterns_of k} WHERE k.route <> $1"};

const std::string unread_notes =
    "SELECT h.seq, h.message_key FROM {held} h WHERE h.state = 'unrouted' AND {takes $1 h.topic} AND ";
const Statement drop_notes = {"outbox_held_drop_notes", 0,
                              "DELETE FROM {held} WHERE state = 'unrouted' AND seq {in_rows SELECT {r.seq} "
                              "FROM {rows}}",
                              "seq bigint"};

std::optional<std::int64_t> microseconds_of(const std::optional<Duration>& duration) {
  if (!duration) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::microseconds>(*duration).count();
}

ValueRows rows_of(const std::vector<Hold>& holds) {
  ValueRows rows;
  for (const Hold& hold : holds) {
    if (hold.state == HeldState::unrouted) continue;
    const bool timed = hold.state != HeldState::dead;  // one that waits for nothing has no time
    const Value error = hold.last_error.empty()
                            ? Value()
                            : Value::prose(rows.keep(storable(hold.last_error, reason_characters_max)));
    rows.add({hold.seq, hold.key, name_of(hold.state), hold.blocks, hold.attempts,
              microseconds_of(timed ? hold.due_in : std::nullopt), error,
              hold.topic.empty() ? Value() : Value(hold.topic)});
  }
  return rows;
}

ValueRows notes_of(const std::vector<Hold>& holds) {
  ValueRows rows;
  for (const Hold& hold : holds)
    if (hold.state == HeldState::unrouted) rows.add({hold.seq, hold.key, hold.topic});
  return rows;
}

ValueRows rows_of(const KeySet& keys) {
  ValueRows rows;
  for (const std::string& key : keys) rows.add({key});
  return rows;
}

Result<void> run(Session& session, const char* what, const Call& call) {
  auto done = session.run(what, call);
  if (!done) return done.error();
  return {};
}

/// Fills in who waits directly behind the heads.
class Followers {
 public:
  Followers(Session& session, const Lease& lease, std::size_t rows_max)
      : session_(session), lease_(lease), rows_max_(rows_max) {}

  /// Whole keys: one that is through takes no more rows of the log with it. With several of them none gets
  /// more than a quarter of the room, or eight times its share.
  Result<std::vector<DueRow>> behind(std::vector<DueRow> heads, std::size_t& heads_taken) {
    const std::size_t key_max = heads.size() > 1
                                    ? std::clamp<std::size_t>(8 * rows_max_ / heads.size(), 1,
                                                              std::max<std::size_t>(1, rows_max_ / 4))
                                    : rows_max_;
    auto found = look_up(heads, key_max - 1);
    if (!found) return found.error();
    std::vector<DueRow> rows;
    for (std::size_t place = 0; place < heads.size() && rows.size() < rows_max_; ++place) {
      ++heads_taken;
      rows.push_back(std::move(heads[place]));
      for (DueRow& row : (*found)[place]) {
        if (rows.size() == rows_max_) break;
        row.key = rows.back().key;
        rows.push_back(std::move(row));
      }
    }
    return rows;
  }

 private:
  Result<std::vector<std::vector<DueRow>>> look_up(const std::vector<DueRow>& heads, std::size_t each_max) {
    std::vector<std::vector<DueRow>> found(heads.size());
    ValueRows asked;
    for (std::size_t place = 0; place < heads.size(); ++place)
      if (heads[place].key) asked.add({place, heads[place].key, heads[place].seq});
    if (asked.empty() || each_max == 0) return found;
    std::vector<bool> ended(heads.size());
    auto done =
        session_.run("held", {&followers, {lease_.route, each_max, rows_max_}, &asked}, [&](const Row& row) {
          const auto place = static_cast<std::size_t>(row.number(0));
          if (row.number(3) == 0) ended[place] = true;
          if (ended[place]) return true;
          assert(found[place].empty() || found[place].back().seq < row.number(1));
          found[place].push_back({row.number(1), {}, {static_cast<int>(row.number(2))}, false});
          return true;
        });
    if (!done) return done.error();
    return found;
  }

  Session& session_;
  const Lease& lease_;
  std::size_t rows_max_;
};

}  // namespace

HeldState held_state(std::string_view name) {
  for (const HeldState state :
       {HeldState::retrying, HeldState::blocked, HeldState::scheduled, HeldState::dead, HeldState::unrouted})
    if (name == name_of(state)) return state;
  assert(!"a state that outbox_held does not allow");
  return HeldState::dead;
}

SettleCalls::SettleCalls(const Lease& lease, const HeldWrites& held)
    : holds_(rows_of(held.holds)), notes_(notes_of(held.holds)), changes_(rows_of(held.changes)) {
  KeySet touched;
  const auto touch = [&](const auto& rows) {
    for (const auto& row : rows)
      if (row.key) touched.insert(*row.key);
  };
  touch(held.holds);
  touch(held.changes);
  touch(held.removals);
  for (const HeldRow& row : held.removals) removals_.add({row.seq});
  for (const std::string& key : touched) keys_.add({keys_.keep(key)});
  for (const std::string& topic : held.mended) topics_.add({topic});
  const auto add = [&](const Statement& statement, const ValueRows& rows) {
    if (!rows.empty()) calls_.push_back({&statement, {lease.route, lease.shard, lease.epoch}, &rows});
  };
  add(hold_rows, holds_);
  add(note_rows, notes_);
  add(change_rows, changes_);
  add(remove_rows, removals_);
  add(mend_topics, topics_);
  add(promote, keys_);
  add(freed, keys_);
}

Result<void> order_keys(Session& session, const char* what, const std::string& route, const KeySet& keys) {
  const ValueRows rows = rows_of(keys);
  if (auto done = run(session, what, {&demote_keys, {route}, &rows}); !done) return done;
  return run(session, what, {&promote_keys, {route}, &rows});
}

Result<void> order_all_keys(Session& session, const char* what, const std::string& route) {
  KeySet keys;
  auto done = session.run(what, {&keys_with_rows, {route}}, [&](const Row& row) {
    keys.insert(row.string(0));
    return true;
  });
  if (!done) return done.error();
  return order_keys(session, what, route, keys);
}

Result<void> forget_held(Session& session, const std::string& route, int shard) {
  return run(session, "acquire", {&forget_shard, {route, shard}});
}

Result<void> forget_unread(Session& session, const Log& log, const std::string& route,
                           const Position& position) {
  const Value values[] = {route, position.mark.cursor, position.mark.seq};
  auto gone = session.run("acquire",
                          "DELETE FROM {held} AS h WHERE h.route = $1 AND h.state <> 'unrouted' AND " +
                              std::string(log.held_but_unread()),
                          values);
  if (!gone) return gone.error();
  if (*gone == 0) return {};
  return order_all_keys(session, "acquire", route);
}

Result<void> forget_notes(Session& session, const char* what, const ValueRows& seqs) {
  return run(session, what, {&drop_notes, {}, &seqs});
}

/// A note's own shard says nothing: its route may have another number of them.
Result<void> forget_unread_notes(Session& session, const Log& log, const std::string& route,
                                 const std::string& patterns) {
  auto marks = load_marks(session, "acquire", route);
  if (!marks) return marks.error();
  std::vector<ValueRows> pages(1);
  for (const MarkRow& mark : *marks) {
    const Value values[] = {patterns, mark.position->mark.cursor, mark.position->mark.seq};
    const std::string unread = unread_notes + std::string(log.held_but_unread());
    auto found = session.run("acquire", unread, values, [&](const Row& row) {
      const int shard = shard_of(row.optional(1), row.number(0), mark.shards);
      if (shard != mark.shard) return true;
      if (pages.back().count() == page_rows) pages.emplace_back();
      pages.back().add({row.number(0)});
      return true;
    });
    if (!found) return found.error();
  }
  for (const ValueRows& page : pages)
    if (auto gone = forget_notes(session, "acquire", page); !gone) return gone;
  return {};
}

/// The hash is ours, not the database's: every row is looked at here, page by page.
Result<void> share_out_held(Session& session, const std::string& route, int shards) {
  std::int64_t rows_read = page_rows;
  for (std::int64_t after = std::numeric_limits<std::int64_t>::min(); rows_read == page_rows;) {
    rows_read = 0;
    std::vector<ValueRows> moved(static_cast<std::size_t>(shards));
    auto done = session.run("acquire", {&page, {route, after, page_rows}}, [&](const Row& row) {
      ++rows_read;
      after = row.number(0);
      std::optional<std::string_view> key;
      if (!row.null(1)) key = row.text(1);
      const int shard = shard_of(key, after, shards);
      if (shard != row.number(2)) moved[static_cast<std::size_t>(shard)].add({after});
      return true;
    });
    if (!done) return done.error();
    for (int shard = 0; shard < shards; ++shard)
      if (auto put =
              run(session, "acquire", {&move_shard, {route, shard}, &moved[static_cast<std::size_t>(shard)]});
          !put)
        return put;
  }
  return {};
}

Result<HeldKeys> held_keys(Session& session, const Lease& lease) {
  auto reading = Transaction::begin(session, "held", false);
  if (!reading) return reading.error();
  HeldKeys result;
  auto done = session.run("held", {&blocked, {lease.route, lease.shard}}, [&](const Row& row) {
    result.blocked.push_back(row.string(0));
    return true;
  });
  if (!done) return done.error();
  done = session.run("held", {&count, {lease.route, lease.shard}}, [&](const Row& row) {
    result.rows_total = row.number(0);
    result.rows_unrouted = row.number(1);
    return true;
  });
  if (!done) return done.error();
  done = session.run("held", {&routed_elsewhere, {lease.route}}, [&](const Row& row) {
    result.routed_elsewhere.push_back(session.dialect().topic_of(row.text(0)));
    return true;
  });
  if (!done) return done.error();
  auto first = due_rows(session, lease, 1);
  if (!first) return first.error();
  result.next_due_in = first->rows.empty() ? first->next_due_in : std::optional(Duration::zero());
  if (auto ended = reading->commit(); !ended) return ended.error();
  return result;
}

Result<DueRows> due_rows(Session& session, const Lease& lease, std::size_t rows_max) {
  DueRows result;
  std::vector<DueRow> due;
  auto done =
      session.run("held", {&due_heads, {lease.route, lease.shard, rows_max + 1}}, [&](const Row& row) {
        if (row.number(3) == 0)
          result.next_due_in = std::max<Duration>(std::chrono::microseconds(row.number(4)), Duration::zero());
        else if (due.size() <= rows_max)
          due.push_back(
              {row.number(0), row.optional(1), {static_cast<int>(row.number(2)), row.number(6) != 0}, true});
        return true;
      });
  if (!done) return done.error();
  if (due.empty()) return result;
  std::vector<bool> keyed;
  for (const DueRow& head : due) keyed.push_back(head.key.has_value());
  std::size_t taken = 0;
  auto rows = Followers(session, lease, rows_max).behind(std::move(due), taken);
  if (!rows) return rows.error();
  result.rows = std::move(*rows);
  result.more = taken < keyed.size();
  result.more_keys = std::any_of(keyed.begin() + static_cast<std::ptrdiff_t>(taken), keyed.end(),
                                 [](bool has_key) { return has_key; });
  return result;
}

HeldBatchBuilder::HeldBatchBuilder(const ReadLimit& limit, const DueRows& due)
    : due_(due), builder_(limit, due.rows.size()) {}

bool HeldBatchBuilder::add(const RowView& row) {
  if (builder_.full()) return false;
  facts_.push_back(next().facts);
  builder_.add(row);
  ++added_;
  return true;
}

/// Who waits behind one that is left out is not due yet, but what is at the head of its queue is.
HeldBatch HeldBatchBuilder::take() {
  const auto left = std::span(due_.rows).subspan(added_);
  HeldBatch batch;
  batch.rows = builder_.take();
  batch.rows.more = due_.more || std::ranges::any_of(left, &DueRow::head);
  batch.facts = std::move(facts_);
  batch.more_keys = due_.more_keys || std::ranges::any_of(left, [](const DueRow& row) {
                      return row.head && row.key.has_value();
                    });
  batch.next_due_in = batch.rows.more ? std::optional(Duration::zero()) : due_.next_due_in;
  return batch;
}

}  // namespace outbox::sql
