#include "adapters/stores/postgresql/postgresql_dialect.h"

#include <cassert>

#include "adapters/stores/postgresql/array_text.h"

namespace outbox::postgresql {
namespace {

struct Fragment {
  std::string_view name;
  std::string_view text;  ///< %1 to %3: its arguments, %*: all of them
};

// A mark's cursor is "<seen>" or "<seen>|<upto>": reader.h. By the key's hash, because a key may be longer
// than an index takes.
constexpr Fragment fragments[] = {
    {"now", "now()"},
    {"in", "now() + %1 * interval '1 microsecond'"},
    {"ago", "now() - %1 * interval '1 microsecond'"},
    {"age", "greatest(0, coalesce(extract(epoch FROM clock_timestamp() - %1), 0) * 1000000)::bigint"},
    {"until", "(extract(epoch FROM %1 - now()) * 1000000)::bigint"},
    {"later", "greatest(%1, now())"},
    {"shown", "to_char(%1 AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"},
    {"since", "%1 >= %2::timestamptz"},
    {"lock", " FOR UPDATE"},
    {"in_query", "= ANY (ARRAY(%*))"},
    {"in_rows", "= ANY (ARRAY(%*))"},
    // By its place and nothing else: where statistics lag, any other condition is taken for the better one,
    // and all of the route's rows are walked through.
    {"place", "%1.ctid"},
    {"found", "ctid = ANY (ARRAY(%*))"},
    {"one_of", "= ANY (%1::bigint[])"},
    {"by", ""},
    {"blocks", "%1.blocks"},
    {"hash", "hashtextextended(%1, 0)"},
    {"key_is", "hashtextextended(%1.message_key, 0) = hashtextextended(%2, 0) AND %1.message_key = %2"},
    {"each", "CROSS JOIN LATERAL"},
    {"patterns_of", "LATERAL unnest(%1.topics) AS p_%1 (value)"},
    {"takes", "%2 LIKE ANY (%1::text[])"},
    {"passed",
     "(pg_visible_in_snapshot(%2.tx, %1.seen) OR coalesce(%2.seq <= %1.seq AND "
     "pg_visible_in_snapshot(%2.tx, %1.upto), false))"},
    {"position", "seen::text || coalesce('|' || upto::text, ''), seq, system_identifier::text"},
    {"position_names", "seen, upto, seq, system_identifier"},
    {"position_values",
     "split_part(%1::text, '|', 1)::pg_snapshot, nullif(split_part(%1::text, '|', 2), '')::pg_snapshot, "
     "%2::bigint, %3::bigint"},
    {"move",
     "seen = split_part(%1::text, '|', 1)::pg_snapshot, upto = nullif(split_part(%1::text, '|', 2), "
     "'')::pg_snapshot, seq = %2::bigint, system_identifier = %3::bigint, saved_at = now()"},
    {"timed_name", ""},
    {"timed_value", ""},
    {"timed_set", ""},
    {"timed_heads", ""},
    {"untimed", ""},
    {"id", "%1.id::text"},
    {"bytes", "encode(%1, 'hex')"},
    {"octets", "octet_length(%1)"},
};

}  // namespace

std::string PostgresqlDialect::fragment(std::string_view name, std::span<const std::string> arguments) const {
  if (name == "ours")
    return "EXISTS (SELECT FROM " + tables().mark +
           " WHERE route = $1 AND shard = $2::integer AND epoch = $3::bigint AND owner <> '')";
  if (name == "listed")
    return sql::filled("ctid = ANY (ARRAY(SELECT (SELECT q.ctid FROM " + tables().held +
                           " q WHERE q.route = $1 AND q.seq = %1) FROM %2))",
                       arguments);
  for (const Fragment& known : fragments)
    if (known.name == name) return sql::filled(known.text, arguments);
  assert(!"a fragment that PostgreSQL's dialect does not have");
  return "";
}

std::string PostgresqlDialect::rows(const std::vector<std::pair<std::string, std::string>>& columns,
                                    int first) const {
  std::string arrays, names;
  for (const auto& [name, type] : columns) {
    arrays += (arrays.empty() ? "$" : ", $") + std::to_string(first++) + "::" + type + "[]";
    names += (names.empty() ? "" : ", ") + name;
  }
  return "unnest(" + arrays + ") AS r (" + names + ")";
}

std::string PostgresqlDialect::row_column(std::string_view name, int) const {
  return "r." + std::string(name);
}

std::string PostgresqlDialect::patterns(std::span<const std::string> topics) const {
  ArrayText patterns;
  for (const std::string& topic : topics) {
    std::string pattern;
    for (const char c : topic) {
      if (c == '\\' || c == '%' || c == '_') pattern += '\\';
      pattern += c == '*' ? '%' : c;
    }
    patterns.add(pattern);
  }
  return patterns.take();
}

std::string PostgresqlDialect::topic_of(std::string_view pattern) const {
  std::string topic;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size())
      topic += pattern[++i];
    else
      topic += pattern[i] == '%' ? '*' : pattern[i];
  }
  return topic;
}

std::string PostgresqlDialect::numbers(std::span<const std::int64_t> numbers) const {
  ArrayText array;
  for (const std::int64_t number : numbers) array.add(number);
  return array.take();
}

}  // namespace outbox::postgresql
