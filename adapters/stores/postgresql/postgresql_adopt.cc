// Rows that no route took, until one does.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/stores/postgresql/array_text.h"
#include "adapters/stores/postgresql/audit.h"
#include "adapters/stores/postgresql/held.h"
#include "adapters/stores/postgresql/log_queries.h"
#include "adapters/stores/postgresql/postgresql_upkeep.h"
#include "adapters/stores/postgresql/shards.h"
#include "core/shard.h"

namespace outbox::postgresql {
namespace {

constexpr std::size_t rows_max = 10'000;  // in one transaction, during which the route settles nothing

/// The oldest of them, as arrays: with the shard of the route that each belongs to.
struct Unrouted {
  std::size_t rows = 0;
  std::string seqs, keys, shards;
};

Unrouted oldest_unrouted(pqxx::work& tx, const AdminSession& session, const std::string& patterns,
                         int shards) {
  const pqxx::result rows =
      tx.exec("SELECT DISTINCT h.seq, h.message_key FROM " + session.table("outbox_held") + " h JOIN " +
              session.outbox + " o ON o.seq = h.seq WHERE h.state = 'unrouted' AND o.topic LIKE ANY (" +
              patterns + ") ORDER BY h.seq LIMIT " + std::to_string(rows_max));
  ArrayText seqs, keys, numbers;
  for (const auto& row : rows) {
    const auto seq = row[0].as<std::int64_t>();
    std::optional<std::string> key;
    if (!row[1].is_null()) key = row[1].as<std::string>();
    seqs.add(seq);
    keys.add_optional(key);
    numbers.add(std::int64_t{shard_of(key, seq, shards)});
  }
  return {static_cast<std::size_t>(rows.size()), tx.quote(seqs.take()) + "::bigint[]",
          tx.quote(keys.take()) + "::text[]", tx.quote(numbers.take()) + "::integer[]"};
}

/// What the mark of its shard has passed is held, the first of each key due at once; nobody would come across
/// it again. All are unrouted no more.
void take_over(pqxx::work& tx, const AdminSession& session, const std::string& route, const Unrouted& these) {
  const std::string held = session.table("outbox_held");
  tx.exec("DELETE FROM " + held + " WHERE state = 'unrouted' AND seq = ANY (" + these.seqs + ")");
  tx.exec("INSERT INTO " + held +
          " (route, seq, shard, message_key, state, blocks, next_attempt_at) SELECT " + route +
          ", r.seq, r.shard, r.message_key, CASE WHEN r.message_key IS NULL THEN 'retrying' ELSE 'blocked' "
          "END, true, "
          "CASE WHEN r.message_key IS NULL THEN now() END FROM unnest(" +
          these.seqs + ", " + these.keys + ", " + these.shards + ") AS r (seq, message_key, shard) JOIN " +
          session.table("outbox_mark") + " k ON k.route = " + route + " AND k.shard = r.shard JOIN " +
          session.outbox + " o ON o.seq = r.seq WHERE " + has_passed("k", "o") +
          " ON CONFLICT (route, seq) DO NOTHING");
  tx.exec(promotion(held, "(SELECT DISTINCT " + route + "::text AS route, message_key FROM unnest(" +
                              these.keys + ") AS k (message_key))"));
  tx.exec("UPDATE " + session.table("outbox_mark") +
          " SET held_version = held_version + 1 WHERE route = " + route);
}

}  // namespace

Result<std::vector<std::string>> PostgresqlUpkeep::unrouted_topics() {
  return sessions_->attempt("unrouted", [&](AdminSession& session) -> Result<std::vector<std::string>> {
    pqxx::work tx(session.connection);
    std::vector<std::string> topics;
    for (const auto& row :
         tx.exec("SELECT DISTINCT o.topic FROM " + session.table("outbox_held") + " h JOIN " +
                 session.outbox + " o ON o.seq = h.seq WHERE h.state = 'unrouted' ORDER BY 1"))
      topics.push_back(row[0].as<std::string>());
    return topics;
  });
}

Result<std::int64_t> PostgresqlUpkeep::adopt(const std::string& route,
                                             const std::vector<std::string>& topics) {
  return sessions_->attempt("adopt", [&](AdminSession& session) -> Result<std::int64_t> {
    std::int64_t adopted = 0;
    for (;;) {
      pqxx::work tx(session.connection);
      const std::size_t shards = lock_marks(tx, session, route);
      if (shards == 0) return adopted;
      const Unrouted these = oldest_unrouted(tx, session, tx.quote(like_patterns(topics)) + "::text[]",
                                             static_cast<int>(shards));
      if (these.rows == 0) return adopted;
      take_over(tx, session, tx.quote(route), these);
      tx.commit();
      adopted += static_cast<std::int64_t>(these.rows);
    }
  });
}

}  // namespace outbox::postgresql
