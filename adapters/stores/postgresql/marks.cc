#include "adapters/stores/postgresql/marks.h"

#include <string>
#include <utility>

#include "adapters/common/owner.h"
#include "adapters/stores/postgresql/reader.h"

namespace outbox::postgresql {
namespace {

// The first '$' of a statement that is shared by several: which row, and under which epoch.
constexpr const char* if_still_ours = " WHERE route = $1 AND shard = $2::integer AND epoch = $3::bigint";
constexpr const char* moved =
    "seen = $4::pg_snapshot, upto = $5::pg_snapshot, seq = $6::bigint, beat = beat + 1, saved_at = now()";

/// The holds as one row each, from parallel arrays; only if the mark was moved, in the same statement.
std::string hold_statement(const Tables& tables) {
  return "WITH moved AS (UPDATE " + tables.mark + " SET " + moved + if_still_ours +
         " RETURNING 1), held AS (INSERT INTO " + tables.held +
         " AS h (route, seq, shard, message_key, state, attempts, next_attempt_at, last_error, "
         "first_failed_at, last_failed_at) "
         "SELECT $1, r.seq, $2::integer, r.message_key, r.state, r.attempts, now() + r.due * interval '1 "
         "microsecond', "
         "r.last_error, CASE WHEN r.attempts > 0 THEN now() END, CASE WHEN r.attempts > 0 THEN now() END "
         "FROM unnest($7::bigint[], $8::text[], $9::text[], $10::integer[], $11::bigint[], $12::text[]) "
         "AS r (seq, message_key, state, attempts, due, last_error) WHERE EXISTS (SELECT FROM moved) "
         "ON CONFLICT (route, seq) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, "
         "next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error, "
         "first_failed_at = coalesce(h.first_failed_at, excluded.first_failed_at), last_failed_at = "
         "excluded.last_failed_at "
         "RETURNING 1) SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM held)";
}

/// An array literal, element by element: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
class ArrayText {
 public:
  void add(std::string_view value) {
    separate();
    text_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') text_ += '\\';
      if (c != '\0') text_ += c;
    }
    text_ += '"';
  }
  void add_null() {
    separate();
    text_ += "NULL";
  }
  [[nodiscard]] std::string take() { return std::move(text_) + "}"; }

 private:
  void separate() {
    if (text_.size() > 1) text_ += ',';
  }
  std::string text_ = "{";
};

struct SavedMark {
  LeaseHolder holder;
  Granted granted;
  bool same_cluster = true;
};

SavedMark saved_mark(const Rows& rows, const LeaseRequest& request) {
  SavedMark saved;
  saved.holder = {rows.string(0, 0), rows.integer(0, 1), rows.integer(0, 2)};
  const Window window{rows.string(0, 3), rows.null(0, 4) ? std::string() : rows.string(0, 4)};
  saved.granted.lease = {request.route, request.shard, saved.holder.epoch};
  saved.granted.mark = {window.text(), rows.integer(0, 5)};
  saved.granted.paused = rows.boolean(0, 6);
  saved.same_cluster = rows.boolean(0, 7);
  return saved;
}

bool is_free(const LeaseHolder& holder, const LeaseRequest& request) {
  return holder.owner.empty() || holder.owner == request.owner ||
         (request.expired && *request.expired == holder) || provably_gone(holder.owner);
}

}  // namespace

Result<Marks> Marks::prepare(Connection& connection, const Tables& tables) {
  const std::string columns =
      "owner, epoch, beat, seen::text, upto::text, seq, paused, "
      "system_identifier = (SELECT system_identifier FROM pg_control_system())";
  const std::pair<const char*, std::string> statements[] = {
      {"outbox_mark_look",
       "SELECT " + columns + " FROM " + tables.mark + " WHERE route = $1 AND shard = $2::integer"},
      {"outbox_mark_make",
       "INSERT INTO " + tables.mark +
           " (route, shard, seen, system_identifier) SELECT $1, $2::integer, CASE WHEN $3::boolean THEN "
           "pg_current_snapshot() ELSE '1:1:'::pg_snapshot END, system_identifier FROM "
           "pg_control_system() ON CONFLICT (route, shard) DO NOTHING"},
      {"outbox_mark_take", "UPDATE " + tables.mark + " SET owner = $4, epoch = epoch + 1, beat = beat + 1" +
                               if_still_ours + " AND beat = $5::bigint AND owner = $6 RETURNING " + columns},
      {"outbox_mark_renew", "UPDATE " + tables.mark + " SET beat = beat + 1" + if_still_ours},
      {"outbox_mark_release", "UPDATE " + tables.mark + " SET owner = '', beat = beat + 1" + if_still_ours},
      {"outbox_mark_settle", "UPDATE " + tables.mark + " SET " + moved + if_still_ours},
      {"outbox_mark_hold", hold_statement(tables)},
  };
  for (const auto& [name, sql] : statements)
    if (auto done = connection.prepare(name, sql); !done) return done.error();
  return Marks(connection);
}

