// An Admin in memory that obeys its port, for the tests of command line and HTTP. Any thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/admin.h"

namespace outbox::test {

/// What the played database holds and is asked for; outlives the admins on it.
struct FakeDatabase {
  std::mutex mutex;
  std::vector<HeldEntry> held;
  std::vector<MessageDetails> messages;
  std::vector<RouteShard> marks;
  std::map<std::string, std::vector<WaitingTopic>> waiting_topics;
  std::vector<std::string> audit;  ///< "actor action what"
  std::optional<Error> error;
  std::function<void()> before;  ///< called at the begin of everything that operators do, without the lock
  std::function<void()> before_routes;  ///< called before the marks or unrouted topics are shown
  std::vector<AppliedMigration> applied;
  std::vector<NewRow> sent;
  std::vector<Finding> findings = {{Finding::Level::ok, "table outbox", ""}};
  bool unsent = false;
  std::atomic<Duration> kept{};  ///< for how long sent rows were kept when they were last removed
};

class FakeAdmin : public Admin {
 public:
  explicit FakeAdmin(FakeDatabase& rows) : rows_(rows) {}

  Result<std::vector<Finding>> check() override { return or_error(rows_.findings); }
  Result<std::string> send(const NewRow& row) override {
    if (rows_.error) return *rows_.error;
    rows_.sent.push_back(row);
    return row.id.value_or("00000000-0000-4000-8000-000000000000");
  }
  Result<void> send_many(const NewRow& row, std::int64_t count, std::int64_t) override {
    rows_.sent.insert(rows_.sent.end(), static_cast<std::size_t>(count), row);
    return {};
  }
  Result<std::vector<AppliedMigration>> migrations() override { return or_error(rows_.applied); }
  Result<bool> apply(const Migration& migration) override {
    rows_.applied.push_back({migration.version, migration.name, migration.checksum, "2026-01-31T10:00:00Z"});
    return true;
  }
  Result<void> revert(const Migration&, bool force) override {
    if (rows_.unsent && !force) return Error{Fault::refused, "3 rows are unsent; --force drops them"};
    rows_.applied.pop_back();
    return {};
  }

  Result<std::vector<HeldEntry>> held(const HeldFilter& filter, const std::optional<ListPlace>& after,
                                      std::size_t rows_max) override {
    const auto lock = begin();
    if (rows_.error) return *rows_.error;
    std::vector<HeldEntry> found;
    for (const HeldEntry& entry : rows_.held) {
      const bool is_behind =
          !after || entry.route > after->route || (entry.route == after->route && entry.seq > after->seq);
      if (is_behind && matches(entry, filter)) found.push_back(entry);
    }
    std::ranges::sort(found, [](const HeldEntry& a, const HeldEntry& b) {
      return std::tie(a.route, a.seq) < std::tie(b.route, b.seq);
    });
    found.resize(std::min(found.size(), rows_max));
    return found;
  }

  Result<std::optional<MessageDetails>> message(const std::optional<std::string>& id,
                                                std::optional<std::int64_t> seq, bool with_payload) override {
    const auto lock = begin();
    if (rows_.error) return *rows_.error;
    for (MessageDetails message : rows_.messages) {
      if (id ? message.id != *id : message.seq != seq) continue;
      if (!with_payload) message.payload.clear();
      return std::optional(message);
    }
    return std::optional<MessageDetails>();
  }

  Result<Matched> change_held(HeldAction action, const HeldFilter& filter, std::int64_t rows_max,
                              bool dry_run, const std::string& actor) override {
    const auto lock = begin();
    if (rows_.error) return *rows_.error;
    Matched done;
    done.matched =
        std::ranges::count_if(rows_.held, [&](const auto& entry) { return matches(entry, filter); });
    if (dry_run) return done;
    std::erase_if(rows_.held, [&](HeldEntry& entry) {
      if (done.changed >= rows_max || !matches(entry, filter)) return false;
      ++done.changed;
      if (action == HeldAction::discard) return true;
      entry.state = HeldState::retrying;
      entry.attempts = 0;
      return false;
    });
    rows_.audit.push_back(actor + (action == HeldAction::discard ? " discard " : " requeue ") +
                          std::to_string(done.changed));
    return done;
  }

