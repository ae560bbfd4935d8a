#include "adapters/stores/sqlite/state_file.h"

#include <chrono>

#include "adapters/stores/sqlite/target.h"
#include "base/json_text.h"
#include "base/text.h"
#include "schema/embedded.h"

namespace outbox::sqlite {
namespace {

// Every transaction on this file is a few rows; who holds it longer is stuck.
constexpr auto busy = std::chrono::seconds(1);

constexpr std::string_view mine = " WHERE route = ?1 AND shard = ?2 AND epoch = ?3 AND owner IS NOT NULL";
constexpr std::string_view now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

std::string sql(std::initializer_list<std::string_view> pieces) {
  std::string result;
  for (const auto piece : pieces) result += piece;
  return result;
}

}  // namespace

Result<StateFile> StateFile::open(const std::string& database, Access access) {
  const std::string path = state_path_of(database);
  auto connection = Connection::open(path, access, busy);
  if (!connection) {
    Error error = connection.error();
    if (access == Access::create)
      error.text +=
          "; the relay keeps its marks in this file: give its user the right to write it and to create files "
          "beside the database";
    return error;
  }
  StateFile file(std::move(*connection));
  if (auto prepared = file.prepare(); !prepared) return prepared.error();
  return file;
}

Result<void> StateFile::prepare() {
  // A mark that a power failure takes back repeats more than the window: FULL, so that it is on the disk when
  // settle returns.
  if (auto done = connection_.use_wal("state.open"); !done) return done;
  if (auto done = connection_.execute("PRAGMA synchronous = FULL", "state.open"); !done) return done;
  if (auto done = migrate(); !done) return done;
  constexpr std::string_view what = "state.open";
  if (auto done =
          connection_.prepare_into(renew_, sql({"UPDATE outbox_mark SET beat = beat + 1", mine}), what);
      !done)
    return done;
  if (auto done = connection_.prepare_into(
          release_, sql({"UPDATE outbox_mark SET owner = NULL, beat = beat + 1", mine}), what);
      !done)
    return done;
  // The row at a mark that stays may be removed meanwhile; its id still tells a restored database.
  return connection_.prepare_into(
      save_,
      sql({"UPDATE outbox_mark SET beat = beat + 1, last_id = CASE WHEN seq = ?4 THEN coalesce(?5, last_id) "
           "ELSE ?5 END, seq = ?4, saved_at = ",
           now, mine}),
      what);
}

Result<void> StateFile::migrate() {
  constexpr std::string_view what = "state.migrate";
  const auto migrations = sqlite_state_migrations();
  const auto newest = static_cast<std::int64_t>(migrations.size());
  auto version = connection_.number("PRAGMA user_version", what);
  if (!version) return version.error();
  if (*version == newest) return {};

  auto transaction = begin(what);
  if (!transaction) return transaction.error();
  version = connection_.number("PRAGMA user_version", what);  // another relay may have been faster
  if (!version) return version.error();
  if (version->value_or(0) > newest)
    return Error{Fault::misconfigured,
                 "sqlite.state: " + connection_.file() +
                     " was written by a newer outboxd; run that version or a later one"};
  for (const Migration& migration : migrations.subspan(static_cast<std::size_t>(version->value_or(0))))
    if (auto done = connection_.execute(migration.up, what); !done) return done;
  if (auto done = connection_.execute("PRAGMA user_version = " + std::to_string(newest), what); !done)
    return done;
  return transaction->commit(what);
}

Result<std::vector<MarkRow>> StateFile::load(const std::string& route) {
  constexpr std::string_view what = "state.load";
  auto statement = connection_.prepare(
      "SELECT shard, shards, owner, epoch, beat, seq, last_id, paused FROM outbox_mark "
      "WHERE route = ?1 OR ?1 = '' ORDER BY route, shard",
      what);
  if (!statement) return statement.error();
  statement->bind(1, route);
  std::vector<MarkRow> rows;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    MarkRow& row = rows.emplace_back();
    row.shard = static_cast<int>(statement->number(0));
    row.shards = static_cast<int>(statement->number(1));
    row.owner = statement->string(2);
    row.epoch = statement->number(3);
    row.beat = statement->number(4);
    if (!statement->is_null(5)) row.seq = statement->number(5);
    if (!statement->is_null(6)) row.last_id = statement->string(6);
    row.paused = statement->number(7) != 0;
  }
  if (code != SQLITE_DONE) return connection_.error_of(code, what);
  return rows;
}

