#include "adapters/stores/postgresql/held_reader.h"

#include <algorithm>
#include <string>

#include "adapters/common/batch_builder.h"
#include "adapters/stores/postgresql/array_text.h"
#include "adapters/stores/postgresql/broken_row.h"
#include "adapters/stores/postgresql/row_decoder.h"

namespace outbox::postgresql {
namespace {

constexpr const char* statement = "outbox_held_rows";
constexpr int id_column = 1;

/// The row that is next, as far as it can be read.
Result<void> add_broken_row(PostgresqlSession& session, sql::HeldBatchBuilder& batch) {
  auto broken = BrokenRow::read(session.connection(), session.dialect().tables().outbox, batch.next().seq);
  if (!broken) return broken.error();
  if (*broken) batch.add((*broken)->view());
  return {};
}

/// The row as the decoder has it, or that it is gone.
RowView held_row(const PGresult* result, std::int64_t clock) {
  RowView row = decode_row(result, clock);
  if (PQgetisnull(result, 0, id_column) == 0) return row;
  static constexpr std::string_view nobody("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
  row.id = nobody;
  row.defect = sql::row_gone;
  return row;
}

}  // namespace

/// $1 their numbers, $2 their keys, in the order in which they are wanted. The row's own key counts: one that
/// was too long when the row was held is not kept with it. LIMIT makes it a look into the index per row,
/// however large the table is thought to be.
Result<void> prepare_read_held(PostgresqlSession& session) {
  return session.connection().prepare(
      statement,
      "SELECT " + leading("''", "''") +
          " UNION ALL (SELECT r.seq, o.id, o.topic, CASE WHEN o.seq IS NULL THEN r.message_key ELSE "
          "o.message_key END, o.type, o.payload, o.data, "
          "o.content_type, "
          "nullif(o.headers, '{}'), coalesce(o.created_at, now()), o.deliver_at FROM unnest($1::bigint[], "
          "$2::text[]) WITH ORDINALITY AS r (seq, message_key, place) LEFT JOIN LATERAL (SELECT * FROM " +
          session.dialect().tables().outbox + " x WHERE x.seq = r.seq LIMIT 1) o ON true ORDER BY r.place)");
}

Result<HeldBatch> read_held(PostgresqlSession& session, const Lease& lease, const ReadLimit& limit) {
  auto due = sql::due_rows(session, lease, std::max<std::size_t>(limit.messages_max, 1));
  if (!due) return due.error();
  sql::HeldBatchBuilder batch(limit, *due);
  if (due->rows.empty()) return batch.take();
  ArrayText seqs, keys;
  for (const sql::DueRow& row : due->rows) {
    seqs.add(row.seq);
    keys.add_optional(row.key);
  }
  Connection& connection = session.connection();
  const std::string seqs_text = seqs.take(), keys_text = keys.take();
  if (auto begun = connection.start("held", statement, {seqs_text.c_str(), keys_text.c_str()}); !begun)
    return begun.error();
  for (std::int64_t clock = 0;;) {
    auto row = connection.next("held");
    if (!row) {
      if (connection.conversion_fault().empty()) return row.error();
      // Those before it have come, and those behind it will another time.
      if (!batch.empty()) break;
      if (auto added = add_broken_row(session, batch); !added) return added.error();
      break;
    }
    if (!row->get() || row->count() == 0) break;
    if (is_leading(row->get())) {
      clock = decode_leading(row->get()).clock;
    } else if (!batch.add(held_row(row->get(), clock))) {
      if (auto done = connection.abandon("held"); !done) return done.error();
      break;
    }
  }
  return batch.take();
}

}  // namespace outbox::postgresql