  Result<Matched> drop_route(const std::string& route, const std::vector<RouteShard>& idle, bool dry_run,
                             const std::string& actor) override {
    const auto lock = begin();
    if (rows_.error) return *rows_.error;
    for (const RouteShard& shard : rows_.marks)
      if (shard.route == route && !shard.owner.empty() &&
          std::ranges::none_of(idle, [&](const RouteShard& seen) { return seen.beat == shard.beat; }))
        return Error{Fault::refused, "relay " + shard.owner + " holds the lease"};
    if (dry_run) return Matched{1, 0};
    std::erase_if(rows_.marks, [&](const RouteShard& shard) { return shard.route == route; });
    rows_.audit.push_back(actor + " route_drop " + route);
    return Matched{1, 1};
  }

  Result<void> set_paused(const std::string& route, bool paused, const std::string& actor) override {
    const auto lock = begin();
    if (rows_.error) return *rows_.error;
    bool found = false;
    for (RouteShard& mark : rows_.marks)
      if (mark.route == route) {
        mark.paused = paused;
        found = true;
      }
    if (!found) return Error{Fault::refused, "there is no route " + route};
    rows_.audit.push_back(actor + (paused ? " pause " : " resume ") + route);
    return {};
  }

  Result<void> note(const std::string& action, const std::string& actor) override {
    const auto lock = begin();
    if (rows_.error) return *rows_.error;
    rows_.audit.push_back(actor + " " + action);
    return {};
  }

  Result<Matched> replay(const std::string& route, const MarkPlace& from, bool dry_run,
                         const std::string& actor) override {
    if (!has(route)) return Error{Fault::refused, "there is no route " + route};
    return put("replay " + route, from, dry_run, actor);
  }

  Result<Matched> rebase(const std::optional<std::string>& route, const MarkPlace& from, bool dry_run,
                         const std::string& actor) override {
    if (route && !has(*route)) return Error{Fault::refused, "there is no route " + *route};
    return put("rebase " + route.value_or("*"), from, dry_run, actor);
  }

  Result<std::vector<RouteShard>> routes() override {
    if (rows_.error) return *rows_.error;
    if (rows_.before_routes) rows_.before_routes();
    return rows_.marks;
  }
  Result<Backlog> backlog(const std::string&) override { return Backlog{5, std::chrono::seconds(3)}; }
  Result<std::map<HeldState, HeldCount>> held_counts(const std::string& route) override {
    std::map<HeldState, HeldCount> counts;
    for (const HeldEntry& entry : rows_.held)
      if (entry.route == route) ++counts[entry.state].rows;
    return counts;
  }
  Result<std::vector<BlockedKey>> blocked_keys(const std::string& route, std::size_t keys_max) override {
    std::vector<BlockedKey> keys;
    for (const HeldEntry& entry : rows_.held)
      if (entry.route == route && entry.key && entry.state == HeldState::retrying && keys.size() < keys_max)
        keys.push_back({*entry.key, entry.seq, entry.id, entry.state, entry.attempts, entry.last_error,
                        std::chrono::seconds(200), 1});
    return keys;
  }
  Result<std::vector<WaitingTopic>> waiting_topics(const std::string& route, std::size_t) override {
    const auto found = rows_.waiting_topics.find(route);
    return or_error(found == rows_.waiting_topics.end() ? std::vector<WaitingTopic>{} : found->second);
  }
  Result<Removed> remove_sent(const Retention& retention) override {
    rows_.kept = retention.sent;
    return Removed{};
  }
  Result<Duration> oldest_row_age() override { return Duration::zero(); }
  Result<std::vector<std::string>> unrouted_topics() override {
    if (rows_.before_routes) rows_.before_routes();
    return std::vector<std::string>{};
  }
  Result<std::int64_t> adopt(const std::string&, const std::vector<std::string>&) override {
    return std::int64_t{0};
  }
  Result<std::vector<RelayMember>> join(const std::string&) override { return std::vector<RelayMember>{}; }
  Result<void> leave(const std::string&) override { return {}; }

