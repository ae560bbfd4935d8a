// SqlAdmin: held rows and messages, listed and changed.
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/stores/sql/audit.h"
#include "adapters/stores/sql/held.h"
#include "adapters/stores/sql/sql_admin.h"
#include "base/text.h"

namespace outbox::sql {
namespace {

const Statement discard_rows = {"outbox_held_discard", 1, "DELETE FROM {held} WHERE {listed {r.seq} {rows}}",
                                "seq bigint"};
// else a route that takes its topic one day would send it
const Statement remove_discarded = {
    "outbox_discard", 0, "DELETE FROM {outbox} WHERE seq {in_rows SELECT {r.seq} FROM {rows}}", "seq bigint"};
// who waits for nobody is due at once; the first of a key is so once it is known to be the first
const Statement requeue_rows = {
    "outbox_held_requeue", 1,
    "UPDATE {held} SET blocks = true, attempts = 0, state = CASE WHEN message_key IS NULL THEN 'retrying' "
    "ELSE 'blocked' END, next_attempt_at = CASE WHEN message_key IS NULL THEN {now} END{timed_set} WHERE "
    "{listed {r.seq} {rows}}",
    "seq bigint"};
const Statement states_of_row = {"outbox_row_states", 1,
                                 "SELECT route, state FROM {status} s WHERE seq = $1::bigint ORDER BY route"};

/// A filter as SQL over `h`, a held row, and `o`, its row of the outbox.
class Selection {
 public:
  Selection(const Session& session, const HeldFilter& filter) {
    if (filter.route) add(" AND h.route = ", *filter.route);
    if (filter.state) add(" AND h.state = ", name_of(*filter.state));
    if (filter.key) add(" AND h.message_key = ", *filter.key);
    if (filter.topic) add(" AND o.topic = ", *filter.topic);
    if (filter.seqs.empty()) return;
    seqs_ = session.dialect().numbers(filter.seqs);
    values_.push_back(seqs_);
    where_ += " AND h.seq {one_of $" + std::to_string(values_.size()) + "}";
  }
  Selection(const Selection&) = delete;
  Selection& operator=(const Selection&) = delete;

  /// "$n" for another value.
  std::string place_of(Value value) {
    values_.push_back(value);
    return "$" + std::to_string(values_.size());
  }
  void add(const std::string& condition, Value value) { where_ += condition + place_of(value); }
  void add(const std::string& condition) { where_ += condition; }

  [[nodiscard]] std::string from_where() const {
    return " FROM {held} h LEFT JOIN {outbox} o ON o.seq = h.seq WHERE true" + where_;
  }
  [[nodiscard]] std::span<const Value> values() const { return values_; }

