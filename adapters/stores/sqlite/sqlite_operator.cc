#include "adapters/stores/sqlite/sqlite_operator.h"

#include <algorithm>

#include "adapters/stores/sqlite/wall_clock.h"
#include "base/encoding.h"

namespace outbox {
namespace {

using sqlite::Connection;
using sqlite::Statement;

constexpr std::string_view what = "message";

/// As people are shown dates; one that is none, as it stands.
std::string date_text(std::string_view stored) {
  const auto time = parse_timestamp(stored);
  return time ? format_timestamp(*time) : std::string(stored);
}

/// Rows may hold their ids as sixteen bytes. Precondition: a UUID with its dashes.
std::string uuid_bytes(std::string text) {
  std::erase(text, '-');
  return decode_hex(text).value_or("");
}

MessageDetails details_of(const Statement& row) {
  MessageDetails details;
  details.seq = row.number(0);
  details.id = row.string(1);
  details.topic = row.string(2);
  if (!row.is_null(3)) details.key = row.string(3);
  details.type = row.string(4);
  details.content_type = row.string(5);
  details.headers = row.string(6);
  details.created_at = date_text(row.text(7));
  details.deliver_at = date_text(row.text(8));
  details.payload_bytes = row.number(9);
  details.payload = row.string(10);
  return details;
}

Result<void> add_routes(Connection& connection, MessageDetails& details) {
  auto statement =
      connection.prepare("SELECT route, state FROM temp.outbox_status WHERE seq = ?1 ORDER BY route", what);
  if (!statement) return statement.error();
  statement->bind(1, details.seq);
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW)
    details.routes.emplace_back(statement->string(0), statement->string(1));
  if (code != SQLITE_DONE) return connection.error_of(code, what);
  return {};
}

}  // namespace

Result<std::unique_ptr<Operator>> SqliteOperator::create(const StoreTarget& target) {
  auto parsed = sqlite::parse_target(target);
  if (!parsed) return parsed.error();
  return std::unique_ptr<Operator>(new SqliteOperator(sqlite::Files(std::move(*parsed))));
}

Result<SqliteOperator::Opened> SqliteOperator::open() const {
  auto database = files_.to_read();
  if (!database) return database.error();
  auto state = files_.state(*database);
  if (!state) return state.error();
  auto rows = sqlite::RowLookup::open(std::move(*database), files_);
  if (!rows) return rows.error();
  return Opened{std::move(*rows), std::move(*state)};
}

Result<std::optional<MessageDetails>> SqliteOperator::message(const std::optional<std::string>& id,
                                                              std::optional<std::int64_t> seq,
                                                              bool with_payload) {
  auto connection = files_.to_read();
  if (!connection) return connection.error();
  const std::string bytes = id ? uuid_bytes(*id) : "";
  auto statement = connection->prepare(
      "SELECT seq, " + std::string(sqlite::id_text) +
          ", topic, message_key, coalesce(type, topic), content_type, headers, created_at, deliver_at, "
          "length(CAST(payload AS BLOB)), CASE WHEN ?3 THEN payload END FROM " +
          files_.rows() + (id ? " WHERE id = ?1 COLLATE NOCASE OR id = ?4" : " WHERE seq = ?2") +
          " ORDER BY seq LIMIT 1",
      what);
  if (!statement) return statement.error();
  if (id)
    statement->bind(1, *id).bind_blob(4, bytes);
  else
    statement->bind(2, seq.value_or(0));
  statement->bind(3, std::int64_t{with_payload});
  const int code = statement->step();
  if (code == SQLITE_DONE) return std::optional<MessageDetails>();
  if (code != SQLITE_ROW) return connection->error_of(code, what);
  MessageDetails details = details_of(*statement);
  statement->reset();

  auto state = files_.state(*connection);
  if (!state) return state.error();
  if (!*state) return std::optional(std::move(details));
  if (auto done = files_.attach_state(*connection); !done) return done.error();
  if (auto done = connection->execute("PRAGMA query_only = OFF", what); !done) return done.error();
  if (auto done = files_.create_status_view(*connection); !done) return done.error();
  if (auto done = add_routes(*connection, details); !done) return done.error();
  return std::optional(std::move(details));
}

Result<void> SqliteOperator::set_paused(const std::string& route, bool paused, const std::string& actor) {
  constexpr std::string_view deed = "pause";
  auto database = files_.to_read();
  if (!database) return database.error();
  auto state = files_.state(*database);
  if (!state) return state.error();
  const Error unknown{Fault::refused,
                      "sqlite.pause: route " + route + " has never run on " + database->file()};
  if (!*state) return unknown;
  auto transaction = (*state)->begin(deed);
  if (!transaction) return transaction.error();
  Connection& connection = (*state)->connection();
  auto statement = connection.prepare("UPDATE outbox_mark SET paused = ?2 WHERE route = ?1", deed);
  if (!statement) return statement.error();
  const int code = statement->bind(1, route).bind(2, std::int64_t{paused}).run();
  if (code != SQLITE_DONE) return connection.error_of(code, deed);
  if (sqlite3_changes(connection.handle()) == 0) return unknown;
  if (auto noted = (*state)->audit(actor, paused ? "pause" : "resume", route, "{}"); !noted) return noted;
  return transaction->commit(deed);
}

Result<void> SqliteOperator::note(const std::string& action, const std::string& actor) {
  auto database = files_.to_read();
  if (!database) return database.error();
  auto state = files_.state(*database);
  if (!state) return state.error();
  if (!*state) return Error{Fault::refused, "sqlite.note: no relay has run on " + database->file()};
  return (*state)->audit(actor, action, std::nullopt, "{}");
}

}  // namespace outbox
