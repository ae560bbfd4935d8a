#include "adapters/stores/sqlite/sqlite_dialect.h"

#include <cassert>
#include <cctype>

#include "base/json_text.h"
#include "base/text.h"
#include "schema/embedded.h"

namespace outbox::sqlite {
namespace {

struct Fragment {
  std::string_view name;
  std::string_view text;  ///< %1 to %3: its arguments, %*: all of them
};

// The row at a mark that stays may be removed meanwhile; its id still tells a restored database.
constexpr Fragment fragments[] = {
    {"now", "outbox_in(0)"},
    {"in", "outbox_in(%1)"},
    {"ago", "outbox_in(-(%1))"},
    {"age", "max(0, coalesce(-outbox_until(%1), 0))"},
    {"until", "outbox_until(%1)"},
    {"later", "outbox_later(%1)"},
    {"shown", "outbox_shown(%1)"},
    {"since", "julianday(%1) >= julianday(%2)"},
    {"ours", "true"},  // asked once, by the statement before
    {"lock", ""},      // a transaction that writes has the whole file
    {"in_query", "IN (%*)"},
    {"in_rows", "= (%*)"},  // run row by row; IN would make a table of its own each time
    {"place", "%1.seq"},
    {"found", "route = $1 AND seq = (%*)"},
    {"listed", "route = $1 AND seq = %1"},
    {"one_of", "IN (SELECT value FROM json_each(%1))"},
    {"by", "INDEXED BY %1"},
    {"blocks", "%1.blocks = 1"},
    {"hash", "%1"},
    {"key_is", "%1.message_key = %2"},
    {"each", "CROSS JOIN"},
    {"patterns_of", "json_each(%1.topics) AS p_%1"},
    {"takes", "EXISTS (SELECT 1 FROM json_each(%1) AS pattern WHERE %2 GLOB pattern.value)"},
    {"passed", "%2.seq <= %1.seq"},
    {"position", "'', seq, last_id"},
    {"position_names", "seq, last_id"},
    {"position_values", "%2, %3"},
    {"move",
     "last_id = CASE WHEN seq = %2 THEN coalesce(%3, last_id) ELSE %3 END, seq = %2, saved_at = "
     "outbox_in(0)"},
    {"timed_name", ", timed_at"},
    {"timed_value", ", outbox_in(0)"},
    {"timed_set", ", timed_at = outbox_in(0)"},
    {"timed_heads",
     "SELECT * FROM (SELECT seq, message_key, attempts, 1, 0, next_attempt_at, blocks FROM outbox_held "
     "INDEXED "
     "BY outbox_held_timed WHERE route = $1 AND shard = $2 AND state = 'retrying' AND timed_at > "
     "outbox_in(0) "
     "ORDER BY timed_at, seq LIMIT $3) t UNION ALL "},
    {"untimed", " AND NOT (state = 'retrying' AND timed_at > outbox_in(0))"},
    {"id",
     "CASE WHEN typeof(%1.id) = 'blob' AND length(%1.id) = 16 THEN lower(substr(hex(%1.id), 1, 8) || '-' || "
     "substr(hex(%1.id), 9, 4) || '-' || substr(hex(%1.id), 13, 4) || '-' || substr(hex(%1.id), 17, 4) || "
     "'-' "
     "|| substr(hex(%1.id), 21)) ELSE lower(%1.id) END"},
    {"bytes", "%1"},
    {"octets", "length(CAST(%1 AS BLOB))"},
};

void replace_all(std::string& text, std::string_view what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

}  // namespace

sql::Tables books_tables(const std::string& outbox) {
  // The view as a query: it is written for a connection whose main database is the services'.
  std::string status(sqlite_status_view());
  status = "(" + status.substr(status.find("SELECT m.route"));
  status.resize(status.rfind(';'));
  replace_all(status, "main.outbox AS", outbox + " AS");
  replace_all(status, "outboxd.", "main.");
  return {outbox,         "outbox_mark",  "outbox_progress", "outbox_held",
          "outbox_relay", "outbox_audit", status + ")"};
}

std::string SqliteDialect::fragment(std::string_view name, std::span<const std::string> arguments) const {
  for (const Fragment& known : fragments)
    if (known.name == name) return sql::filled(known.text, arguments);
  assert(!"a fragment that SQLite's dialect does not have");
  return "";
}

/// Placeholders are ?1, and values need no casts.
std::string SqliteDialect::finished(std::string text) const {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 2, "::") == 0) {
      at += 2;
      while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_'))
        ++at;
      if (text.compare(at, 2, "[]") == 0) at += 2;
    } else {
      const bool is_place = text[at] == '$' && at + 1 < text.size() &&
                            std::isdigit(static_cast<unsigned char>(text[at + 1])) != 0;
      result += is_place ? '?' : text[at];
      ++at;
    }
  }
  return result;
}

std::string SqliteDialect::rows(const std::vector<std::pair<std::string, std::string>>&, int) const {
  return "(SELECT 1) AS r";
}

std::string SqliteDialect::row_column(std::string_view, int place) const {
  return "$" + std::to_string(place);
}

/// SQLite's GLOB knows more than the route's patterns, in which only * is special.
std::string SqliteDialect::patterns(std::span<const std::string> topics) const {
  std::string globs = "[";
  for (const std::string& pattern : topics) {
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
  return globs + ']';
}

std::string SqliteDialect::topic_of(std::string_view pattern) const {
  std::string topic;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool is_literal = pattern[i] == '[' && i + 2 < pattern.size();
    topic += is_literal ? pattern[i + 1] : pattern[i];
    if (is_literal) i += 2;
  }
  return topic;
}

std::string SqliteDialect::numbers(std::span<const std::int64_t> numbers) const {
  std::string json = "[";
  for (const std::int64_t number : numbers) json += (json.size() > 1 ? "," : "") + std::to_string(number);
  return json + "]";
}

}  // namespace outbox::sqlite
