#include "adapters/stores/sqlite/sqlite_upkeep.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "adapters/stores/sqlite/held_rows.h"
#include "adapters/stores/sqlite/retention.h"
#include "adapters/stores/sqlite/row_lookup.h"
#include "adapters/stores/sqlite/wall_clock.h"

namespace outbox {
namespace {

using sqlite::Connection;
using sqlite::StateFile;

constexpr auto forgotten_after = std::chrono::hours(24);
constexpr const char* everything = R"(["*"])";

/// How far the slowest shard of a route has got, and what the route takes.
struct Reach {
  std::int64_t mark = 0;
  std::string topics = everything;
};

Result<Reach> reach_of(StateFile& state, const std::string& route) {
  Connection& connection = state.connection();
  auto statement = connection.prepare(
      "SELECT min(coalesce(seq, 0)), min(topics) FROM outbox_mark WHERE route = ?1 GROUP BY route",
      "backlog");
  if (!statement) return statement.error();
  const int code = statement->bind(1, route).step();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return connection.error_of(code, "backlog");
  return code == SQLITE_ROW ? Reach{statement->number(0), statement->string(1)} : Reach{};
}

}  // namespace

Result<std::unique_ptr<Upkeep>> SqliteUpkeep::create(const StoreTarget& target) {
  auto parsed = sqlite::parse_target(target);
  if (!parsed) return parsed.error();
  return std::unique_ptr<Upkeep>(new SqliteUpkeep(sqlite::Files(std::move(*parsed))));
}

Result<std::optional<StateFile>> SqliteUpkeep::state() const {
  auto database = files_.to_read();
  if (!database) return database.error();
  return files_.state(*database);
}

Result<std::vector<RouteShard>> SqliteUpkeep::routes() {
  std::vector<RouteShard> result;
  auto file = state();
  if (!file) return file.error();
  if (!*file) return result;
  Connection& connection = (*file)->connection();
  auto statement = connection.prepare(
      "SELECT route, shard, owner, epoch, paused, held_version FROM outbox_mark ORDER BY route, shard",
      "routes");
  if (!statement) return statement.error();
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW)
    result.push_back({statement->string(0), static_cast<int>(statement->number(1)), statement->string(2),
                      statement->number(3), statement->number(4) != 0, statement->number(5)});
  if (code != SQLITE_DONE) return connection.error_of(code, "routes");
  return result;
}

Result<Backlog> SqliteUpkeep::backlog(const std::string& route) {
  auto database = files_.to_read();
  if (!database) return database.error();
  auto file = files_.state(*database);
  if (!file) return file.error();
  Reach reach;
  if (*file) {
    auto found = reach_of(**file, route);
    if (!found) return found.error();
    reach = std::move(*found);
  }
  const std::string from =
      " FROM " + files_.rows() + " WHERE seq > ?1" +
      (reach.topics == everything
           ? ""
           : " AND EXISTS (SELECT 1 FROM json_each(?2) AS pattern WHERE topic GLOB pattern.value)");
  auto statement = database->prepare(
      "SELECT count(*), (SELECT created_at" + from + " ORDER BY seq LIMIT 1)" + from, "backlog");
  if (!statement) return statement.error();
  statement->bind(1, reach.mark).bind(2, reach.topics);
  const int code = statement->step();
  if (code != SQLITE_ROW) return database->error_of(code, "backlog");
  Backlog result;
  result.pending = statement->number(0);
  if (const auto oldest = parse_timestamp(statement->text(1)))
    result.oldest_age = between(*oldest, sqlite::wall_clock());
  return result;
}

Result<std::map<HeldState, std::int64_t>> SqliteUpkeep::held(const std::string& route) {
  std::map<HeldState, std::int64_t> counts;
  auto file = state();
  if (!file) return file.error();
  if (!*file) return counts;
  Connection& connection = (*file)->connection();
  auto statement = connection.prepare(
      "SELECT count(*) FROM outbox_held INDEXED BY outbox_held_state WHERE state = ?1 AND route = ?2",
      "held");
  if (!statement) return statement.error();
  for (const HeldState one : {HeldState::retrying, HeldState::blocked, HeldState::scheduled, HeldState::dead,
                              HeldState::unrouted}) {
    const int code = statement->bind(1, name_of(one)).bind(2, route).step();
    if (code != SQLITE_ROW) return connection.error_of(code, "held");
    if (const std::int64_t count = statement->number(0); count > 0) counts[one] = count;
    statement->reset();
  }
  return counts;
}

