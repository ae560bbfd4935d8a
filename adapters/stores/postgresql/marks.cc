#include "adapters/stores/postgresql/marks.h"

#include <string>
#include <utility>
#include <vector>

#include "adapters/stores/postgresql/held.h"
#include "adapters/stores/postgresql/reader.h"
#include "adapters/stores/postgresql/shards.h"

namespace outbox::postgresql {
namespace {

// The first '$' of a statement that is shared by several: which row, and under which epoch.
constexpr const char* if_still_ours = " WHERE route = $1 AND shard = $2::integer AND epoch = $3::bigint";
constexpr const char* moved =
    "seen = $4::pg_snapshot, upto = $5::pg_snapshot, seq = $6::bigint, beat = beat + 1, saved_at = now()";

struct SavedMark {
  LeaseHolder holder;
  Granted granted;
};

SavedMark saved_mark(const Rows& rows, const LeaseRequest& request) {
  SavedMark saved;
  saved.holder = {rows.string(0, 0), rows.integer(0, 1), rows.integer(0, 2)};
  const Window window{rows.string(0, 3), rows.null(0, 4) ? std::string() : rows.string(0, 4)};
  saved.granted.lease = {request.route, request.shard, saved.holder.epoch};
  saved.granted.mark = {window.text(), rows.integer(0, 5)};
  saved.granted.paused = rows.boolean(0, 6);
  return saved;
}

}  // namespace

Result<Marks> Marks::prepare(Connection& connection, const Tables& tables) {
  const std::string columns = "owner, epoch, beat, seen::text, upto::text, seq, paused";
  const std::pair<const char*, std::string> statements[] = {
      {"outbox_mark_look",
       "SELECT " + columns + " FROM " + tables.mark + " WHERE route = $1 AND shard = $2::integer"},
      {"outbox_mark_fit",
       "SELECT count(*), count(*) FILTER (WHERE shards = $2::integer), count(*) FILTER (WHERE "
       "system_identifier "
       "<> (SELECT system_identifier FROM pg_control_system())) FROM " +
           tables.mark + " WHERE route = $1"},
      // all shards at once: they begin at one snapshot
      {"outbox_mark_make",
       "INSERT INTO " + tables.mark +
           " (route, shard, shards, seen, system_identifier, topics) SELECT $1, n, $2::integer, CASE WHEN "
           "$3::boolean THEN pg_current_snapshot() ELSE '1:1:'::pg_snapshot END, system_identifier, "
           "$4::text[] "
           "FROM generate_series(0, $2::integer - 1) n, pg_control_system() ON CONFLICT (route, shard) DO "
           "NOTHING"},
      {"outbox_mark_take", "UPDATE " + tables.mark +
                               " SET owner = $4, epoch = epoch + 1, beat = beat + 1, topics = $7::text[]" +
                               if_still_ours + " AND beat = $5::bigint AND owner = $6 RETURNING " + columns},
      {"outbox_mark_renew", "UPDATE " + tables.mark + " SET beat = beat + 1" + if_still_ours},
      {"outbox_mark_release", "UPDATE " + tables.mark + " SET owner = '', beat = beat + 1" + if_still_ours},
      {"outbox_mark_settle", "UPDATE " + tables.mark + " SET " + moved + if_still_ours},
  };
  for (const auto& [name, sql] : statements)
    if (auto done = connection.prepare(name, sql); !done) return done.error();
  return Marks(connection, tables);
}

/// Makes sure that the route has a mark for each shard. Who holds one of another number of shards, if
/// anybody.
Result<std::optional<LeaseHolder>> Marks::fit(const LeaseRequest& request) {
  const std::string shards = std::to_string(request.shards);
  for (;;) {
    auto counts =
        connection_->run_prepared("acquire", "outbox_mark_fit", {request.route.c_str(), shards.c_str()});
    if (!counts) return counts.error();
    if (counts->integer(0, 2) > 0)
      return Error{Fault::misconfigured, "postgresql.acquire: the mark of route " + request.route + " " +
                                             other_cluster + " (" + connection_->place() + "); " +
                                             rebase_fix};
    if (counts->integer(0, 0) == request.shards && counts->integer(0, 1) == request.shards)
      return std::optional<LeaseHolder>();
    if (counts->integer(0, 0) > 0) {
      auto in_the_way = reshard(*connection_, tables_, request);
      if (!in_the_way || *in_the_way) return in_the_way;
      continue;
    }
    const std::string topics = like_patterns(request.topics);
    auto made = connection_->run_prepared(
        "acquire", "outbox_mark_make",
        {request.route.c_str(), shards.c_str(), request.start == Start::now ? "t" : "f", topics.c_str()});
    if (!made) return made.error();
  }
}

Result<Acquired> Marks::acquire(const LeaseRequest& request) {
  const std::string shard = std::to_string(request.shard), topics = like_patterns(request.topics);
  for (;;) {
    auto in_the_way = fit(request);
    if (!in_the_way) return in_the_way.error();
    if (*in_the_way) return Acquired(**in_the_way);
    auto rows =
        connection_->run_prepared("acquire", "outbox_mark_look", {request.route.c_str(), shard.c_str()});
    if (!rows) return rows.error();
    if (rows->count() == 0) continue;  // resharded by another relay meanwhile
    const SavedMark saved = saved_mark(*rows, request);
    if (!is_free(saved.holder, request)) return Acquired(saved.holder);

    const std::string epoch = std::to_string(saved.holder.epoch), beat = std::to_string(saved.holder.beat);
    auto taken =
        connection_->run_prepared("acquire", "outbox_mark_take",
                                  {request.route.c_str(), shard.c_str(), epoch.c_str(), request.owner.c_str(),
                                   beat.c_str(), saved.holder.owner.c_str(), topics.c_str()});
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
  const Window window = Window::of(mark.window);
  const std::string shard = std::to_string(lease.shard), epoch = std::to_string(lease.epoch),
                    seq = std::to_string(mark.seq);
  const HeldSteps writes(lease, held);
  // The mark first: its row is then ours until the end, and nobody else changes what is held of the route.
  std::vector<Step> steps = {{"outbox_mark_settle",
                              {lease.route.c_str(), shard.c_str(), epoch.c_str(), window.seen.c_str(),
                               window.upto.empty() ? nullptr : window.upto.c_str(), seq.c_str()}}};
  for (Step& step : writes.steps()) steps.push_back(std::move(step));
  auto results = connection_->run_together("settle", steps);
  if (!results) return results.error();
  if (auto moved = fenced_unless_changed(lease, "settle", std::move(results->front())); !moved)
    return moved.error();
  Settled settled;
  const Rows& freed = results->back();
  for (int row = 0; row < freed.count(); ++row) settled.freed.push_back(freed.string(row, 0));
  return settled;
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
