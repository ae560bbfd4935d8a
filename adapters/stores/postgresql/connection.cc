#include "adapters/stores/postgresql/connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <utility>
#include <vector>

#include "adapters/stores/postgresql/pooler.h"
#include "base/background.h"

namespace outbox::postgresql {
namespace {

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text)
    if (c != '\n')
      line += c == '\t' ? ' ' : c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

void ignore_notice(void*, const PGresult*) {}

constexpr std::chrono::seconds cancel_time_max{2};

}  // namespace

// https://www.postgresql.org/docs/current/errcodes-appendix.html: what stays wrong until somebody changes
// something
Fault fault_of(std::string_view state) {
  if (state == "25006" || state == "0A000") return Fault::misconfigured;  // read-only; not supported
  for (const std::string_view group :
       {"28", "3D", "3F", "42"})  // password, database, schema, names and grants
    if (state.starts_with(group)) return Fault::misconfigured;
  return Fault::unavailable;
}

// A failed connect has no code, only text, and the text is the server's language. What is not recognised is
// unavailable.
Fault fault_of_connect(std::string_view text) {
  for (const std::string_view sign :
       {"password authentication failed", "no password supplied", "no pg_hba.conf entry", "does not exist",
        "is not permitted to log in", "certificate verify failed", "does not support SSL"})
    if (text.find(sign) != std::string_view::npos && text.find("No such file") == std::string_view::npos)
      return Fault::misconfigured;
  return Fault::unavailable;
}

int Rows::changed() const {
  const std::string_view text = PQcmdTuples(result_.get());
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::int64_t Rows::integer(int row, int column) const {
  const std::string_view value = text(row, column);
  std::int64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionSettings& settings,
                                                     std::chrono::seconds answer_deadline) {
  auto connection = connect(settings, answer_deadline);
  if (!connection) return connection;
  const auto backend = backend_of(**connection);
  if (!backend) return backend.error();
  (*connection)->pooled_ = *backend != PQbackendPID((*connection)->connection_.get());
  if (!(*connection)->pooled_) return connection;
  auto other = connect(settings, answer_deadline);
  if (!other) return other;
  if (auto kept = check_pooler(**connection, **other); !kept) return kept.error();
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::connect(const ConnectionSettings& settings,
                                                        std::chrono::seconds answer_deadline) {
  std::vector<const char*> names, values;
  for (const auto& [name, value] : settings) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<Connection> connection(
      new Connection(PQconnectdbParams(names.data(), values.data(), 0), place_of(settings), answer_deadline));
  if (connection->lost()) {
    const std::string why = one_line(PQerrorMessage(connection->connection_.get()));
    return Error{fault_of_connect(why), "postgresql.connect: " + (why.empty() ? "out of memory" : why) +
                                            " (" + connection->place_ + ")"};
  }
  PQsetNoticeReceiver(connection->connection_.get(), &ignore_notice, nullptr);
  const char* encoding = PQparameterStatus(connection->connection_.get(), "server_encoding");
  connection->encoding_ = encoding ? encoding : "UTF8";
  // What has no encoding is not converted either; asked for UTF-8, the server refuses bytes that are none.
  if (connection->encoding_ == "SQL_ASCII")
    if (auto set = connection->run("connect", "SET client_encoding = 'SQL_ASCII'"); !set) return set.error();
  return connection;
}

Result<Rows> Connection::run(const char* what, const std::string& sql) {
  return collect(what, PQsendQuery(connection_.get(), sql.c_str()) == 1);
}

Result<Rows> Connection::run(const char* what, const std::string& sql, const Parameters& parameters) {
  return collect(what, PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(parameters.size()),
                                         nullptr, parameters.data(), nullptr, nullptr, 0) == 1);
}

Result<void> Connection::prepare(const char* name, const std::string& sql) {
  auto done = collect("prepare", PQsendPrepare(connection_.get(), name, sql.c_str(), 0, nullptr) == 1);
  if (!done) return done.error();
  return {};
}

Result<Rows> Connection::run_prepared(const char* what, const char* name, const Parameters& parameters) {
  return collect(what, PQsendQueryPrepared(connection_.get(), name, static_cast<int>(parameters.size()),
                                           parameters.data(), nullptr, nullptr, 0) == 1);
}

Result<void> Connection::start(const char* what, const char* name, const Parameters& parameters) {
  if (PQsendQueryPrepared(connection_.get(), name, static_cast<int>(parameters.size()), parameters.data(),
                          nullptr, nullptr, 1) != 1)
    return error_of(what, nullptr);
  const int single_row = PQsetSingleRowMode(connection_.get());
  assert(single_row == 1);
  return {};
}

Result<Rows> Connection::next(const char* what) {
  while (PQisBusy(connection_.get()) != 0)
    if (!await_input()) return error_of(what, nullptr);
  PGresult* result = PQgetResult(connection_.get());
  if (!result) return Rows();
  switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
      return Rows(result);
    case PGRES_TUPLES_OK: {
      // the end of the rows: the statement is over once libpq says so
      Rows end(result);
      while (PGresult* rest = PQgetResult(connection_.get())) PQclear(rest);
      return end;
    }
    default: {
      Error error = error_of(what, result);
      PQclear(result);
      while (PGresult* rest = PQgetResult(connection_.get())) PQclear(rest);
      return error;
    }
  }
}

