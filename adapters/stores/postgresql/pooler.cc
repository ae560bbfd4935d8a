#include "adapters/stores/postgresql/pooler.h"

namespace outbox::postgresql {
namespace {

constexpr int looks = 4;  // one may hit upon the same session by chance

/// While one session does nothing another one asks, in a transaction. Whoever pools by transaction gives it
/// the session that lies idle, or has another one lying on top afterwards.
Result<bool> is_shared(Connection& idle, Connection& other) {
  const auto ours = backend_of(idle);
  if (!ours) return ours.error();
  if (auto begun = other.run("connect", "BEGIN"); !begun) {
    if (begun.error().text.find("statement pooling") != std::string::npos) return true;
    return begun.error();
  }
  const auto theirs = backend_of(other);
  if (!theirs) return theirs.error();
  if (auto ended = other.run("connect", "COMMIT"); !ended) return ended.error();
  if (*theirs == *ours) return true;
  for (int i = 0; i < looks; ++i) {
    const auto now = backend_of(idle);
    if (!now) return now.error();
    if (*now != *ours) return true;
  }
  return false;
}

}  // namespace

Result<std::int64_t> backend_of(Connection& connection) {
  auto rows = connection.run("connect", "SELECT pg_catalog.pg_backend_pid()", Parameters());
  if (!rows) return rows.error();
  return rows->integer(0, 0);
}

Result<void> check_pooler(Connection& idle, Connection& other) {
  const auto shared = is_shared(idle, other);
  if (!shared) return shared.error();
  if (!*shared) return {};
  return Error{
      Fault::misconfigured,
      "postgresql.connect: a connection pooler hands out sessions by transaction or statement, and "
      "what the relay sets would stay in those of the services (" +
          idle.place() +
          "); give the URL of the server itself, or let the pooler give this user sessions of its own "
          "(PgBouncer: pool_mode=session)"};
}

}  // namespace outbox::postgresql