Result<void> StateFile::store(const std::string& route, const MarkRow& row) {
  auto statement = connection_.prepare(sql({"INSERT INTO outbox_mark (route, shard, shards, owner, epoch, "
                                            "beat, seq, last_id, paused, saved_at) "
                                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ",
                                            now,
                                            ") ON CONFLICT (route, shard) DO UPDATE SET shards = ?3, owner = "
                                            "?4, epoch = ?5, beat = ?6, seq = ?7, "
                                            "last_id = ?8, paused = ?9"}),
                                       "state.store");
  if (!statement) return statement.error();
  statement->bind(1, route).bind(2, std::int64_t{row.shard}).bind(3, std::int64_t{row.shards});
  statement->bind(5, row.epoch).bind(6, row.beat).bind_optional(8, row.last_id);
  statement->bind(9, std::int64_t{row.paused});
  if (!row.owner.empty()) statement->bind(4, row.owner);
  if (row.seq) statement->bind(7, *row.seq);
  return run(*statement, "state.store");
}

Result<void> StateFile::forget(const std::string& route) {
  auto statement = connection_.prepare("DELETE FROM outbox_mark WHERE route = ?1", "state.store");
  if (!statement) return statement.error();
  return run(statement->bind(1, route), "state.store");
}

Result<void> StateFile::set_topics(const std::string& route, const std::vector<std::string>& patterns) {
  // SQLite's GLOB knows more than the route's patterns, in which only * is special.
  std::string globs = "[";
  for (const std::string& pattern : patterns) {
    if (!is_utf8(pattern)) continue;  // JSON cannot hold it; only the view misses it
    std::string glob;
    for (const char c : pattern)
      if (c == '[' || c == '?')
        glob += {'[', c, ']'};
      else
        glob += c;
    if (globs.size() > 1) globs += ',';
    append_json_string(globs, glob);
  }
  globs += ']';
  auto statement = connection_.prepare("UPDATE outbox_mark SET topics = ?2 WHERE route = ?1", "state.store");
  if (!statement) return statement.error();
  return run(statement->bind(1, route).bind(2, globs), "state.store");
}

Result<void> StateFile::held_changed(const std::string& route) {
  auto statement = connection_.prepare(
      "UPDATE outbox_mark SET held_version = held_version + 1 WHERE route = ?1", "state.store");
  if (!statement) return statement.error();
  return run(statement->bind(1, route), "state.store");
}

Result<void> StateFile::run(Statement& statement, std::string_view what) {
  const int code = statement.run();
  if (code != SQLITE_DONE) return connection_.error_of(code, what);
  return {};
}

Result<void> StateFile::fenced_run(Statement& statement, const Lease& lease, std::string_view what) {
  // A file that was removed or replaced takes writes that nobody will ever read.
  if (connection_.has_moved())
    return Error{Fault::unavailable, "sqlite." + std::string(what) + ": " + connection_.file() +
                                         " was removed or replaced while the relay ran; opening it anew"};
  const int code =
      statement.bind(1, lease.route).bind(2, std::int64_t{lease.shard}).bind(3, lease.epoch).run();
  if (code != SQLITE_DONE) {
    Error error = connection_.error_of(code, what);
    error.fault = Fault::unavailable;
    return error;
  }
  if (sqlite3_changes(connection_.handle()) == 0)
    return Error{Fault::fenced,
                 "sqlite." + std::string(what) + ": another relay has taken over route " + lease.route};
  return {};
}

Result<void> StateFile::renew(const Lease& lease) {
  return fenced_run(renew_, lease, "renew");
}

Result<void> StateFile::release(const Lease& lease) {
  return fenced_run(release_, lease, "release");
}

Result<void> StateFile::save(const Lease& lease, std::int64_t seq,
                             const std::optional<std::string>& last_id) {
  save_.bind(4, seq).bind_optional(5, last_id);
  return fenced_run(save_, lease, "settle");
}

Result<void> StateFile::audit(std::string_view actor, std::string_view action,
                              const std::optional<std::string>& route, std::string_view detail) {
  auto statement = connection_.prepare(
      "INSERT INTO outbox_audit (actor, action, route, detail) VALUES (?1, ?2, ?3, ?4)", "audit");
  if (!statement) return statement.error();
  return run(statement->bind(1, actor).bind(2, action).bind_optional(3, route).bind(4, detail), "audit");
}

}  // namespace outbox::sqlite
