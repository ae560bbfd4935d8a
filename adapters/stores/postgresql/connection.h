// One libpq connection and its results. Owned by one thread; every call has a deadline after which the
// connection is lost.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/postgresql/connection_settings.h"
#include "base/result.h"

namespace outbox::postgresql {

/// A result set in text or binary format. Views live as long as it.
class Rows {
 public:
  Rows() = default;
  explicit Rows(PGresult* result) : result_(result, &PQclear) {}

  [[nodiscard]] int count() const { return PQntuples(result_.get()); }
  [[nodiscard]] int changed() const;  ///< how many rows an INSERT, UPDATE or DELETE touched
  [[nodiscard]] bool null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  [[nodiscard]] std::string_view text(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  [[nodiscard]] std::string string(int row, int column) const { return std::string(text(row, column)); }
  [[nodiscard]] bool boolean(int row, int column) const { return text(row, column) == "t"; }
  [[nodiscard]] std::int64_t integer(int row, int column) const;  ///< of a text result

  [[nodiscard]] PGresult* get() const { return result_.get(); }

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_{nullptr, &PQclear};
};

/// Parameters in text format; nullptr is NULL.
using Parameters = std::vector<const char*>;

/// A prepared statement among several that run together.
struct Step {
  const char* statement;
  Parameters parameters;
};

class Connection {
 public:
  /// Answers are awaited so long: longer than the server's own statement_timeout, so that only a server that
  /// no longer answers at all runs into it. Errors: unavailable; misconfigured (wrong password, no such
  /// database or role, a pooler that hands out sessions by transaction: what is set on one would stay there).
  static Result<std::unique_ptr<Connection>> open(
      const ConnectionSettings& settings, std::chrono::seconds answer_deadline = std::chrono::seconds(45));

  /// One or more statements without parameters; the last one's result. `what` names the step in error texts.
  Result<Rows> run(const char* what, const std::string& sql);
  /// One statement with parameters, text results.
  Result<Rows> run(const char* what, const std::string& sql, const Parameters& parameters);
  Result<void> prepare(const char* name, const std::string& sql);
  Result<Rows> run_prepared(const char* what, const char* name, const Parameters& parameters);

  /// All of them in one transaction and one round trip; the result of each, in text format. An error undoes
  /// all. The first must be one that returns no rows: for it libpq keeps to what start() asked for before.
  Result<std::vector<Rows>> run_together(const char* what, const std::vector<Step>& steps);

  /// Begins a prepared statement whose rows come one by one, in binary format, so that memory is bounded by
  /// the reader and not by the result. Until next() has said that there are no more, or abandon() was called,
  /// nothing else may run.
  Result<void> start(const char* what, const char* name, const Parameters& parameters);
  /// The next row; a result without one after the last.
  Result<Rows> next(const char* what);
  /// Cancels what start() began and throws the rest away. Errors: unavailable; the connection is lost where
  /// the server does not take the cancellation in time.
  Result<void> abandon(const char* what);

  /// Reads what the server sent unasked. False: the connection is lost.
  bool consume();
  /// Whether a notification has come on any channel; forgets them all.
  bool notified();

  [[nodiscard]] int socket() const { return PQsocket(connection_.get()); }
  [[nodiscard]] bool lost() const { return PQstatus(connection_.get()) != CONNECTION_OK; }
  [[nodiscard]] int server_version() const { return PQserverVersion(connection_.get()); }
  /// Of the database; texts of SQL_ASCII come and go as the bytes that they are, others as UTF-8.
  [[nodiscard]] const std::string& encoding() const { return encoding_; }
  /// Why the last answer was an error, if a text that the database cannot write or we cannot read was the
  /// reason; else empty.
  [[nodiscard]] const std::string& conversion_fault() const { return conversion_fault_; }
  /// A pooler is between us and the server, and keeps one session for us.
  [[nodiscard]] bool pooled() const { return pooled_; }
  [[nodiscard]] const std::string& place() const { return place_; }

  /// "postgresql.<what>: <why> (<place>)", with the fault that the server's code means.
  Error error_of(const char* what, const PGresult* result);

 private:
  Connection(PGconn* connection, std::string place, std::chrono::milliseconds answer_deadline)
      : connection_(connection, &PQfinish), place_(std::move(place)), answer_deadline_(answer_deadline) {}
  static Result<std::unique_ptr<Connection>> connect(const ConnectionSettings& settings,
                                                     std::chrono::seconds answer_deadline);
  Result<Rows> collect(const char* what, bool sent);
  bool cancel();
  bool send_together(const std::vector<Step>& steps);
  bool await_input();

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  std::string place_;
  std::chrono::milliseconds answer_deadline_;
  bool pooled_ = false;
  std::string encoding_ = {}, conversion_fault_ = {};
};

/// What a failure means, by the server's code; by its words where there is no code, when connecting.
Fault fault_of(std::string_view state);
Fault fault_of_connect(std::string_view text);

/// A name as an SQL identifier.
std::string quoted_identifier(std::string_view name);

}  // namespace outbox::postgresql
