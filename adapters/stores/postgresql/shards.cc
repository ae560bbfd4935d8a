#include "adapters/stores/postgresql/shards.h"

#include <algorithm>
#include <climits>
#include <cstdint>

#include "adapters/common/owner.h"
#include "adapters/stores/postgresql/array_text.h"
#include "adapters/stores/postgresql/held.h"
#include "adapters/stores/postgresql/reader.h"
#include "core/shard.h"

namespace outbox::postgresql {
namespace {

constexpr int page_rows = 10'000;

struct OldMark {
  int shard = 0;
  int shards = 0;
  LeaseHolder holder;
  Window window;
  std::int64_t seq = 0;
  bool paused = false;
  std::int64_t held_version = 0;
};

/// The route's marks, locked, the earliest first. Snapshots of one server are ordered: none of two sees what
/// the other does not, both ways.
Result<std::vector<OldMark>> lock_marks(Connection& connection, const Tables& tables,
                                        const std::string& route) {
  // in the order in which everybody locks them
  auto locked = connection.run("acquire",
                               "SELECT 1 FROM " + tables.mark + " WHERE route = $1 ORDER BY shard FOR UPDATE",
                               {route.c_str()});
  if (!locked) return locked.error();
  auto rows = connection.run(
      "acquire",
      "SELECT shard, shards, owner, epoch, beat, seen::text, upto::text, seq, paused, held_version FROM " +
          tables.mark +
          " WHERE route = $1 ORDER BY pg_snapshot_xmax(seen), pg_snapshot_xmin(seen), (SELECT count(*) FROM "
          "pg_snapshot_xip(seen)) DESC, shard",
      {route.c_str()});
  if (!rows) return rows.error();
  std::vector<OldMark> marks;
  for (int row = 0; row < rows->count(); ++row)
    marks.push_back({static_cast<int>(rows->integer(row, 0)),
                     static_cast<int>(rows->integer(row, 1)),
                     {rows->string(row, 2), rows->integer(row, 3), rows->integer(row, 4)},
                     {rows->string(row, 5), rows->string(row, 6)},
                     rows->integer(row, 7),
                     rows->boolean(row, 8),
                     rows->integer(row, 9)});
  return marks;
}

/// An observer knows the signs of life of one holder at a time. Unless what it has seen expire is taken away
/// here, two dead holders would take turns to be in its way.
Result<void> take_expired(Connection& connection, const Tables& tables, const LeaseRequest& request) {
  const std::string epoch = std::to_string(request.expired->epoch),
                    beat = std::to_string(request.expired->beat);
  auto done =
      connection.run("acquire",
                     "UPDATE " + tables.mark +
                         " SET owner = '', epoch = epoch + 1, beat = beat + 1 WHERE route = $1 AND owner = "
                         "$2 AND epoch = $3::bigint AND beat = $4::bigint",
                     {request.route.c_str(), request.expired->owner.c_str(), epoch.c_str(), beat.c_str()});
  if (!done) return done.error();
  return {};
}

Result<void> make_marks(Connection& connection, const Tables& tables, const LeaseRequest& request,
                        const std::vector<OldMark>& old, const Window& window, std::int64_t last_seq) {
  std::int64_t epoch = 0, version = 0;
  bool paused = false;
  for (const OldMark& mark : old) {
    epoch = std::max(epoch, mark.holder.epoch);
    version = std::max(version, mark.held_version);
    paused = paused || mark.paused;
  }
  const std::string shards = std::to_string(request.shards), new_epoch = std::to_string(epoch + 1),
                    held_version = std::to_string(version), seq = std::to_string(last_seq),
                    topics = like_patterns(request.topics);
  if (auto gone = connection.run("acquire", "DELETE FROM " + tables.mark + " WHERE route = $1",
                                 {request.route.c_str()});
      !gone)
    return gone.error();
  auto made = connection.run(
      "acquire",
      "INSERT INTO " + tables.mark +
          " (route, shard, shards, epoch, seen, upto, seq, system_identifier, paused, topics, held_version) "
          "SELECT $1, n, $2::integer, $3::bigint, $4::pg_snapshot, $5::pg_snapshot, $6::bigint, "
          "system_identifier, $7::boolean, $8::text[], $9::bigint FROM generate_series(0, $2::integer - 1) "
          "n, "
          "pg_control_system()",
      {request.route.c_str(), shards.c_str(), new_epoch.c_str(), window.seen.c_str(),
       window.upto.empty() ? nullptr : window.upto.c_str(), seq.c_str(), paused ? "t" : "f", topics.c_str(),
       held_version.c_str()});
  if (!made) return made.error();
  return {};
}

/// Rows that the new marks have not passed come again through the log: what is held of them would be held
/// twice.
Result<void> let_go_repeated(Connection& connection, const Tables& tables, const std::string& route,
                             const std::string& seen) {
  auto gone = connection.run("acquire",
                             "DELETE FROM " + tables.held + " h USING " + tables.outbox +
                                 " o WHERE h.route = $1 AND o.seq = h.seq AND h.state <> 'unrouted' AND NOT "
                                 "pg_visible_in_snapshot(o.tx, $2::pg_snapshot)",
                             {route.c_str(), seen.c_str()});
  if (!gone) return gone.error();
  auto promoted =
      connection.run("acquire",
                     promotion(tables.held, "(SELECT DISTINCT route, message_key FROM " + tables.held +
                                                " WHERE route = $1 AND blocks AND message_key IS NOT NULL)"),
                     {route.c_str()});
  if (!promoted) return promoted.error();
  return {};
}

/// The hash is ours, not the database's: every row is looked at here, page by page.
Result<void> move_held(Connection& connection, const Tables& tables, const LeaseRequest& request) {
  const std::string page = "SELECT seq, message_key, shard FROM " + tables.held +
                           " WHERE route = $1 AND seq > $2::bigint ORDER BY seq LIMIT " +
                           std::to_string(page_rows);
  for (std::int64_t after = INT64_MIN;;) {
    const std::string from = std::to_string(after);
    auto rows = connection.run("acquire", page, {request.route.c_str(), from.c_str()});
    if (!rows) return rows.error();
    ArrayText seqs, shards;
    for (int row = 0; row < rows->count(); ++row) {
      after = rows->integer(row, 0);
      std::optional<std::string_view> key;
      if (!rows->null(row, 1)) key = rows->text(row, 1);
      const int shard = shard_of(key, after, request.shards);
      if (shard == rows->integer(row, 2)) continue;
      seqs.add(after);
      shards.add(std::int64_t{shard});
    }
    const std::string seqs_text = seqs.take(), shards_text = shards.take();
    auto moved = connection.run(
        "acquire",
        "UPDATE " + tables.held +
            " h SET shard = r.shard FROM unnest($2::bigint[], $3::integer[]) AS r (seq, shard) "
            "WHERE h.route = $1 AND h.seq = r.seq",
        {request.route.c_str(), seqs_text.c_str(), shards_text.c_str()});
    if (!moved) return moved.error();
    if (rows->count() < page_rows) return {};
  }
}

Result<void> make_anew(Connection& connection, const Tables& tables, const LeaseRequest& request,
                       const std::vector<OldMark>& old) {
  const OldMark& first = old.front();
  const bool same = std::ranges::all_of(old, [&](const OldMark& mark) {
    return mark.window.text() == first.window.text() && mark.seq == first.seq;
  });
  // Where they differ, a window that is half settled is begun anew: repeats at most that window.
  const Window window = same ? first.window : Window{first.window.seen, {}};
  if (auto made = make_marks(connection, tables, request, old, window, same ? first.seq : 0); !made)
    return made.error();
  if (!same)
    if (auto done = let_go_repeated(connection, tables, request.route, window.seen); !done)
      return done.error();
  return move_held(connection, tables, request);
}

}  // namespace

bool is_free(const LeaseHolder& holder, const LeaseRequest& request) {
  return holder.owner.empty() || holder.owner == request.owner ||
         (request.expired && *request.expired == holder) || provably_gone(holder.owner);
}

std::string like_patterns(const std::vector<std::string>& topics) {
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

Result<std::optional<LeaseHolder>> reshard(Connection& connection, const Tables& tables,
                                           const LeaseRequest& request) {
  if (auto begun = connection.run("acquire", "BEGIN"); !begun) return begun.error();
  auto old = lock_marks(connection, tables, request.route);
  if (!old) return old.error();
  std::optional<LeaseHolder> in_the_way;
  const bool fits =
      static_cast<int>(old->size()) == request.shards &&
      std::ranges::all_of(*old, [&](const OldMark& mark) { return mark.shards == request.shards; });
  if (!fits && !old->empty()) {
    int shard = INT_MAX;
    for (const OldMark& mark : *old)
      if (mark.shard < shard && !is_free(mark.holder, request)) {
        in_the_way = mark.holder;
        shard = mark.shard;
      }
    auto done = !in_the_way       ? make_anew(connection, tables, request, *old)
                : request.expired ? take_expired(connection, tables, request)
                                  : Result<void>();
    if (!done) return done.error();
  }
  if (auto done = connection.run("acquire", "COMMIT"); !done) return done.error();
  return in_the_way;
}

}  // namespace outbox::postgresql
