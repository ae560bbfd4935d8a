#include "adapters/stores/postgresql/postgresql_store.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "adapters/stores/postgresql/held_reader.h"

namespace outbox::postgresql {
namespace {

// Plans are pinned: with statistics that lag behind a fast table the planner turns to sorts and sequential
// scans that are up to 40 times slower. Isolation is set because a role or database may have another default,
// under which a snapshot would outlive its statement. A mark is on disk when it is saved, also where
// synchronous_commit is off: otherwise a crash of the server repeats far more than a window. Rows that a
// policy hides would be passed unseen: with row_security off the server refuses instead.
constexpr const char* session_settings =
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; SET row_security = off;"
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off; SET "
    "jit = off;"
    "SELECT pg_catalog.set_config('synchronous_commit', 'on', false)"
    " WHERE pg_catalog.current_setting('synchronous_commit') = 'off';"
    "SET max_parallel_workers_per_gather = 0; SET statement_timeout = '30s'; SET lock_timeout = '10s';"
    "SET idle_in_transaction_session_timeout = '30s'";

/// What the database cannot write is in none of its rows, and would fail again and again where it is
/// compared.
Result<void> check_topics(Connection& connection, const LeaseRequest& request) {
  for (const std::string& topic : request.topics) {
    auto asked = connection.run("acquire", "SELECT $1::text", {topic.c_str()});
    if (asked) continue;
    if (connection.conversion_fault().empty()) return asked.error();
    return Error{Fault::misconfigured,
                 "postgresql.acquire: topic \"" + topic + "\" of route " + request.route +
                     " cannot be written in the database's encoding, " + connection.encoding() + " (" +
                     connection.place() +
                     "), so no row can have it; take it out of the route, or move to a database with "
                     "ENCODING 'UTF8'"};
  }
  return {};
}

}  // namespace

PostgresqlStore::PostgresqlStore(ConnectionSettings settings, TableName table)
    : settings_(std::move(settings)), table_(std::move(table)) {}

Result<Acquired> PostgresqlStore::acquire(const LeaseRequest& request) {
  if (session_) {
    auto acquired = guarded(sql::take_lease(*session_->books, session_->log, request));
    if (acquired || acquired.error().fault != Fault::unavailable) return acquired;
    // The connection may have died long ago without anybody asking; a new one tells whether the server is
    // there.
  }
  auto session = connect(request);
  if (!session) return session.error();
  session_.emplace(std::move(*session));
  if (session_->connection->encoding() != "UTF8")
    if (auto checked = check_topics(*session_->connection, request); !checked)
      return guarded<Acquired>(checked.error());
  return guarded(sql::take_lease(*session_->books, session_->log, request));
}

Result<void> PostgresqlStore::renew(const Lease& lease) {
  if (!session_) return session_over();
  return guarded(sql::renew(*session_->books, lease));
}

Result<void> PostgresqlStore::release(const Lease& lease) {
  if (!session_) return session_over();
  return guarded(sql::release(*session_->books, lease));
}

Result<Batch> PostgresqlStore::read(const Mark& after, const ReadLimit& limit) {
  if (!session_) return session_over();
  auto batch = guarded(session_->reader.read(after, limit));
  if (batch && batch->messages.empty() && !batch->more)
    batch = guarded(session_->undated.look(std::chrono::steady_clock::now(), batch->end));
  if (batch && !batch->messages.empty())
    session_->waiter.active(std::chrono::steady_clock::now(), batch->messages.size());
  return batch;
}

Result<Settled> PostgresqlStore::settle(const Lease& lease, const Mark& mark, const HeldWrites& held) {
  if (!session_) return session_over();
  return guarded(sql::settle(*session_->books, lease, {mark, session_->log.system_identifier()}, held));
}

Result<HeldKeys> PostgresqlStore::held_keys(const Lease& lease) {
  if (!session_) return session_over();
  return guarded(sql::held_keys(*session_->books, lease));
}

Result<HeldBatch> PostgresqlStore::read_held(const Lease& lease, const ReadLimit& limit) {
  if (!session_) return session_over();
  return guarded(postgresql::read_held(*session_->books, lease, limit));
}

Result<Woken> PostgresqlStore::wait(Duration timeout) {
  if (!session_) return session_over();
  return guarded(session_->waiter.wait(session_->reader, wakeup_, timeout));
}

Result<PostgresqlStore::Session> PostgresqlStore::connect(const LeaseRequest& request) const {
  auto opened = Connection::open(settings_);
  if (!opened) return opened.error();
  Connection& connection = **opened;
  auto server = describe_server(connection);
  if (!server) return server.error();
  if (auto usable = first_fault(check_server(connection.server_version(), *server), connection); !usable)
    return usable.error();
  if (auto set = connection.run("connect", session_settings); !set) return set.error();
  auto tables = find_tables(connection, table_);
  if (!tables) return tables.error();
  auto findings = check_tables(connection, *tables, *server);
  if (!findings) return findings.error();
  if (auto usable = first_fault(*findings, connection); !usable) return usable.error();

  auto reader = Reader::prepare(connection, *tables);
  if (!reader) return reader.error();
  auto waiter = Waiter::prepare(connection, *tables, !connection.pooled());
  if (!waiter) return waiter.error();
  UndatedRows undated(connection, *tables, request.route);
  auto books = std::make_unique<PostgresqlSession>(connection, std::move(*tables));
  auto log = PostgresqlLog::create(*books);
  if (!log) return log.error();
  if (auto done = prepare_read_held(*books); !done) return done.error();
  return Session{std::move(*opened), std::move(books),   std::move(*log),
                 std::move(*reader), std::move(*waiter), std::move(undated)};
}

/// Every error but a fenced write ends the session, so that nobody goes on from a position that it does not
/// back.
template <class T>
Result<T> PostgresqlStore::guarded(Result<T> result) {
  if (!result && result.error().fault != Fault::fenced) session_.reset();
  return result;
}

Error PostgresqlStore::session_over() const {
  return {Fault::unavailable, "postgresql: the session is over; reconnecting (" + place_of(settings_) + ")"};
}

}  // namespace outbox::postgresql
