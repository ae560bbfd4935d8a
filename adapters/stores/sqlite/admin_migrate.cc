// SqliteAdmin: the migrations of the service's database and their record in outbox_migration.
#include <chrono>
#include <string>
#include <string_view>

#include "adapters/stores/sqlite/sqlite_admin.h"
#include "schema/embedded.h"

namespace outbox {
namespace {

using sqlite::Access;
using sqlite::Connection;
using sqlite::quoted_name;
using sqlite::Transaction;

// Other processes that migrate are waited for.
constexpr auto busy = std::chrono::seconds(30);

constexpr const char* record_table =
    "CREATE TABLE IF NOT EXISTS outbox_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum "
    "TEXT NOT "
    "NULL, applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))";

Result<bool> has_table(Connection& connection, const std::string& name) {
  auto statement = connection.prepare(
      "SELECT 1 FROM main.sqlite_master WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE",
      "migrate");
  if (!statement) return statement.error();
  const int code = statement->bind(1, name).step();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return connection.error_of(code, "migrate");
  return code == SQLITE_ROW;
}

Result<std::vector<AppliedMigration>> applied_in(Connection& connection) {
  std::vector<AppliedMigration> result;
  auto there = has_table(connection, "outbox_migration");
  if (!there) return there.error();
  if (!*there) return result;
  auto statement = connection.prepare(
      "SELECT version, name, checksum, applied_at FROM main.outbox_migration ORDER BY version", "migrate");
  if (!statement) return statement.error();
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW)
    result.push_back({static_cast<int>(statement->number(0)), statement->string(1), statement->string(2),
                      statement->string(3)});
  if (code != SQLITE_DONE) return connection.error_of(code, "migrate");
  return result;
}

Result<void> record(Connection& connection, const Migration& migration) {
  auto statement = connection.prepare(
      "INSERT INTO outbox_migration (version, name, checksum) VALUES (?1, ?2, ?3)", "migrate");
  if (!statement) return statement.error();
  const int code = statement->bind(1, std::int64_t{migration.version})
                       .bind(2, migration.name)
                       .bind(3, migration.checksum)
                       .run();
  if (code != SQLITE_DONE) return connection.error_of(code, "migrate");
  return {};
}

std::string name_of(const Migration& migration) {
  return std::to_string(migration.version) + " (" + migration.name + ")";
}

Error refused(std::string text) {
  return {Fault::refused, "sqlite.migrate: " + std::move(text)};
}

}  // namespace

Result<std::vector<AppliedMigration>> SqliteAdmin::migrations() {
  // Asked first: another process may make the database right after.
  if (!sqlite::file_exists(files_.path())) return std::vector<AppliedMigration>();
  auto connection = files_.to_read();
  if (!connection) return connection.error();
  return applied_in(*connection);
}

Result<bool> SqliteAdmin::apply(const Migration& migration) {
  auto connection = Connection::open(files_.path(), Access::create, busy);
  if (!connection) return connection.error();
  // Before the transaction: the mode cannot be changed within one. Stored in the file, for every service that
  // opens it.
  if (auto done = connection->use_wal("migrate"); !done) return done.error();
  auto transaction = Transaction::begin(*connection, "migrate");
  if (!transaction) return transaction.error();
  if (auto done = connection->execute(record_table, "migrate"); !done) return done.error();
  auto applied = applied_in(*connection);
  if (!applied) return applied.error();
  for (const AppliedMigration& one : *applied)
    if (one.version == migration.version) return false;
  if (const int last = applied->empty() ? 0 : applied->back().version; last != migration.version - 1)
    return refused("migration " + name_of(migration) + " cannot follow " + std::to_string(last));

  if (auto done = connection->execute(sqlite::for_table(migration.up, files_.table()), "migrate"); !done)
    return refused("migration " + name_of(migration) + " failed, nothing was changed: " + done.error().text +
                   "; if another tool has applied it, go on with that tool");
  if (auto done = record(*connection, migration); !done) return done.error();
  if (auto done = transaction->commit("migrate"); !done) return done.error();
  return true;
}

/// Rows that some route has not sent, or all when no route has begun; within a transaction on both files.
/// What no route takes is nobody's to send, unless it has still to be found and held as unrouted.
Result<std::int64_t> SqliteAdmin::unsent(Connection& connection, bool has_state) const {
  const std::string rows = files_.rows();
  std::string sql = "SELECT count(*) FROM " + rows;
  if (has_state) {
    if (auto done = files_.create_status_view(connection); !done) return done.error();
    sql =
        "SELECT (SELECT count(DISTINCT seq) FROM temp.outbox_status WHERE state <> 'sent') + "
        "(SELECT count(*) FROM " +
        rows +
        " AS o WHERE o.seq > coalesce((SELECT min(coalesce(seq, 0)) FROM outboxd.outbox_mark), 0) AND "
        "NOT EXISTS (SELECT 1 FROM temp.outbox_status AS s WHERE s.seq = o.seq))";
  }
  auto count = connection.number(sql, "migrate");
  if (!count) return count.error();
  if (auto done = connection.execute("DROP VIEW IF EXISTS temp.outbox_status", "migrate"); !done)
    return done.error();
  return count->value_or(0);
}

Result<void> SqliteAdmin::revert(const Migration& migration, bool force) {
  auto connection = files_.to_write();
  if (!connection) return connection.error();
  auto relay = files_.state(*connection);  // brings its tables up to date
  if (!relay) return relay.error();
  const bool has_state = relay->has_value();
  relay->reset();
  if (has_state)
    if (auto attached = files_.attach_state(*connection); !attached) return attached;
  auto transaction = Transaction::begin(*connection, "migrate");
  if (!transaction) return transaction.error();
  auto applied = applied_in(*connection);
  if (!applied) return applied.error();
  if (applied->empty() || applied->back().version != migration.version)
    return refused("migration " + name_of(migration) + " is not the last one applied; nothing was changed");
  auto lost = unsent(*connection, has_state);
  if (!lost) return lost.error();

  if (auto done = connection->execute(sqlite::for_table(migration.down, files_.table()), "migrate"); !done)
    return done;
  auto kept = has_table(*connection, files_.table());
  if (!kept) return kept.error();
  if (!*kept && *lost > 0 && !force)
    return refused(
        std::to_string(*lost) + " rows of " + quoted_name(files_.table()) +
        " are not sent and would be dropped; let the relay send them, or use --force. Nothing was changed");
  // The marks belong to the rows. Epochs stay, so that a relay that still runs is fenced.
  if (!*kept && has_state)
    if (auto done = connection->execute(
            "UPDATE outboxd.outbox_mark SET seq = NULL, last_id = NULL, owner = '', epoch = "
            "epoch + 1; DELETE FROM outboxd.outbox_held",
            "migrate");
        !done)
      return done;
  const std::string version = std::to_string(migration.version);
  if (auto done = connection->execute("DELETE FROM outbox_migration WHERE version = " + version, "migrate");
      !done)
    return done;
  return transaction->commit("migrate");
}

}  // namespace outbox
