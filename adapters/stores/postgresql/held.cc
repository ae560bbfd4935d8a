#include "adapters/stores/postgresql/held.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

#include "adapters/common/batch_builder.h"
#include "adapters/stores/postgresql/array_text.h"
#include "adapters/stores/postgresql/row_decoder.h"
#include "base/text.h"

namespace outbox::postgresql {
namespace {

constexpr std::size_t error_characters_max = 2000;

constexpr std::string_view row_gone =
    "its row is no longer in the outbox: somebody has deleted it, so there is nothing to send; discard it";

/// The columns that Hold has, one array each, from $4 on.
constexpr const char* written_rows =
    "unnest($4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::integer[], $9::bigint[], $10::text[]) "
    "AS r (seq, message_key, state, blocks, attempts, due, last_error)";
// a row that waits for a time has one
constexpr const char* written_due =
    "now() + CASE WHEN r.state IN ('retrying', 'scheduled') THEN coalesce(r.due, 0) ELSE r.due END * "
    "interval '1 microsecond'";
constexpr const char* written_failure = "CASE WHEN r.attempts > 0 OR r.state = 'dead' THEN now() END";

/// The first row that blocks the key. LIMIT makes it a look into the index per key, however the table is
/// thought to be.
std::string head_of(const std::string& held_table, const std::string& route, const std::string& key) {
  return "(SELECT q.ctid AS place, q.state FROM " + held_table + " q WHERE q.route = " + route + " AND " +
         blocks_key("q", key) + " ORDER BY q.seq LIMIT 1)";
}

/// By their places: whoever writes held rows has the lock of the mark.
std::string promote(const std::string& held_table, const std::string& places) {
  return "UPDATE " + held_table +
         " h SET state = CASE WHEN h.next_attempt_at > now() THEN 'scheduled' ELSE 'retrying' END, "
         "next_attempt_at = greatest(h.next_attempt_at, now()) WHERE h.state = 'blocked' AND h.ctid = ANY "
         "(ARRAY(" +
         places + "))";
}

/// Of the rows written, those that no operator has removed meanwhile. LIMIT: as in head_of().
std::string rows_still_there(const Tables& tables) {
  return written_rows + (" CROSS JOIN LATERAL (SELECT FROM " + tables.held +
                         " q WHERE q.route = $1 AND q.seq = r.seq LIMIT 1) q");
}

/// `rows`: those that are written, among `written_rows` as r.
std::string hold_statement(const Tables& tables, const std::string& rows, const std::string& ours) {
  return "INSERT INTO " + tables.held +
         " AS h (route, seq, shard, message_key, state, blocks, attempts, next_attempt_at, last_error, "
         "first_failed_at, last_failed_at) SELECT $1, r.seq, $2::integer, r.message_key, r.state, r.blocks, "
         "r.attempts, " +
         written_due + ", r.last_error, " + written_failure + ", " + written_failure + " FROM " + rows +
         " WHERE " + ours +
         " ON CONFLICT (route, seq) DO UPDATE SET shard = excluded.shard, state = excluded.state, blocks = "
         "excluded.blocks, attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, "
         "last_error = excluded.last_error, first_failed_at = coalesce(h.first_failed_at, "
         "excluded.first_failed_at), last_failed_at = coalesce(excluded.last_failed_at, h.last_failed_at)";
}

/// Keys that nothing blocks any more; where a row still does, it may be at the head now.
std::string go_on_statement(const Tables& tables, const std::string& ours) {
  return "WITH heads AS MATERIALIZED (SELECT k.message_key, f.place, f.state FROM unnest($4::text[]) AS k "
         "(message_key) LEFT JOIN LATERAL " +
         head_of(tables.held, "$1", "k.message_key") + " f ON true WHERE " + ours + "), promoted AS (" +
         promote(tables.held, "SELECT place FROM heads WHERE state = 'blocked'") +
         ") SELECT message_key FROM heads WHERE place IS NULL";
}

/// What waits directly behind the head `h` of a key, in order: its turn, and what read_statement() wants to
/// know.
std::string followers_of_h(const Tables& tables) {
  return "SELECT turn + 1, seq, attempts, held_at FROM (SELECT l.*, row_number() OVER (ORDER BY seq) AS "
         "turn, bool_and(state = 'blocked') OVER (ORDER BY seq) AS waits FROM (SELECT q.seq, q.attempts, "
         "q.held_at, q.state FROM " +
         tables.held + " q WHERE h.message_key IS NOT NULL AND q.route = $1 AND " +
         blocks_key("q", "h.message_key") +
         " AND q.seq > h.seq ORDER BY q.seq LIMIT (SELECT rows FROM room)) l) w WHERE waits";
}

/// $1 route, $2 shard, $3 rows wanted. First the leading row: next to the clock whether more rows (1)
/// or keys (2) are due than these, and how long it is until one is that is not. Then the first rows of their
/// keys, the longest due first, each with what waits directly behind it. With several of them none gets more
/// than a quarter of the room, or eight times its share. The inner LIMIT takes what comes first, key by key;
/// that no row comes without those before it is seen to by counting. LIMIT 1: as in head_of().
std::string read_statement(const Tables& tables) {
  const std::string waits =
      tables.held + " WHERE route = $1 AND shard = $2::integer AND state IN ('retrying', 'scheduled')";
  return "WITH due AS MATERIALIZED (SELECT seq, message_key, attempts, next_attempt_at, held_at FROM " +
         waits +
         " AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT $3::bigint + 1), "
         "heads AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY next_attempt_at, seq) AS place FROM "
         "due), "
         "room AS MATERIALIZED (SELECT CASE WHEN count(*) > 1 THEN greatest(1, least($3::bigint / 4, 8 * "
         "$3::bigint / count(*))) ELSE $3::bigint END AS rows FROM heads), "
         "picked AS MATERIALIZED (SELECT h.place, f.turn, f.seq, h.message_key, f.attempts, f.held_at FROM "
         "heads h CROSS JOIN LATERAL (SELECT 1::bigint AS turn, h.seq, h.attempts, h.held_at UNION ALL " +
         followers_of_h(tables) +
         ") f LIMIT $3::bigint), "
         "counted AS (SELECT *, row_number() OVER (PARTITION BY place ORDER BY turn) AS number FROM picked) "
         "SELECT NULL::bigint, NULL::uuid, (SELECT (extract(epoch FROM next_attempt_at - now()) * "
         "1000000)::bigint::text FROM " +
         waits +
         " AND next_attempt_at > now() ORDER BY next_attempt_at LIMIT 1), "
         "(SELECT CASE WHEN max(h.message_key) IS NOT NULL THEN '2' WHEN count(*) > 0 THEN '1' ELSE '0' END "
         "FROM heads h WHERE h.place > (SELECT max(place) FROM picked)), "
         "NULL::text, NULL::bytea, NULL::text, NULL::jsonb, clock_timestamp(), NULL::timestamptz, "
         "NULL::bigint UNION ALL (SELECT p.seq, o.id, o.topic, p.message_key, o.type, o.payload, "
         "o.content_type, "
         "nullif(o.headers, '{}'), coalesce(o.created_at, p.held_at), o.deliver_at, p.attempts::bigint FROM "
         "counted p LEFT JOIN LATERAL (SELECT * FROM " +
         tables.outbox +
         " r WHERE r.seq = p.seq LIMIT 1) o ON true WHERE p.turn = p.number ORDER BY p.place, p.turn)";
}

enum Extra { id = 1, attempts = 10 };

/// The row as the decoder has it, or that it is gone.
RowView held_row(const PGresult* result, std::int64_t clock) {
  RowView row = decode_row(result, clock);
  if (PQgetisnull(result, 0, Extra::id) == 0) return row;
  static constexpr std::string_view nobody("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
  row.id = nobody;
  row.defect = row_gone;
  return row;
}

std::optional<Duration> microseconds_of(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::max<Duration>(std::chrono::microseconds(number), Duration::zero());
}

std::vector<std::string> columns_of(const std::vector<Hold>& holds) {
  ArrayText seqs, keys, states, blocks, attempts, dues, errors;
  for (const Hold& hold : holds) {
    seqs.add(hold.seq);
    keys.add_optional(hold.key);
    states.add(name_of(hold.state));
    blocks.add(hold.blocks ? "t" : "f");
    attempts.add(std::int64_t{hold.attempts});
    if (hold.due_in)
      dues.add(std::chrono::duration_cast<std::chrono::microseconds>(*hold.due_in).count());
    else
      dues.add_null();
    const std::string error = storable(hold.last_error, error_characters_max);
    error.empty() ? errors.add_null() : errors.add(error);
  }
  return {seqs.take(),     keys.take(), states.take(), blocks.take(),
          attempts.take(), dues.take(), errors.take()};
}

}  // namespace

HeldState held_state(std::string_view name) {
  for (const HeldState state :
       {HeldState::retrying, HeldState::blocked, HeldState::scheduled, HeldState::dead, HeldState::unrouted})
    if (name == name_of(state)) return state;
  assert(!"a state that outbox_held does not allow");
  return HeldState::dead;
}

std::string blocks_key(const std::string& alias, const std::string& key) {
  return alias + ".blocks AND hashtextextended(" + alias + ".message_key, 0) = hashtextextended(" + key +
         ", 0) AND " + alias + ".message_key = " + key;
}

std::string promotion(const std::string& held_table, const std::string& touched) {
  return promote(held_table, "SELECT f.place FROM " + touched + " t CROSS JOIN LATERAL " +
                                 head_of(held_table, "t.route", "t.message_key") +
                                 " f WHERE f.state = 'blocked'");
}

HeldSteps::HeldSteps(const Lease& lease, const HeldWrites& held)
    : route_(lease.route), shard_(std::to_string(lease.shard)), epoch_(std::to_string(lease.epoch)) {
  std::set<std::string_view> touched;
  const auto touch = [&](const auto& rows) {
    for (const auto& row : rows)
      if (row.key) touched.insert(*row.key);
  };
  touch(held.holds);
  touch(held.changes);
  touch(held.removals);
  if (!held.holds.empty()) holds_ = columns_of(held.holds);
  if (!held.changes.empty()) changes_ = columns_of(held.changes);
  ArrayText removals, keys;
  for (const HeldRow& row : held.removals) removals.add(row.seq);
  for (const std::string_view key : touched) keys.add(key);
  if (!held.removals.empty()) removals_ = removals.take();
  keys_ = keys.take();
}

std::vector<Step> HeldSteps::steps() const {
  std::vector<Step> steps;
  const auto add = [&](const char* statement, const std::vector<std::string>& columns) {
    Step step{statement, {route_.c_str(), shard_.c_str(), epoch_.c_str()}};
    for (const std::string& column : columns) step.parameters.push_back(column.c_str());
    steps.push_back(std::move(step));
  };
  if (!holds_.empty()) add("outbox_held_hold", holds_);
  if (!changes_.empty()) add("outbox_held_change", changes_);
  if (!removals_.empty()) {
    add("outbox_held_remove", {});
    steps.back().parameters.push_back(removals_.c_str());
  }
  add("outbox_held_go_on", {});
  steps.back().parameters.push_back(keys_.c_str());
  return steps;
}

Result<Held> Held::prepare(Connection& connection, const Tables& tables) {
  const std::string ours = "EXISTS (SELECT FROM " + tables.mark +
                           " WHERE route = $1 AND shard = $2::integer AND epoch = $3::bigint)";
  const std::string of_shard = " WHERE route = $1 AND shard = $2::integer";
  const std::pair<const char*, std::string> statements[] = {
      {"outbox_held_hold", hold_statement(tables, written_rows, ours)},
      {"outbox_held_change", hold_statement(tables, rows_still_there(tables), ours)},
      {"outbox_held_remove",
       "DELETE FROM " + tables.held + " WHERE route = $1 AND seq = ANY ($4::bigint[]) AND " + ours},
      {"outbox_held_go_on", go_on_statement(tables, ours)},
      {"outbox_held_keys", "SELECT DISTINCT message_key FROM " + tables.held + of_shard +
                               " AND blocks AND message_key IS NOT NULL"},
      {"outbox_held_count",
       "SELECT count(*), (SELECT (extract(epoch FROM next_attempt_at - now()) * 1000000)::bigint FROM " +
           tables.held + of_shard +
           " AND state IN ('retrying', 'scheduled') ORDER BY next_attempt_at LIMIT 1) FROM " + tables.held +
           of_shard},
      {"outbox_held_read", read_statement(tables)},
  };
  for (const auto& [name, sql] : statements)
    if (auto done = connection.prepare(name, sql); !done) return done.error();
  return Held(connection);
}

Result<HeldKeys> Held::keys(const Lease& lease) {
  const std::string shard = std::to_string(lease.shard);
  auto keys = connection_->run_prepared("held", "outbox_held_keys", {lease.route.c_str(), shard.c_str()});
  if (!keys) return keys.error();
  auto counts = connection_->run_prepared("held", "outbox_held_count", {lease.route.c_str(), shard.c_str()});
  if (!counts) return counts.error();
  HeldKeys held;
  for (int row = 0; row < keys->count(); ++row) held.blocked.push_back(keys->string(row, 0));
  held.rows_total = counts->integer(0, 0);
  held.next_due_in = microseconds_of(counts->text(0, 1));
  return held;
}

Result<HeldBatch> Held::read(const Lease& lease, const ReadLimit& limit) {
  const std::string shard = std::to_string(lease.shard), rows = std::to_string(limit.messages_max);
  if (auto begun =
          connection_->start("held", "outbox_held_read", {lease.route.c_str(), shard.c_str(), rows.c_str()});
      !begun)
    return begun.error();
  BatchBuilder builder(limit);
  HeldBatch batch;
  LeadingRow lead;
  bool left = false;
  for (;;) {
    auto row = connection_->next("held");
    if (!row) return row.error();
    if (!row->get() || row->count() == 0) break;
    if (is_leading(row->get())) {
      lead = decode_leading(row->get());
      left = lead.rows != 0;
      batch.more_keys = lead.rows == 2;
      continue;
    }
    if (builder.full()) {
      left = true;
      if (auto done = connection_->abandon("held"); !done) return done.error();
      break;
    }
    builder.add(held_row(row->get(), lead.clock));
    batch.attempts.push_back(static_cast<int>(integer_at(row->get(), Extra::attempts)));
  }
  batch.rows = builder.take();
  batch.rows.more = left;
  batch.next_due_in = left ? std::optional(Duration::zero()) : microseconds_of(lead.snapshot);
  return batch;
}

}  // namespace outbox::postgresql