Result<void> Connection::abandon(const char* what) {
  if (!cancel()) {
    Error error = error_of(what, nullptr);
    connection_.reset();
    return error;
  }
  for (;;) {
    while (PQisBusy(connection_.get()) != 0)
      if (!await_input()) return error_of(what, nullptr);
    PGresult* result = PQgetResult(connection_.get());
    if (!result) break;
    PQclear(result);
  }
  // The server may see the request only after the statement has ended and then cancel the next one: that is
  // this one.
  auto flushed = collect(what, PQsendQuery(connection_.get(), "SELECT pg_sleep(0)") == 1);
  if (!flushed && lost()) return flushed.error();
  return {};
}

/// False: it is on its way, for as long as the network likes, and may hit whatever this session runs then.
/// One that fails costs time, not truth: the rest is read and thrown away all the same.
bool Connection::cancel() {
  const std::shared_ptr<PGcancel> cancel(PQgetCancel(connection_.get()), &PQfreeCancel);
  if (!cancel) return true;
  BackgroundThread thread("pg-cancel", [cancel] {
    std::array<char, 256> why{};
    PQcancel(cancel.get(), why.data(), static_cast<int>(why.size()));
  });
  return thread.join_within(cancel_time_max);
}

bool Connection::consume() {
  return PQconsumeInput(connection_.get()) == 1 && !lost();
}

bool Connection::notified() {
  bool any = false;
  while (PGnotify* notification = PQnotifies(connection_.get())) {
    any = true;
    PQfreemem(notification);
  }
  return any;
}

Error Connection::error_of(const char* what, const PGresult* result) {
  const char* state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  const char* primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
  std::string why = one_line(primary ? primary : PQerrorMessage(connection_.get()));
  if (why.empty()) why = "the server did not answer in time";
  // character_not_in_repertoire, untranslatable_character
  const std::string_view code = state ? state : "";
  conversion_fault_ = code == "22021" || code == "22P05" ? why : "";
  const Fault fault = state && !lost() ? fault_of(state) : Fault::unavailable;
  return {fault, std::string("postgresql.") + what + ": " + why + " (" + place_ + ")"};
}

Result<Rows> Connection::collect(const char* what, bool sent) {
  if (!sent) return error_of(what, nullptr);
  Rows last;
  std::optional<Error> error;
  for (;;) {
    while (PQisBusy(connection_.get()) != 0)
      if (!await_input()) return error_of(what, nullptr);
    PGresult* result = PQgetResult(connection_.get());
    if (!result) break;
    Rows rows(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
      last = std::move(rows);
    else if (!error)
      error = error_of(what, result);
  }
  if (error) return *error;
  return last;
}

// https://www.postgresql.org/docs/current/libpq-pipeline-mode.html: what is sent up to a sync is one
// transaction.
bool Connection::send_together(const std::vector<Step>& steps) {
  if (PQenterPipelineMode(connection_.get()) != 1) return false;
  for (const Step& step : steps)
    if (PQsendQueryPrepared(connection_.get(), step.statement, static_cast<int>(step.parameters.size()),
                            step.parameters.data(), nullptr, nullptr, 0) != 1)
      return false;
  return PQpipelineSync(connection_.get()) == 1;
}

Result<std::vector<Rows>> Connection::run_together(const char* what, const std::vector<Step>& steps) {
  if (!send_together(steps)) return error_of(what, nullptr);
  std::vector<Rows> results;
  std::optional<Error> error;
  std::size_t ended = 0;
  for (bool synced = false; !synced;) {
    while (PQisBusy(connection_.get()) != 0)
      if (!await_input()) return error_of(what, nullptr);
    PGresult* result = PQgetResult(connection_.get());
    if (!result) {  // the end of one step
      if (lost() || ++ended > steps.size()) return error_of(what, nullptr);
      continue;
    }
    Rows rows(result);
    const ExecStatusType status = PQresultStatus(result);
    synced = status == PGRES_PIPELINE_SYNC;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
      results.push_back(std::move(rows));
    else if (!synced && !error)
      error = error_of(what, result);
  }
  if (PQexitPipelineMode(connection_.get()) != 1) return error_of(what, nullptr);
  if (error) return *error;
  assert(results.size() == steps.size());
  return results;
}

bool Connection::await_input() {
  if (lost()) return false;
  PQflush(connection_.get());
  pollfd wanted{socket(), POLLIN, 0};
  int ready = 0;
  do ready = poll(&wanted, 1, static_cast<int>(answer_deadline_.count()));
  while (ready < 0 && errno == EINTR);
  return ready > 0 && consume();
}

std::string quoted_identifier(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + '"';
}

}  // namespace outbox::postgresql