 private:
  template <class T>
  Result<T> or_error(const T& value) {
    if (rows_.error) return *rows_.error;
    return value;
  }

  std::unique_lock<std::mutex> begin() const {
    if (rows_.before) rows_.before();
    return std::unique_lock(rows_.mutex);
  }

  bool has(const std::string& route) const {
    const auto lock = begin();
    return std::ranges::any_of(rows_.marks, [&](const RouteShard& mark) { return mark.route == route; });
  }

  Result<Matched> put(const std::string& what, const MarkPlace& from, bool dry_run,
                      const std::string& actor) {
    const auto lock = begin();
    if (rows_.error) return *rows_.error;
    constexpr std::array kinds = {"oldest", "now", "seq", "time"};
    if (!dry_run)
      rows_.audit.push_back(actor + " " + what + " " + kinds[static_cast<std::size_t>(from.kind)] + " " +
                            std::to_string(from.seq) + from.time);
    return Matched{7, dry_run ? 0 : 7};
  }

  static bool matches(const HeldEntry& entry, const HeldFilter& filter) {
    return (!filter.route || entry.route == *filter.route) &&
           (!filter.state || entry.state == *filter.state) && (!filter.key || entry.key == filter.key) &&
           (!filter.topic || entry.topic == *filter.topic) &&
           (filter.seqs.empty() || std::ranges::find(filter.seqs, entry.seq) != filter.seqs.end());
  }

  FakeDatabase& rows_;
};

/// Five rows of two routes: orders holds a retrying one with a blocked one behind it, a dead one and one
/// without key; audit a dead one. Messages for all but the last.
inline void fill(FakeDatabase& rows) {
  const auto id = [](int number) { return "00000000-0000-4000-8000-00000000000" + std::to_string(number); };
  const auto hold = [&](const std::string& route, int seq, std::optional<std::string> key, HeldState state,
                        const std::string& topic) {
    HeldEntry entry;
    entry.route = route;
    entry.seq = seq;
    entry.id = id(seq);
    entry.topic = topic;
    entry.key = std::move(key);
    entry.state = state;
    entry.held_at = "2026-01-31T10:00:00.000Z";
    if (state != HeldState::blocked) {
      entry.attempts = state == HeldState::dead ? 10 : 2;
      entry.last_error = "redis: refused";
    }
    rows.held.push_back(entry);
  };
  hold("orders", 1, "a", HeldState::retrying, "order.placed");
  hold("orders", 2, "a", HeldState::blocked, "order.paid");
  hold("orders", 3, "b", HeldState::dead, "order.placed");
  hold("orders", 4, std::nullopt, HeldState::dead, "order.paid");
  hold("audit", 5, "b", HeldState::dead, "order.placed");
  rows.marks = {{"orders", 0, "host-1", 3, false, 0, 0}, {"audit", 0, "", 1, false, 0, 0}};
  for (int seq = 1; seq <= 4; ++seq) {
    MessageDetails message;
    message.seq = seq;
    message.id = id(seq);
    message.topic = "order.placed";
    message.key = "a";
    message.type = "t";
    message.content_type = "application/json";
    message.headers = R"({"tenant":"x"})";
    message.created_at = "2026-01-31T09:59:59.000Z";
    message.payload = seq == 2 ? std::string("\xff\0\x01", 3) : "{\"order\": 7}";
    message.payload_bytes = static_cast<std::int64_t>(message.payload.size());
    message.routes = {{"orders", "retrying"}, {"audit", "sent"}};
    rows.messages.push_back(message);
  }
}

}  // namespace outbox::test
