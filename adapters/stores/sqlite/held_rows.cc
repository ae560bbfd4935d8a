#include "adapters/stores/sqlite/held_rows.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>

#include "adapters/stores/sqlite/wall_clock.h"
#include "base/text.h"

namespace outbox::sqlite {
namespace {

constexpr std::string_view what = "held";

// A reason is for people, and brokers may send anything.
constexpr std::size_t reason_characters_max = 2000;

/// When the row may be tried, as text. Who is at the head of its queue always has a time.
std::optional<std::string> due_text(const Hold& hold, Timestamp now) {
  const bool head = hold.state == HeldState::retrying || hold.state == HeldState::scheduled;
  const bool follows = hold.state == HeldState::blocked && hold.due_in;
  if (!head && !follows) return std::nullopt;
  const auto due = std::chrono::duration_cast<std::chrono::microseconds>(hold.due_in.value_or(Duration{}));
  return wall_text(now + due);
}

bool has_failed(const Hold& hold) {
  return hold.attempts > 0 || hold.state == HeldState::dead;
}

std::optional<std::string> reason_of(const Hold& hold) {
  if (hold.last_error.empty()) return std::nullopt;
  return storable(hold.last_error, reason_characters_max);
}

/// The places ?4 and beyond, which hold() and change() share.
void bind_hold(Statement& statement, const Hold& hold, const std::optional<std::string>& due,
               const std::optional<std::string>& error, std::string_view now) {
  statement.bind(4, name_of(hold.state)).bind(5, std::int64_t{hold.blocks});
  statement.bind(6, std::int64_t{hold.attempts}).bind_optional(7, due).bind(8, now).bind_optional(9, error);
  if (has_failed(hold))
    statement.bind(10, now);
  else
    statement.bind(10, nullptr);
}

std::int64_t row_limit(std::size_t rows) {
  return static_cast<std::int64_t>(std::min<std::size_t>(rows, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace

HeldState held_state_of(std::string_view name) {
  for (const HeldState state :
       {HeldState::retrying, HeldState::blocked, HeldState::scheduled, HeldState::unrouted})
    if (name_of(state) == name) return state;
  return HeldState::dead;
}

Result<void> HeldRows::run(Statement& statement) {
  const int code = statement.run();
  if (code != SQLITE_DONE) return connection_.error_of(code, what);
  return {};
}

Result<Settled> HeldRows::write(const Lease& lease, const HeldWrites& writes) {
  TouchedKeys keys;
  for (const auto* holds : {&writes.holds, &writes.changes})
    for (const Hold& hold : *holds)
      if (hold.key) keys.insert(*hold.key);
  for (const HeldRow& row : writes.removals)
    if (row.key) keys.insert(*row.key);

  const Timestamp now = wall_clock();
  if (auto done = hold(lease, writes.holds, now); !done) return done.error();
  if (auto done = change(lease, writes.changes, now); !done) return done.error();
  if (auto done = remove(lease, writes.removals); !done) return done.error();
  auto freed = order_queues(lease.route, keys);
  if (!freed) return freed.error();
  return Settled{std::move(*freed)};
}

Result<void> HeldRows::hold(const Lease& lease, const std::vector<Hold>& holds, Timestamp now) {
  if (holds.empty()) return {};
  auto statement = connection_.prepare(
      "INSERT INTO outbox_held (route, seq, shard, message_key, state, blocks, attempts, next_attempt_at, "
      "timed_at, last_error, held_at, first_failed_at, last_failed_at) "
      "VALUES (?1, ?2, ?3, ?11, ?4, ?5, ?6, ?7, ?8, ?9, ?8, ?10, ?10) "
      "ON CONFLICT (route, seq) DO UPDATE SET shard = ?3, message_key = ?11, state = ?4, blocks = ?5, "
      "attempts = ?6, next_attempt_at = ?7, timed_at = ?8, last_error = ?9, "
      "first_failed_at = coalesce(first_failed_at, ?10), last_failed_at = coalesce(?10, last_failed_at)",
      what);
  if (!statement) return statement.error();
  const std::string now_text = wall_text(now);
  for (const Hold& hold : holds) {
    const auto due = due_text(hold, now);
    const auto error = reason_of(hold);
    statement->bind(1, lease.route).bind(2, hold.seq).bind(3, std::int64_t{lease.shard});
    bind_hold(*statement, hold, due, error, now_text);
    statement->bind_optional(11, hold.key);
    if (auto done = run(*statement); !done) return done;
  }
  return {};
}

Result<void> HeldRows::change(const Lease& lease, const std::vector<Hold>& changes, Timestamp now) {
  if (changes.empty()) return {};
  auto statement = connection_.prepare(
      "UPDATE outbox_held SET state = ?4, blocks = ?5, attempts = ?6, next_attempt_at = ?7, timed_at = ?8, "
      "last_error = ?9, first_failed_at = coalesce(first_failed_at, ?10), "
      "last_failed_at = coalesce(?10, last_failed_at) WHERE route = ?1 AND seq = ?2",
      what);
  if (!statement) return statement.error();
  const std::string now_text = wall_text(now);
  for (const Hold& hold : changes) {
    const auto due = due_text(hold, now);
    const auto error = reason_of(hold);
    statement->bind(1, lease.route).bind(2, hold.seq);
    bind_hold(*statement, hold, due, error, now_text);
    if (auto done = run(*statement); !done) return done;
  }
  return {};
}

Result<void> HeldRows::remove(const Lease& lease, const std::vector<HeldRow>& rows) {
  if (rows.empty()) return {};
  auto statement = connection_.prepare("DELETE FROM outbox_held WHERE route = ?1 AND seq = ?2", what);
  if (!statement) return statement.error();
  for (const HeldRow& row : rows)
    if (auto done = run(statement->bind(1, lease.route).bind(2, row.seq)); !done) return done;
  return {};
}

Result<std::vector<std::string>> HeldRows::order_queues(const std::string& route, const TouchedKeys& keys) {
  std::vector<std::string> freed;
  if (keys.empty()) return freed;
  Statement first, wait, promote;
  if (auto done = connection_.prepare_into(
          first,
          "SELECT seq, state FROM outbox_held INDEXED BY outbox_held_queue "
          "WHERE route = ?1 AND message_key = ?2 AND blocks = 1 ORDER BY seq LIMIT 1",
          what);
      !done)
    return done.error();
  // An earlier row has come back (requeued, adopted): whoever was at the head is behind it now. INDEXED BY,
  // because a hundred thousand may wait behind them.
  if (auto done = connection_.prepare_into(
          wait,
          "UPDATE outbox_held INDEXED BY outbox_held_head SET state = 'blocked', "
          "next_attempt_at = CASE state WHEN 'scheduled' THEN next_attempt_at END "
          "WHERE route = ?1 AND message_key = ?2 AND seq > ?3 AND state IN ('retrying', 'scheduled') "
          "AND blocks = 1",
          what);
      !done)
    return done.error();
  if (auto done =
          connection_.prepare_into(promote,
                                   "UPDATE outbox_held SET state = CASE WHEN next_attempt_at > ?3 THEN "
                                   "'scheduled' ELSE 'retrying' END, "
                                   "next_attempt_at = max(coalesce(next_attempt_at, ?3), ?3), timed_at = ?3 "
                                   "WHERE route = ?1 AND seq = ?2",
                                   what);
      !done)
    return done.error();
  const std::string now = wall_text(wall_clock());
  for (const std::string& key : keys) {
    const int code = first.bind(1, route).bind(2, key).step();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return connection_.error_of(code, what);
    const std::int64_t seq = code == SQLITE_ROW ? first.number(0) : 0;
    const bool blocked = code == SQLITE_ROW && first.text(1) == name_of(HeldState::blocked);
    first.reset();
    if (code == SQLITE_DONE) {
      freed.push_back(key);
      continue;
    }
    if (auto done = run(wait.bind(1, route).bind(2, key).bind(3, seq)); !done) return done.error();
    if (!blocked) continue;
    if (auto done = run(promote.bind(1, route).bind(2, seq).bind(3, now)); !done) return done.error();
  }
  return freed;
}

Result<HeldKeys> HeldRows::keys(const Lease& lease) {
  auto reading = Transaction::begin_reading(connection_, what);
  if (!reading) return reading.error();
  HeldKeys result;
  auto statement = connection_.prepare(
      "SELECT DISTINCT message_key FROM outbox_held INDEXED BY outbox_held_queue WHERE route = ?1 AND "
      "message_key IS NOT NULL AND blocks = 1 AND shard = ?2",
      what);
  if (!statement) return statement.error();
  statement->bind(1, lease.route).bind(2, std::int64_t{lease.shard});
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) result.blocked.push_back(statement->string(0));
  if (code != SQLITE_DONE) return connection_.error_of(code, what);

  auto count = connection_.prepare("SELECT count(*) FROM outbox_held WHERE route = ?1 AND shard = ?2", what);
  if (!count) return count.error();
  code = count->bind(1, lease.route).bind(2, std::int64_t{lease.shard}).step();
  if (code != SQLITE_ROW) return connection_.error_of(code, what);
  result.rows_total = count->number(0);

  const Timestamp now = wall_clock();
  auto due = heads(lease, 1, wall_text(now));
  if (!due) return due.error();
  if (!due->empty()) {
    result.next_due_in = Duration::zero();
    return result;
  }
  auto next = next_due_in(lease, now);
  if (!next) return next.error();
  result.next_due_in = *next;
  return result;
}

Result<DueRows> HeldRows::due(const Lease& lease, std::size_t rows_max) {
  auto reading = Transaction::begin_reading(connection_, what);
  if (!reading) return reading.error();
  const Timestamp now = wall_clock();
  const std::string now_text = wall_text(now);
  auto found = heads(lease, rows_max + 1, now_text);
  if (!found) return found.error();
  auto followers = connection_.prepare(
      "SELECT seq, attempts, state, next_attempt_at FROM outbox_held INDEXED BY outbox_held_queue "
      "WHERE route = ?1 AND message_key = ?2 AND blocks = 1 AND seq > ?3 ORDER BY seq",
      what);
  if (!followers) return followers.error();

  // Whole keys: one that is through takes no more rows of the log with it. With several of them none gets
  // more than a quarter of the room, or eight times its share.
  DueRows result;
  const std::size_t key_max =
      found->size() > 1
          ? std::clamp<std::size_t>(8 * rows_max / found->size(), 1, std::max<std::size_t>(1, rows_max / 4))
          : rows_max;
  std::size_t heads_taken = 0;
  for (DueRow& head : *found) {
    if (result.rows.size() >= rows_max) break;
    ++heads_taken;
    const std::size_t room = std::min(key_max, rows_max - result.rows.size()) - 1;
    result.rows.push_back(std::move(head));
    if (room == 0 || !result.rows.back().row.key) continue;
    if (auto done = add_followers(lease, room, now_text, *followers, result.rows); !done) return done.error();
  }
  const auto left = std::span(*found).subspan(heads_taken);
  result.more = !left.empty();
  result.more_keys = std::ranges::any_of(left, [](const DueRow& head) { return head.row.key.has_value(); });
  auto next = next_due_in(lease, now);
  if (!next) return next.error();
  result.next_due_in = *next;
  return result;
}

Result<std::vector<DueRow>> HeldRows::heads(const Lease& lease, std::size_t rows_max, std::string_view now) {
  // A time that was set by a clock that has been put back since may lie hours ahead: the row has waited.
  constexpr std::string_view queries[] = {
      "SELECT seq, message_key, attempts FROM outbox_held INDEXED BY outbox_held_timed WHERE route = ?1 AND "
      "shard = ?2 AND state = 'retrying' AND timed_at > ?3 ORDER BY timed_at, seq LIMIT ?4",
      "SELECT seq, message_key, attempts FROM outbox_held INDEXED BY outbox_held_due WHERE route = ?1 AND "
      "shard = ?2 AND state IN ('retrying', 'scheduled') AND next_attempt_at <= ?3 AND "
      "NOT (state = 'retrying' AND timed_at > ?3) ORDER BY next_attempt_at, seq LIMIT ?4"};
  std::vector<DueRow> result;
  for (const std::string_view query : queries) {
    if (result.size() >= rows_max) break;
    auto statement = connection_.prepare(query, what);
    if (!statement) return statement.error();
    statement->bind(1, lease.route).bind(2, std::int64_t{lease.shard}).bind(3, now);
    statement->bind(4, row_limit(rows_max - result.size()));
    int code = SQLITE_ROW;
    while ((code = statement->step()) == SQLITE_ROW) {
      DueRow& row = result.emplace_back();
      row.row.seq = statement->number(0);
      if (!statement->is_null(1)) row.row.key = statement->string(1);
      row.attempts = static_cast<int>(statement->number(2));
      row.head = true;
    }
    if (code != SQLITE_DONE) return connection_.error_of(code, what);
  }
  return result;
}

/// Those that may go out at once when the last of `rows` has been accepted.
Result<void> HeldRows::add_followers(const Lease& lease, std::size_t room, std::string_view now,
                                     Statement& statement, std::vector<DueRow>& rows) {
  const HeldRow head = rows.back().row;
  statement.bind(1, lease.route).bind(2, *head.key).bind(3, head.seq);
  int code = SQLITE_ROW;
  for (; room > 0 && (code = statement.step()) == SQLITE_ROW; --room) {
    const bool waits_for_time = !statement.is_null(3) && statement.text(3) > now;
    if (statement.text(2) != name_of(HeldState::blocked) || waits_for_time) break;
    rows.push_back({{statement.number(0), head.key}, static_cast<int>(statement.number(1)), false});
  }
  statement.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return connection_.error_of(code, what);
  return {};
}

Result<std::optional<Duration>> HeldRows::next_due_in(const Lease& lease, Timestamp now) {
  auto statement = connection_.prepare(
      "SELECT next_attempt_at FROM outbox_held INDEXED BY outbox_held_due WHERE route = ?1 AND shard = ?2 "
      "AND "
      "state IN ('retrying', 'scheduled') AND next_attempt_at > ?3 AND NOT (state = 'retrying' AND timed_at "
      "> "
      "?3) ORDER BY next_attempt_at LIMIT 1",
      what);
  if (!statement) return statement.error();
  const std::string now_text = wall_text(now);
  const int code =
      statement->bind(1, lease.route).bind(2, std::int64_t{lease.shard}).bind(3, now_text).step();
  if (code == SQLITE_DONE) return std::optional<Duration>();
  if (code != SQLITE_ROW) return connection_.error_of(code, what);
  const auto due = parse_timestamp(statement->text(0));
  return std::optional(due ? std::max(between(now, *due), Duration::zero()) : Duration::zero());
}

}  // namespace outbox::sqlite
