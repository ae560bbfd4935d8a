// What every change of an operator does: locks the marks, leaves its line. For libpqxx's side of the adapter.
#pragma once

#include <optional>
#include <string>

#include "adapters/stores/postgresql/admin_session.h"

namespace outbox::postgresql {

/// " WHERE route = '...'", or nothing for every route.
inline std::string where_route(pqxx::work& tx, const std::optional<std::string>& route) {
  return route ? " WHERE route = " + tx.quote(*route) : std::string();
}

/// Until the transaction ends no relay settles anything of the route, and nobody else changes what is held of
/// it. In the order in which everybody locks them. How many marks there are.
inline std::size_t lock_marks(pqxx::work& tx, const AdminSession& session,
                              const std::optional<std::string>& route) {
  return tx
      .exec("SELECT 1 FROM " + session.table("outbox_mark") + where_route(tx, route) +
            " ORDER BY route, shard FOR UPDATE")
      .size();
}

/// `details` is an SQL expression of jsonb.
inline void record(pqxx::work& tx, const AdminSession& session, const std::string& actor, const char* action,
                   const std::optional<std::string>& route, const std::string& details) {
  tx.exec("INSERT INTO " + session.table("outbox_audit") + " (actor, action, route, details) VALUES (" +
          tx.quote(actor) + ", " + tx.quote(std::string(action)) + ", " +
          (route ? tx.quote(*route) : "NULL") + ", " + details + ")");
}

}  // namespace outbox::postgresql