 private:
  std::string where_, seqs_;
  std::vector<Value> values_;
};

std::optional<std::string> cut_or_none(const Row& row, int column) {
  return row.null(column) ? std::nullopt : std::optional(cut(row.text(column)));
}

HeldEntry entry_of(const Row& row) {
  HeldEntry entry;
  entry.route = row.string(0);
  entry.seq = row.number(1);
  entry.shard = static_cast<int>(row.number(2));
  entry.id = row.string(3);
  entry.topic = cut(row.text(4));
  entry.key = cut_or_none(row, 5);
  entry.state = held_state(row.text(6));
  entry.attempts = static_cast<int>(row.number(7));
  entry.next_attempt_at = row.string(8);
  entry.last_error = row.string(9);
  entry.held_at = row.string(10);
  entry.first_failed_at = row.string(11);
  entry.last_failed_at = row.string(12);
  return entry;
}

MessageDetails details_of(const Row& row) {
  MessageDetails details;
  details.seq = row.number(0);
  details.id = row.string(1);
  details.topic = cut(row.text(2));
  details.key = cut_or_none(row, 3);
  details.type = cut(row.text(4));
  details.content_type = cut(row.text(5));
  details.headers = row.string(6);
  details.created_at = row.string(7);
  details.deliver_at = row.string(8);
  details.payload_bytes = row.number(9);
  if (!row.null(10))
    details.payload = row.bytes(10);
  else if (!row.null(11))
    details.payload = row.string(11);
  return details;
}

struct Picked {
  std::string route;
  std::int64_t seq = 0;
  std::optional<std::string> key;
  bool unrouted = false;
};

/// By seq, and the routes that hold it.
Result<std::vector<Picked>> pick_rows(Session& session, const char* what, Selection& query,
                                      std::int64_t rows_max) {
  std::vector<Picked> picked;
  const std::string limit = query.place_of(rows_max);
  auto done = session.run(what,
                          "SELECT h.route, h.seq, h.message_key, h.state" + query.from_where() +
                              " ORDER BY h.seq, h.route LIMIT " + limit + "::bigint",
                          query.values(), [&](const Row& row) {
                            picked.push_back({row.string(0), row.number(1), row.optional(2),
                                              held_state(row.text(3)) == HeldState::unrouted});
                            return true;
                          });
  if (!done) return done.error();
  return picked;
}

/// Rows of one route, and the keys that they belong to.
struct Touched {
  ValueRows rows;      ///< to be discarded or requeued
  ValueRows unrouted;  ///< of them
  ValueRows anew;      ///< come again through the log
  KeySet keys;
};

Result<void> change_rows(Session& session, const char* what, HeldAction action, const std::string& route,
                         const Touched& touched) {
  const Statement& statement = action == HeldAction::discard ? discard_rows : requeue_rows;
  if (auto done = session.run(what, {&statement, {route}, &touched.rows}); !done) return done.error();
  if (auto done = session.run(what, {&remove_discarded, {}, &touched.unrouted}); !done) return done.error();
  if (auto done = session.run(what, {&discard_rows, {route}, &touched.anew}); !done) return done.error();
  if (auto ordered = order_keys(session, what, route, touched.keys); !ordered) return ordered;
  return held_changed(session, what, route);
}

Result<void> change_picked(Session& session, AdminLog& log, const char* what, HeldAction action,
                           const std::vector<Picked>& picked) {
  std::set<std::int64_t> anew;
  if (action == HeldAction::requeue) {
    std::vector<std::int64_t> seqs;
    for (const Picked& row : picked) seqs.push_back(row.seq);
    auto found = log.put_behind_all(seqs);
    if (!found) return found.error();
    anew.insert(found->begin(), found->end());
  }
  std::map<std::string, Touched> by_route;
  for (const Picked& row : picked) {
    Touched& touched = by_route[row.route];
    (anew.contains(row.seq) ? touched.anew : touched.rows).add({row.seq});
    if (row.unrouted) touched.unrouted.add({row.seq});
    if (row.key) touched.keys.insert(*row.key);
  }
  for (const auto& [route, touched] : by_route)
    if (auto changed = change_rows(session, what, action, route, touched); !changed) return changed;
  if (action != HeldAction::discard) return {};
  ValueRows discarded;
  for (const Picked& row : picked) discarded.add({row.route, row.seq});
  return log.forget(discarded);
}

Result<Matched> change_matching(Session& session, AdminLog& log, const char* what, HeldAction action,
                                const HeldFilter& filter, std::int64_t rows_max, bool dry_run) {
  Selection query(session, filter);
  // No route takes an unrouted row: there is nobody to try it again.
  if (action == HeldAction::requeue) query.add(" AND h.state <> 'unrouted'");
  Matched done;
  auto counted =
      session.run(what, "SELECT count(*)" + query.from_where(), query.values(), [&](const Row& row) {
        done.matched = row.number(0);
        return true;
      });
  if (!counted) return counted.error();
  if (dry_run) return done;
  auto picked = pick_rows(session, what, query, rows_max);
  if (!picked) return picked.error();
  done.changed = std::ssize(*picked);
  if (auto changed = change_picked(session, log, what, action, *picked); !changed) return changed.error();
  return done;
}

/// Those that the filter may speak of, so that nobody settles or changes what is held meanwhile.
Result<void> lock_routes(Session& session, const char* what, const std::optional<std::string>& route) {
  if (!route) return lock_all_marks(session, what);
  if (auto locked = lock_marks(session, what, *route); !locked) return locked.error();
  return {};
}

}  // namespace

Result<std::vector<HeldEntry>> SqlAdmin::held(const HeldFilter& filter, const std::optional<ListPlace>& after,
                                              std::size_t rows_max) {
  return with_books([&](const Books& books) -> Result<std::vector<HeldEntry>> {
    Selection query(*books.session, filter);
    if (after) {
      query.add(" AND (h.route, h.seq) > (", after->route);
      query.add(", ", after->seq);
      query.add("::bigint)");
    }
    const std::string limit = query.place_of(rows_max);
    std::vector<HeldEntry> entries;
    auto done = books.session->run(
        "held",
        "SELECT h.route, h.seq, h.shard, {id o}, " + begin_of("o.topic") + ", " + begin_of("h.message_key") +
            ", h.state, h.attempts, {shown h.next_attempt_at}, h.last_error, {shown h.held_at}, {shown "
            "h.first_failed_at}, {shown h.last_failed_at}" +
            query.from_where() + " ORDER BY h.route, h.seq LIMIT " + limit + "::bigint",
        query.values(), [&](const Row& row) {
          entries.push_back(entry_of(row));
          return true;
        });
    if (!done) return done.error();
    return entries;
  });
}

Result<std::optional<MessageDetails>> SqlAdmin::message(const std::optional<std::string>& id,
                                                        std::optional<std::int64_t> seq, bool with_payload) {
  return with_books([&](const Books& books) -> Result<std::optional<MessageDetails>> {
    const Value values[] = {seq ? Value(*seq) : Value(id)};
    const std::string which = seq ? "o.seq = $1::bigint" : "{id o} = lower($1)";
    std::optional<MessageDetails> found;
    auto done = books.session->run(
        "message",
        "SELECT o.seq, {id o}, " + begin_of("o.topic") + ", " + begin_of("o.message_key") + ", " +
            begin_of("coalesce(o.type, o.topic)") + ", " + begin_of("o.content_type") + ", " +
            begin_of("CAST(o.headers AS text)", headers_shown_max) +
            ", {shown o.created_at}, {shown o.deliver_at}, coalesce({octets o.payload}, "
            "{octets o.data}, 0), " +
            std::string(with_payload ? "{bytes o.payload}, o.data" : "NULL, NULL") +
            " FROM {outbox} o WHERE " + which + " ORDER BY o.seq LIMIT 1",
        values, [&](const Row& row) {
          found = details_of(row);
          return false;
        });
    if (!done) return done.error();
    if (!found) return found;
    done = books.session->run("message", {&states_of_row, {found->seq}}, [&](const Row& row) {
      found->routes.emplace_back(row.string(0), row.string(1));
      return true;
    });
    if (!done) return done.error();
    return found;
  });
}

Result<Matched> SqlAdmin::change_held(HeldAction action, const HeldFilter& filter, std::int64_t rows_max,
                                      bool dry_run, const std::string& actor) {
  const char* what = action == HeldAction::requeue ? "requeue" : "discard";
  return with_books([&](const Books& books) -> Result<Matched> {
    Session& session = *books.session;
    auto transaction = Transaction::begin(session, what, !dry_run);
    if (!transaction) return transaction.error();
    if (!dry_run)
      if (auto locked = lock_routes(session, what, filter.route); !locked) return locked.error();
    auto done = change_matching(session, *books.log, what, action, filter, rows_max, dry_run);
    if (!done || dry_run) return done;
    Details details;
    details.add("seqs", filter.seqs).add("key", filter.key).add("topic", filter.topic);
    if (filter.state) details.add("state", std::string(name_of(*filter.state)));
    details.add("matched", done->matched).add("changed", done->changed);
    if (auto noted = audit(session, actor, what, filter.route, details); !noted) return noted.error();
    if (auto committed = transaction->commit(); !committed) return committed.error();
    return done;
  });
}

}  // namespace outbox::sql