Result<Acquired> Marks::acquire(const LeaseRequest& request) {
  const std::string shard = std::to_string(request.shard);
  for (;;) {
    auto rows =
        connection_->run_prepared("acquire", "outbox_mark_look", {request.route.c_str(), shard.c_str()});
    if (!rows) return rows.error();
    if (rows->count() == 0) {
      auto made = connection_->run_prepared(
          "acquire", "outbox_mark_make",
          {request.route.c_str(), shard.c_str(), request.start == Start::now ? "t" : "f"});
      if (!made) return made.error();
      continue;
    }
    const SavedMark saved = saved_mark(*rows, request);
    if (!saved.same_cluster)
      return Error{
          Fault::misconfigured,
          "postgresql.acquire: the mark of route " + request.route +
              " was made on another PostgreSQL cluster (a restored dump, a move), so its transaction numbers "
              "mean "
              "nothing here (" +
              connection_->place() +
              "); to publish every retained row again, run: UPDATE outbox_mark SET "
              "seen = '1:1:', upto = NULL, seq = 0, system_identifier = (SELECT system_identifier FROM "
              "pg_control_system())"};
    if (!is_free(saved.holder, request)) return Acquired(saved.holder);

    const std::string epoch = std::to_string(saved.holder.epoch), beat = std::to_string(saved.holder.beat);
    auto taken = connection_->run_prepared("acquire", "outbox_mark_take",
                                           {request.route.c_str(), shard.c_str(), epoch.c_str(),
                                            request.owner.c_str(), beat.c_str(), saved.holder.owner.c_str()});
    if (!taken) return taken.error();
    if (taken->count() == 1) return Acquired(saved_mark(*taken, request).granted);
    // Somebody was faster: look who.
  }
}

Result<void> Marks::renew(const Lease& lease) {
  const std::string shard = std::to_string(lease.shard), epoch = std::to_string(lease.epoch);
  return fenced_unless_changed(
      lease, "renew",
      connection_->run_prepared("renew", "outbox_mark_renew",
                                {lease.route.c_str(), shard.c_str(), epoch.c_str()}));
}

Result<void> Marks::release(const Lease& lease) {
  const std::string shard = std::to_string(lease.shard), epoch = std::to_string(lease.epoch);
  return fenced_unless_changed(
      lease, "release",
      connection_->run_prepared("release", "outbox_mark_release",
                                {lease.route.c_str(), shard.c_str(), epoch.c_str()}));
}

Result<Settled> Marks::settle(const Lease& lease, const Mark& mark, const HeldWrites& held) {
  if (!held.empty()) return settle_with_holds(lease, mark, held);
  const Window window = Window::of(mark.window);
  const std::string shard = std::to_string(lease.shard), epoch = std::to_string(lease.epoch),
                    seq = std::to_string(mark.seq);
  auto done = fenced_unless_changed(
      lease, "settle",
      connection_->run_prepared("settle", "outbox_mark_settle",
                                {lease.route.c_str(), shard.c_str(), epoch.c_str(), window.seen.c_str(),
                                 window.upto.empty() ? nullptr : window.upto.c_str(), seq.c_str()}));
  if (!done) return done.error();
  return Settled{};
}

Result<Settled> Marks::settle_with_holds(const Lease& lease, const Mark& mark, const HeldWrites& held) {
  ArrayText seqs, keys, states, attempts, dues, errors;
  for (const Hold& hold : held.holds) {
    seqs.add(std::to_string(hold.seq));
    hold.key ? keys.add(*hold.key) : keys.add_null();
    states.add(name_of(hold.state));
    attempts.add(std::to_string(hold.attempts));
    const auto due = hold.due_in.value_or(Duration::zero());
    dues.add(std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(due).count()));
    hold.last_error.empty() ? errors.add_null() : errors.add(hold.last_error);
  }
  const Window window = Window::of(mark.window);
  const std::string shard = std::to_string(lease.shard), epoch = std::to_string(lease.epoch),
                    seq = std::to_string(mark.seq);
  const std::string seqs_text = seqs.take(), keys_text = keys.take(), states_text = states.take(),
                    attempts_text = attempts.take(), dues_text = dues.take(), errors_text = errors.take();
  auto rows = connection_->run_prepared(
      "settle", "outbox_mark_hold",
      {lease.route.c_str(), shard.c_str(), epoch.c_str(), window.seen.c_str(),
       window.upto.empty() ? nullptr : window.upto.c_str(), seq.c_str(), seqs_text.c_str(), keys_text.c_str(),
       states_text.c_str(), attempts_text.c_str(), dues_text.c_str(), errors_text.c_str()});
  if (!rows) return rows.error();
  if (rows->integer(0, 0) == 1) return Settled{};
  return Error{Fault::fenced, "postgresql.settle: another relay holds the lease of route " + lease.route};
}

Result<void> Marks::fenced_unless_changed(const Lease& lease, const char* what,
                                          const Result<Rows>& rows) const {
  if (!rows) return rows.error();
  if (rows->changed() == 1) return {};
  return Error{Fault::fenced, std::string("postgresql.") + what +
                                  ": another relay holds the lease of route " + lease.route + ", shard " +
                                  std::to_string(lease.shard) + " (" + connection_->place() + ")"};
}

}  // namespace outbox::postgresql
