#include "adapters/stores/sqlite/state_file.h"

#include <chrono>

#include "adapters/stores/sqlite/target.h"
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
  if (auto done = connection_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", "state.open");
      !done)
    return done;
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
  return connection_.prepare_into(
      save_, sql({"UPDATE outbox_mark SET beat = beat + 1, seq = ?4, last_id = ?5, saved_at = ", now, mine}),
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

Result<std::optional<MarkRow>> StateFile::load(const std::string& route, int shard) {
  constexpr std::string_view what = "state.acquire";
  auto statement = connection_.prepare(
      "SELECT owner, epoch, beat, seq, last_id, paused FROM outbox_mark WHERE route = ?1 AND shard = ?2",
      what);
  if (!statement) return statement.error();
  const int code = statement->bind(1, route).bind(2, std::int64_t{shard}).step();
  if (code == SQLITE_DONE) return std::optional<MarkRow>();
  if (code != SQLITE_ROW) return connection_.error_of(code, what);
  MarkRow row;
  row.owner = statement->string(0);
  row.epoch = statement->number(1);
  row.beat = statement->number(2);
  if (!statement->is_null(3)) row.seq = statement->number(3);
  if (!statement->is_null(4)) row.last_id = statement->string(4);
  row.paused = statement->number(5) != 0;
  return std::optional<MarkRow>(std::move(row));
}

Result<void> StateFile::store(const std::string& route, int shard, const MarkRow& row) {
  constexpr std::string_view what = "state.acquire";
  auto statement =
      connection_.prepare(sql({"INSERT INTO outbox_mark (route, shard, owner, epoch, beat, seq, last_id, "
                               "paused, saved_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ",
                               now,
                               ") ON CONFLICT (route, shard) DO UPDATE SET owner = ?3, epoch = ?4, "
                               "beat = ?5, seq = ?6, last_id = ?7, paused = ?8"}),
                          what);
  if (!statement) return statement.error();
  statement->bind(1, route).bind(2, std::int64_t{shard}).bind(4, row.epoch).bind(5, row.beat);
  statement->bind_optional(7, row.last_id).bind(8, std::int64_t{row.paused});
  if (!row.owner.empty()) statement->bind(3, row.owner);
  if (row.seq) statement->bind(6, *row.seq);
  const int code = statement->run();
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

Result<void> StateFile::hold(const Lease& lease, std::span<const Hold> holds) {
  if (holds.empty()) return {};
  constexpr std::string_view what = "settle";
  auto statement = connection_.prepare(
      "INSERT OR REPLACE INTO outbox_held (route, seq, shard, message_key, state, attempts, next_attempt_at, "
      "last_error) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?7), ?8)",
      what);
  if (!statement) return statement.error();
  for (const Hold& hold : holds) {
    const auto due =
        std::chrono::duration_cast<std::chrono::milliseconds>(hold.due_in.value_or(Duration::zero())).count();
    const std::string shift = std::to_string(static_cast<double>(due) / 1000) + " seconds";
    statement->bind(1, lease.route).bind(2, hold.seq).bind(3, std::int64_t{lease.shard});
    statement->bind(4, nullptr).bind(5, name_of(hold.state)).bind(6, std::int64_t{hold.attempts});
    if (hold.key) statement->bind(4, *hold.key);
    statement->bind(7, shift).bind(8, hold.last_error);
    const int code = statement->run();
    if (code != SQLITE_DONE) return connection_.error_of(code, what);
  }
  return {};
}

Result<void> StateFile::audit(std::string_view action, const std::string& route, const std::string& detail) {
  auto statement = connection_.prepare(
      "INSERT INTO outbox_audit (actor, action, route, detail) VALUES ('outboxd', ?1, ?2, ?3)", "audit");
  if (!statement) return statement.error();
  const int code = statement->bind(1, action).bind(2, route).bind(3, detail).run();
  if (code != SQLITE_DONE) return connection_.error_of(code, "audit");
  return {};
}

}  // namespace outbox::sqlite
