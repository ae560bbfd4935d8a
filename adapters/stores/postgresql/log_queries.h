// SQL about the outbox as a log, which operators, upkeep and status share. Pure.
#pragma once

#include <string>

namespace outbox::postgresql {

/// The marks of a route, an expression, as a table: seen, upto, seq, topics. Marks of another cluster have
/// passed nothing, and a route without marks takes everything and has passed nothing.
std::string marks_of(const std::string& mark_table, const std::string& route);

/// The mark of the alias, with the columns of marks_of(), has passed the row of the other alias.
std::string has_passed(const std::string& mark, const std::string& row);

/// The rows `o` of the outbox that some mark of the table expression `m` has not passed, by the index on
/// (tx, seq). `m` must be a materialized part of the statement.
std::string pending_rows(const std::string& outbox, const std::string& columns);

/// Some mark of `m` takes the topic of the row `o`.
inline constexpr const char* is_taken = "EXISTS (SELECT FROM m WHERE o.topic LIKE ANY (m.topics))";

/// RFC 3339 in UTC, for a session in UTC.
std::string rfc_3339(const std::string& column);

}  // namespace outbox::postgresql
