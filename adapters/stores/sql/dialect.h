// What differs from one SQL database to the next, as fragments of text that the statements of the books name.
// Pure; immutable once made, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/sql/statement.h"
#include "base/text.h"

namespace outbox::sql {

/// Where the outbox's tables are: qualified and quoted, ready for SQL. `status` may be a query in
/// parentheses.
struct Tables {
  std::string outbox, mark, progress, held, relay, audit, status;
};

class Dialect {
 public:
  explicit Dialect(Tables tables) : tables_(std::move(tables)) {}
  virtual ~Dialect() = default;

  [[nodiscard]] const Tables& tables() const { return tables_; }

  /// The statement as this database reads it.
  [[nodiscard]] std::string text_of(const Statement& statement) const;
  [[nodiscard]] std::string text_of(std::string_view text) const;

  /// A route's patterns as outbox_mark.topics has them.
  [[nodiscard]] virtual std::string patterns(std::span<const std::string> topics) const = 0;
  /// One of them, as the route's configuration has it.
  [[nodiscard]] virtual std::string topic_of(std::string_view pattern) const = 0;
  /// A list of numbers for {one_of}.
  [[nodiscard]] virtual std::string numbers(std::span<const std::int64_t> numbers) const = 0;

 protected:
  /// {name argument...}: what stands for it.
  ///
  /// - {now}: this moment, as the tables keep it
  /// - {in D}, {ago D}: D microseconds from now; before now
  /// - {age T}, {until T}: microseconds since T, at least 0; until T, or negative
  /// - {later T}: T or now, whichever is later
  /// - {shown T}: RFC 3339 in UTC, for people
  /// - {since T P}: T, a date of a service's, is not before P, RFC 3339
  /// - {ours}: the mark's row of route $1, shard $2 is under epoch $3, where each statement still has to ask
  /// - {lock}: behind a SELECT: its rows are ours until the transaction ends
  /// - {in_query Q}: is one of the rows of the query Q
  /// - {in_rows Q}: the same for a query that has at most one row for each row of {rows}
  /// - {place T}: what finds a row of T again within the statement
  /// - {found Q}: the held row of route $1 is at a place that Q has, a query as for {in_rows}
  /// - {listed S {rows}}: the held row of route $1 whose seq is S, of one of {rows}
  /// - {one_of P}: is one of the list P, as numbers() writes it
  /// - {by INDEX}: behind a table: found by this index, where databases must be told
  /// - {blocks H}, {key_is H K}: the held row H blocks its key; and that key is K, by index
  /// - {hash T}: of a text, for an index that takes no long ones
  /// - {each}: between {rows} and a query in FROM that uses r's columns
  /// - {patterns_of M}: the patterns of mark M as a table p_M with the column value
  /// - {takes P T}: patterns P take the topic T
  /// - {passed M R}: mark M has passed the outbox's row R
  /// - {position}: cursor, seq and stamp of a mark, as three columns
  /// - {move W S P}: SET: the mark is at cursor W, seq S, stamp P
  /// - {position_names}, {position_values W S P}: the same for INSERT
  /// - {timed_name}, {timed_value}, {timed_set}: INSERT, SET: when next_attempt_at was set, where a clock may
  ///   be put back
  /// - {timed_heads C}: a query with UNION ALL: heads C whose time was set by a clock that was put back since
  /// - {untimed}: but not those
  /// - {id R}: the id of the outbox's row R as text
  /// - {bytes E}, {octets E}: a payload as Row::bytes wants it; its length
  [[nodiscard]] virtual std::string fragment(std::string_view name,
                                             std::span<const std::string> arguments) const = 0;
  /// The last step: placeholders and casts as the database writes them.
  [[nodiscard]] virtual std::string finished(std::string text) const { return text; }
  /// {rows}: see statement.h. `first`: the number of the first row column's placeholder.
  [[nodiscard]] virtual std::string rows(const std::vector<std::pair<std::string, std::string>>& columns,
                                         int first) const = 0;
  /// {r.name}; `place`: the number of its placeholder.
  [[nodiscard]] virtual std::string row_column(std::string_view name, int place) const = 0;

 private:
  [[nodiscard]] std::string expanded(std::string_view text, const Statement* statement) const;
  [[nodiscard]] std::string meaning(std::string_view inner, const Statement* statement) const;

  Tables tables_;
};

/// `text` with %1, %2, %3 as the arguments and %* as all of them.
std::string filled(std::string_view text, std::span<const std::string> arguments);

/// SQL for the beginning of a text that is shown to people, long enough to tell that it is cut: more of it,
/// as many megabytes as a service likes, is not read.
std::string begin_of(const std::string& text, std::size_t characters = shown_characters_max);

/// Columns "name type, name type", taken apart.
std::vector<std::pair<std::string, std::string>> columns_of(std::string_view row_columns);

}  // namespace outbox::sql
