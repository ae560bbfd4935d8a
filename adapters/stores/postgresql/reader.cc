#include "adapters/stores/postgresql/reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "adapters/common/batch_builder.h"
#include "adapters/stores/postgresql/broken_row.h"
#include "adapters/stores/postgresql/row_decoder.h"
#include "base/text.h"

namespace outbox::postgresql {
namespace {

// A range with more rows than this many times the limit is not sorted on the way in but paged by the primary
// key.
constexpr std::size_t sort_pages_max = 8;

// Where such a range begins is found by asking all its rows, unless they are more than these: then it is
// paged from the start of the table, which is bounded by what is retained and not by what has piled up.
constexpr const char* lowest_rows_max = "10000000";

const std::string begun_since =
    "tx >= pg_snapshot_xmax($1::pg_snapshot) AND tx < pg_snapshot_xmax(pg_current_snapshot())";
const std::string was_in_progress =
    "tx = ANY (ARRAY(SELECT x FROM pg_snapshot_xip($1::pg_snapshot) x WHERE pg_visible_in_snapshot(x, "
    "pg_current_snapshot())))";

/// The columns of the rows that are visible now and were not in $1. A transaction that was unknown in $1 has
/// a number from its xmax on; all others that were not visible in it are in its list of those in progress.
/// Both parts go by the index (tx, seq), and nobody has to ask about the transactions in between. A number
/// that no transaction has had yet was written by hand: no snapshot would ever pass such a row.
std::string new_rows(const std::string& table, const std::string& columns) {
  const std::string rows = "SELECT " + columns + " FROM " + table + " WHERE ";
  return rows + begun_since + " UNION ALL " + rows + was_in_progress;
}

/// $1 seen, $2 rows wanted, $3 rows that are sorted at most: nothing but the leading row when there are as
/// many. One statement has one snapshot, and that is what pg_current_snapshot() returns within it.
std::string open_statement(const std::string& table) {
  // "seq + 0" so that no plan walks the primary key from its start in search of the few new rows
  return "WITH gate AS MATERIALIZED (SELECT count(*) AS rows FROM (" + new_rows(table, "1") +
         " LIMIT $3::bigint) c) SELECT " +
         leading("pg_current_snapshot()::text", "(SELECT rows FROM gate)::text") +
         " UNION ALL (SELECT w.* FROM (" + new_rows(table, row_columns) +
         ") w WHERE (SELECT rows FROM gate) < $3::bigint ORDER BY seq + 0 LIMIT $2::bigint)";
}

/// $1 seen, $2 upto, $3 the last seq of the page before, $4 rows wanted. Functions of tx have no index, so
/// the plan can only be the primary key from $3 on.
std::string page_statement(const std::string& table) {
  return "SELECT " + leading("''", "''") + " UNION ALL (SELECT " + row_columns + " FROM " + table +
         " WHERE seq > $3::bigint AND NOT pg_visible_in_snapshot(tx, $1::pg_snapshot) AND "
         "pg_visible_in_snapshot(tx, $2::pg_snapshot) ORDER BY seq LIMIT $4::bigint)";
}

std::string any_statement(const std::string& table) {
  return "SELECT EXISTS (SELECT FROM " + table + " WHERE " + begun_since + ") OR EXISTS (SELECT FROM " +
         table + " WHERE " + was_in_progress + ")";
}

}  // namespace

SnapshotRange SnapshotRange::of(const std::string& text) {
  const auto bar = text.find('|');
  if (bar == std::string::npos) return {text, {}};
  return {text.substr(0, bar), text.substr(bar + 1)};
}

Result<Reader> Reader::prepare(Connection& connection, const Tables& tables) {
  const std::pair<const char*, std::string> statements[] = {
      {"outbox_open", open_statement(tables.outbox)},
      {"outbox_page", page_statement(tables.outbox)},
      {"outbox_any", any_statement(tables.outbox)},
      {"outbox_lowest",
       "SELECT CASE WHEN count(*) < $2::bigint THEN coalesce(min(seq), 1) ELSE 1 END FROM (" +
           new_rows(tables.outbox, "seq + 0 AS seq") + " LIMIT $2::bigint) w"},
      {"outbox_snapshot", "SELECT pg_current_snapshot()::text"},
  };
  for (const auto& [name, sql] : statements)
    if (auto done = connection.prepare(name, sql); !done) return done.error();
  return Reader(connection, tables.outbox);
}

Result<Batch> Reader::read(const Mark& after, const ReadLimit& limit) {
  caught_up_.clear();
  SnapshotRange range = SnapshotRange::of(after.cursor);
  std::int64_t seq = after.seq;
  if (range.upto.empty() && range.seen == snapshot_of_nothing) {
    // Everything there is: no need to look how much that is before the first row goes out.
    auto now = one_text("read", "outbox_snapshot", {});
    if (!now) return now.error();
    range.upto = *now;
    seq = std::numeric_limits<std::int64_t>::min();
  }
  if (!range.upto.empty()) {
    auto batch = page(range, seq, limit);
    if (!batch || !batch->messages.empty()) return batch;
    range = {range.upto, {}};  // nothing was left of that range: the next one
  }
  return open(range, limit);
}

Result<bool> Reader::any_since(const std::string& snapshot) {
  auto rows = connection_->run_prepared("wait", "outbox_any", {snapshot.c_str()});
  if (!rows) return rows.error();
  return rows->boolean(0, 0);
}

Result<Batch> Reader::open(const SnapshotRange& range, const ReadLimit& limit) {
  const std::size_t wanted = rows_for(limit);
  const std::string fetched = std::to_string(wanted + 1),
                    sorted = std::to_string(wanted * sort_pages_max + 1);
  if (auto begun =
          connection_->start("read", "outbox_open", {range.seen.c_str(), fetched.c_str(), sorted.c_str()});
      !begun)
    return begun.error();

  BatchBuilder builder({wanted, limit.bytes_max, limit.texts_max}, rows_expected_);
  LeadingRow lead;
  bool more = false, broken = false;
  for (;;) {
    auto row = connection_->next("read");
    if (!row) {
      if (connection_->conversion_fault().empty()) return row.error();
      more = broken = true;
      break;
    }
    if (!row->get() || row->count() == 0) break;
    if (is_leading(row->get())) {
      lead = decode_leading(row->get());
      continue;
    }
    if (builder.full()) {
      more = true;
      if (builder.size() >= wanted) continue;  // the one row beyond: the end is next
      if (auto done = connection_->abandon("read"); !done) return done.error();
      break;
    }
    builder.add(decode_row(row->get(), lead.clock));
  }
  const SnapshotRange opened{range.seen, lead.snapshot};
  if (builder.size() == 0 && (broken || static_cast<std::size_t>(lead.rows) > wanted * sort_pages_max)) {
    auto lowest = one_text("read", "outbox_lowest", {range.seen.c_str(), lowest_rows_max});
    if (!lowest) return lowest.error();
    constexpr std::int64_t first = std::numeric_limits<std::int64_t>::min();
    const std::int64_t begin = parse_number<std::int64_t>(*lowest).value_or(first);
    return page(opened, begin == first ? first : begin - 1, limit);
  }
  const std::int64_t last_seq = builder.last_seq();
  Batch batch = builder.take();
  batch.cursor = opened.text();
  batch.more = more;
  batch.end = more ? Mark{opened.text(), last_seq} : Mark{opened.upto, 0};
  if (!more) caught_up_ = opened.upto;
  learn(batch);
  return batch;
}

Result<Batch> Reader::page(const SnapshotRange& range, std::int64_t after, const ReadLimit& limit) {
  const std::size_t wanted = rows_for(limit);
  const std::string from = std::to_string(after), fetched = std::to_string(wanted);
  if (auto begun = connection_->start(
          "read", "outbox_page", {range.seen.c_str(), range.upto.c_str(), from.c_str(), fetched.c_str()});
      !begun)
    return begun.error();

  BatchBuilder builder({wanted, limit.bytes_max, limit.texts_max}, rows_expected_);
  std::int64_t clock = 0;
  bool ended = false, broken = false;
  while (!ended && !broken && !builder.full()) {
    auto row = connection_->next("read");
    if (!row) {
      if (connection_->conversion_fault().empty()) return row.error();
      // The rows before it have come; it is the first of the next page.
      if (builder.size() == 0) return page_of_broken_row(range, after, limit);
      broken = true;
    } else if (!row->get() || row->count() == 0)
      ended = true;
    else if (is_leading(row->get()))
      clock = decode_leading(row->get()).clock;
    else
      builder.add(decode_row(row->get(), clock));
  }
  if (!ended && !broken) {
    // full by rows: only the end is still to come; full by bytes: much may be
    if (builder.size() < wanted) {
      if (auto done = connection_->abandon("read"); !done) return done.error();
    } else if (auto end = connection_->next("read"); !end) {
      return end.error();
    }
  }
  const std::int64_t last_seq = builder.last_seq();
  Batch batch = builder.take();
  batch.cursor = range.text();
  batch.more = true;  // in this range or in the next, which nobody has looked at yet
  batch.end = ended ? Mark{range.upto, 0} : Mark{range.text(), last_seq};
  learn(batch);
  return batch;
}

/// The row behind `after`, as far as it can be read.
Result<Batch> Reader::page_of_broken_row(const SnapshotRange& range, std::int64_t after,
                                         const ReadLimit& limit) {
  const std::string from = std::to_string(after);
  auto next = connection_->run("read",
                               "SELECT seq FROM " + outbox_ +
                                   " WHERE seq > $3::bigint AND NOT pg_visible_in_snapshot(tx, "
                                   "$1::pg_snapshot) AND pg_visible_in_snapshot(tx, $2::pg_snapshot) ORDER "
                                   "BY seq LIMIT 1",
                               {range.seen.c_str(), range.upto.c_str(), from.c_str()});
  if (!next) return next.error();
  Batch batch;
  if (next->count() > 0) {
    auto broken = BrokenRow::read(*connection_, outbox_, next->integer(0, 0));
    if (!broken) return broken.error();
    if (*broken) {
      BatchBuilder builder({1, 1, limit.texts_max});
      builder.add((*broken)->view());
      after = builder.last_seq();
      batch = builder.take();
    }
  }
  batch.cursor = range.text();
  batch.more = true;
  batch.end = {range.text(), after};
  return batch;
}

Result<std::string> Reader::one_text(const char* what, const char* statement, const Parameters& parameters) {
  auto rows = connection_->run_prepared(what, statement, parameters);
  if (!rows) return rows.error();
  return rows->string(0, 0);
}

// What the server is asked for. Generously more than will fit, for rows that are smaller than those before;
// what is too much is cancelled.
std::size_t Reader::rows_for(const ReadLimit& limit) const {
  const std::size_t by_bytes = 2 * (limit.bytes_max / row_bytes_) + 16;
  return std::max<std::size_t>(1, std::min(limit.messages_max, by_bytes));
}

void Reader::learn(const Batch& batch) {
  if (batch.messages.empty()) return;
  rows_expected_ = batch.messages.size();
  row_bytes_ = batch.bytes / batch.messages.size();  // never 0: each message counts for more than its texts
}

}  // namespace outbox::postgresql
