#include "adapters/stores/sqlite/sqlite_session.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "adapters/stores/sqlite/wall_clock.h"

namespace outbox::sqlite {
namespace {

using std::chrono::microseconds;

class StepRow final : public sql::Row {
 public:
  explicit StepRow(const Statement& statement) : statement_(statement) {}

  [[nodiscard]] bool null(int column) const override { return statement_.is_null(column); }
  [[nodiscard]] std::string_view text(int column) const override { return statement_.text(column); }
  [[nodiscard]] std::int64_t number(int column) const override { return statement_.number(column); }
  [[nodiscard]] bool boolean(int column) const override { return statement_.number(column) != 0; }
  [[nodiscard]] std::string bytes(int column) const override { return statement_.string(column); }

 private:
  const Statement& statement_;
};

void bind(Statement& statement, int place, const sql::Value& value) {
  using enum sql::Value::Kind;
  switch (value.kind()) {
    case null:
      statement.bind(place, nullptr);
      break;
    case number:
    case boolean:
      statement.bind(place, value.number());
      break;
    case text:
      statement.bind(place, value.text());
      break;
  }
}

// ---- functions of the dialect; each has the session's moment as its user data ----

Timestamp moment_of(sqlite3_context* context) {
  return *static_cast<const Timestamp*>(sqlite3_user_data(context));
}

std::string_view text_of(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return text ? std::string_view(text, static_cast<std::size_t>(sqlite3_value_bytes(value)))
              : std::string_view();
}

void answer(sqlite3_context* context, const std::string& text) {
  sqlite3_result_text(context, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

/// Microseconds from now as a date.
void outbox_in(sqlite3_context* context, int, sqlite3_value** arguments) {
  if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return sqlite3_result_null(context);
  answer(context, wall_text(moment_of(context) + microseconds(sqlite3_value_int64(arguments[0]))));
}

/// A date as microseconds from now; NULL when it is none.
void outbox_until(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto time = parse_timestamp(text_of(arguments[0]));
  if (!time) return sqlite3_result_null(context);
  const Duration until = between(moment_of(context), *time);
  sqlite3_result_int64(context, std::chrono::duration_cast<microseconds>(until).count());
}

/// A date or now, whichever is later; now when it is none.
void outbox_later(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto time = parse_timestamp(text_of(arguments[0]));
  answer(context, wall_text(std::max(time.value_or(moment_of(context)), moment_of(context))));
}

/// A date as people are shown it; one that is none, as it stands.
void outbox_shown(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto time = parse_timestamp(text_of(arguments[0]));
  if (!time) return sqlite3_result_value(context, arguments[0]);
  answer(context, format_timestamp(*time));
}

}  // namespace

Result<std::unique_ptr<SqliteSession>> SqliteSession::create(Connection connection, sql::Tables tables) {
  std::unique_ptr<SqliteSession> session(new SqliteSession(std::move(connection), std::move(tables)));
  if (auto added = session->add_functions(); !added) return added.error();
  return session;
}

Result<void> SqliteSession::add_functions() {
  using Function = void (*)(sqlite3_context*, int, sqlite3_value**);
  constexpr std::pair<const char*, Function> functions[] = {{"outbox_in", outbox_in},
                                                            {"outbox_until", outbox_until},
                                                            {"outbox_later", outbox_later},
                                                            {"outbox_shown", outbox_shown}};
  for (const auto& [name, function] : functions) {
    const int code =
        sqlite3_create_function_v2(connection_.handle(), name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, &now_,
                                   function, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return connection_.error_of(code, "open");
  }
  return {};
}

/// Before anything that is not within a transaction already.
Result<void> SqliteSession::look_around(const char* what) {
  if (sqlite3_get_autocommit(connection_.handle()) == 0) return {};
  // A file that was removed or replaced takes writes that nobody will ever read.
  if (connection_.has_moved())
    return Error{Fault::unavailable, "sqlite." + std::string(what) + ": " + connection_.file() +
                                         " was removed or replaced while the relay ran; opening it anew"};
  now_ = wall_clock();
  return {};
}

Result<void> SqliteSession::begin(const char* what, bool writes) {
  if (auto looked = look_around(what); !looked) return looked;
  if (auto begun = connection_.execute("BEGIN", what); !begun) return begun;
  if (!writes) return {};
  // Not BEGIN IMMEDIATE: that would lock the services' database as well, where it is attached.
  auto locked = connection_.execute("DELETE FROM main.outbox_relay WHERE false", what);
  if (!locked) rollback();
  return locked;
}

Result<void> SqliteSession::commit(const char* what) {
  return connection_.execute("COMMIT", what);
}

void SqliteSession::rollback() noexcept {
  // SQLite has rolled back by itself after some failures; a second time does no harm.
  sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<std::int64_t> SqliteSession::run(const char* what, const sql::Call& call, const sql::OnRow& on_row) {
  if (call.rows && call.rows->empty()) return 0;
  if (auto looked = look_around(what); !looked) return looked.error();
  Statement& statement = prepared_[call.statement];
  if (!statement.handle())
    if (auto done = connection_.prepare_into(statement, dialect_.text_of(*call.statement), what); !done)
      return done.error();
  return run_rows(what, statement, call, on_row);
}

Result<std::int64_t> SqliteSession::run(const char* what, const std::string& text,
                                        std::span<const sql::Value> values, const sql::OnRow& on_row) {
  if (auto looked = look_around(what); !looked) return looked.error();
  auto statement = connection_.prepare(dialect_.text_of(text), what);
  if (!statement) return statement.error();
  return run_rows(what, *statement, {nullptr, {values.begin(), values.end()}}, on_row);
}

Result<std::int64_t> SqliteSession::run_rows(const char* what, Statement& statement, const sql::Call& call,
                                             const sql::OnRow& on_row) {
  const int before = sqlite3_total_changes(connection_.handle());
  const StepRow row(statement);
  int place = 0;
  for (const sql::Value& value : call.values) bind(statement, ++place, value);
  const std::size_t times = call.rows ? call.rows->count() : 1;
  bool more = true;
  for (std::size_t i = 0; i < times && more; ++i) {
    for (std::size_t column = 0; call.rows && column < call.rows->width(); ++column)
      bind(statement, place + 1 + static_cast<int>(column), call.rows->at(i, column));
    int code = SQLITE_ROW;
    while (more && (code = statement.step()) == SQLITE_ROW)
      if (on_row) more = on_row(row);
    statement.reset();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return connection_.error_of(code, what);
  }
  return sqlite3_total_changes(connection_.handle()) - before;
}

Result<bool> SqliteSession::run_together(const char* what, std::span<const sql::Call> calls,
                                         const sql::OnRow& on_row) {
  auto transaction = sql::Transaction::begin(*this, what);
  if (!transaction) return transaction.error();
  for (const sql::Call& call : calls) {
    auto changed = run(what, call, &call == &calls.back() ? on_row : sql::OnRow());
    if (!changed) return changed.error();
    if (&call == &calls.front() && *changed == 0) return false;
  }
  if (auto committed = transaction->commit(); !committed) return committed.error();
  return true;
}

Error SqliteSession::error(Fault fault, std::string_view what, const std::string& text) const {
  return {fault, "sqlite." + std::string(what) + ": " + text + " (" + connection_.file() + ")"};
}

}  // namespace outbox::sqlite
