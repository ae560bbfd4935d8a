#include "adapters/stores/postgresql/admin_session.h"

namespace outbox::postgresql {

AdminSession::AdminSession(const ConnectionSettings& settings, const TableName& name)
    : connection(connection_string(settings)) {
  pqxx::work tx(connection);
  const bool is_pooled =
      tx.exec("SELECT pg_catalog.pg_backend_pid()")[0][0].as<int>() != connection.backendpid();
  if (is_pooled)
    if (const auto kept = Connection::open(settings); !kept) throw Unusable{kept.error()};
  tx.exec(
      "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; SET statement_timeout = "
      "'60s'; SET lock_timeout = '10s'; SET TimeZone = 'UTC'; SET jit = off");
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

Error AdminSessions::failed(const char* what, Fault fault, std::string why) {
  session_.reset();
  for (char& c : why)
    if (c == '\n') c = ' ';
  while (!why.empty() && why.back() == ' ') why.pop_back();
  return {fault, std::string("postgresql.") + what + ": " + why + " (" + place_of(settings_) + ")"};
}

}  // namespace outbox::postgresql
