// The libpqxx side of the adapter: a connection with the names of its tables, and where libpqxx's exceptions
// stop. Owned by the thread of the PostgresqlAdmin that includes this.
#pragma once

#include <exception>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <type_traits>
#include <utility>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/postgresql_admin.h"

namespace outbox::postgresql {

struct PostgresqlAdmin::Session {
  pqxx::connection connection;
  std::string schema;  ///< quoted
  std::string outbox;  ///< qualified and quoted, whether or not it is there

  Session(const std::string& conninfo, const TableName& name) : connection(conninfo) {
    pqxx::work tx(connection);
    tx.exec("SET statement_timeout = '60s'; SET lock_timeout = '10s'; SET TimeZone = 'UTC'");
    if (name.schema.empty()) {
      // the schema of the first such table on the search path; before there is one, where it would be made
      const pqxx::result found = tx.exec(
          "SELECT coalesce((SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass(" +
          tx.quote(quoted_identifier(name.table)) + ")), quote_ident(current_schema()), 'public')");
      schema = found[0][0].as<std::string>();
    } else {
      schema = quoted_identifier(name.schema);
    }
    tx.commit();
    outbox = schema + "." + quoted_identifier(name.table);
  }

  [[nodiscard]] std::string table(std::string_view name) const { return schema + "." + std::string(name); }
};

/// Runs the action on a live session. A session found dead before anything was committed is replaced once.
template <class Action>
auto PostgresqlAdmin::attempt(const char* what, Action action) -> decltype(action(std::declval<Session&>())) {
  const auto failed = [&](Fault fault, std::string why) {
    session_.reset();
    for (char& c : why)
      if (c == '\n') c = ' ';
    while (!why.empty() && why.back() == ' ') why.pop_back();
    return Error{fault, std::string("postgresql.") + what + ": " + why + " (" + place_of(settings_) + ")"};
  };
  for (;;) {
    const bool reused = session_ != nullptr;
    try {
      if (!session_) session_ = std::make_unique<Session>(connection_string(settings_), table_);
      return action(*session_);
    } catch (const pqxx::broken_connection& error) {
      session_.reset();
      if (!reused) return failed(fault_of_connect(error.what()), error.what());
    } catch (const pqxx::sql_error& error) {
      const bool gone = error.sqlstate().empty() || error.sqlstate().substr(0, 3) == "57P";
      if (gone && reused) {
        session_.reset();
        continue;
      }
      return failed(fault_of(error.sqlstate()), error.what());
    } catch (const std::exception& error) {
      return failed(Fault::unavailable, error.what());
    }
  }
}

}  // namespace outbox::postgresql