Result<std::vector<BlockedKey>> SqliteUpkeep::blocked_keys(const std::string& route, std::size_t keys_max) {
  std::vector<BlockedKey> keys;
  auto database = files_.to_read();
  if (!database) return database.error();
  auto file = files_.state(*database);
  if (!file) return file.error();
  if (!*file) return keys;
  auto rows = sqlite::RowLookup::open(std::move(*database), files_);
  if (!rows) return rows.error();
  Connection& connection = (*file)->connection();
  auto statement = connection.prepare(
      "SELECT q.message_key, q.seq, h.state, h.attempts, h.last_error, h.held_at, q.rows FROM ("
      "SELECT message_key, min(seq) AS seq, count(*) AS rows FROM outbox_held INDEXED BY outbox_held_queue "
      "WHERE route = ?1 AND message_key IS NOT NULL AND blocks = 1 GROUP BY message_key) AS q "
      "CROSS JOIN outbox_held AS h ON h.route = ?1 AND h.seq = q.seq ORDER BY h.held_at, q.seq LIMIT ?2",
      "held");
  if (!statement) return statement.error();
  const Timestamp now = sqlite::wall_clock();
  statement->bind(1, route).bind(2, static_cast<std::int64_t>(std::min<std::size_t>(keys_max, INT32_MAX)));
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    BlockedKey& key = keys.emplace_back();
    key.key = statement->string(0);
    key.seq = statement->number(1);
    key.state = sqlite::held_state_of(statement->text(2));
    key.attempts = static_cast<int>(statement->number(3));
    key.last_error = statement->string(4);
    if (const auto held_at = parse_timestamp(statement->text(5)))
      key.age = std::max(between(*held_at, now), Duration::zero());
    key.rows = statement->number(6);
    auto row = rows->find(key.seq);
    if (!row) return row.error();
    if (*row) key.id = (*row)->id;
  }
  if (code != SQLITE_DONE) return connection.error_of(code, "held");
  return keys;
}

Result<Removed> SqliteUpkeep::remove_sent(const Retention& retention) {
  return sqlite::remove_sent_rows(files_, retention, removed_up_to_);
}

Result<std::vector<std::string>> SqliteUpkeep::unrouted_topics() {
  auto database = files_.to_read();
  if (!database) return database.error();
  auto file = files_.state(*database);
  if (!file) return file.error();
  if (!*file) return std::vector<std::string>();
  auto rows = sqlite::RowLookup::open(std::move(*database), files_);
  if (!rows) return rows.error();
  Connection& connection = (*file)->connection();
  auto statement =
      connection.prepare("SELECT DISTINCT seq FROM outbox_held WHERE state = 'unrouted'", "held");
  if (!statement) return statement.error();
  std::set<std::string> topics;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    auto row = rows->find(statement->number(0));
    if (!row) return row.error();
    if (*row) topics.insert((*row)->topic);
  }
  if (code != SQLITE_DONE) return connection.error_of(code, "held");
  return std::vector<std::string>(topics.begin(), topics.end());
}

Result<std::vector<RelayMember>> SqliteUpkeep::join(const std::string& owner) {
  auto database = files_.to_read();
  if (!database) return database.error();
  auto file = StateFile::open(database->file(), sqlite::Access::create);
  if (!file) return file.error();
  Connection& connection = file->connection();
  auto transaction = file->begin("join");
  if (!transaction) return transaction.error();
  auto beat = connection.prepare(
      "INSERT INTO outbox_relay (owner, beat, seen_at) VALUES (?1, 1, ?2) "
      "ON CONFLICT (owner) DO UPDATE SET beat = beat + 1, seen_at = ?2",
      "join");
  if (!beat) return beat.error();
  const Timestamp now = sqlite::wall_clock();
  const std::string seen = sqlite::wall_text(now), long_ago = sqlite::wall_text(now - forgotten_after);
  if (const int code = beat->bind(1, owner).bind(2, seen).run(); code != SQLITE_DONE)
    return connection.error_of(code, "join");
  auto forget = connection.prepare("DELETE FROM outbox_relay WHERE seen_at < ?1", "join");
  if (!forget) return forget.error();
  if (const int code = forget->bind(1, long_ago).run(); code != SQLITE_DONE)
    return connection.error_of(code, "join");
  auto all = connection.prepare("SELECT owner, beat FROM outbox_relay ORDER BY owner", "join");
  if (!all) return all.error();
  std::vector<RelayMember> members;
  int code = SQLITE_ROW;
  while ((code = all->step()) == SQLITE_ROW) members.push_back({all->string(0), all->number(1)});
  if (code != SQLITE_DONE) return connection.error_of(code, "join");
  all->reset();
  if (auto committed = transaction->commit("join"); !committed) return committed.error();
  return members;
}

Result<void> SqliteUpkeep::leave(const std::string& owner) {
  auto file = state();
  if (!file) return file.error();
  if (!*file) return {};
  Connection& connection = (*file)->connection();
  auto statement = connection.prepare("DELETE FROM outbox_relay WHERE owner = ?1", "leave");
  if (!statement) return statement.error();
  if (const int code = statement->bind(1, owner).run(); code != SQLITE_DONE)
    return connection.error_of(code, "leave");
  return {};
}

}  // namespace outbox
