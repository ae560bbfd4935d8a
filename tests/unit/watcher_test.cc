// What a watcher asks its database for, and how often.
#include "runtime/watcher.h"

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "fake_admin.h"
#include "runtime/pace.h"
#include "runtime_fakes.h"
#include "tests/support/eventually.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

/// Takes a tenth of a second to count what is held.
class SlowAdmin : public FakeAdmin {
 public:
  SlowAdmin(FakeDatabase& rows, std::atomic<int>& rounds, std::atomic<int>& counts)
      : FakeAdmin(rows), rounds_(rounds), counts_(counts) {}

  Result<std::vector<RouteShard>> routes() override {
    ++rounds_;
    return FakeAdmin::routes();
  }
  Result<std::map<HeldState, HeldCount>> held_counts(const std::string&) override {
    ++counts_;
    std::this_thread::sleep_for(100ms);
    return std::map<HeldState, HeldCount>{{HeldState::dead, {200'000, {}}}};
  }

 private:
  std::atomic<int>& rounds_;
  std::atomic<int>& counts_;
};

/// A watcher of route "orders", whose one lane is never started.
struct Watched {
  explicit Watched(std::function<std::unique_ptr<Admin>()> open)
      : watcher(Watcher::Options{}, {{"orders", Topics({"*"}), {&lane}}},
                [open = std::move(open)]() -> Result<std::unique_ptr<Admin>> { return open(); }) {
    watcher.start();
  }

  Journal asked;
  Sleep sleep;
  Lane lane{RelayOptions{}, "null:", std::make_unique<FakeStore>(asked, sleep),
            std::make_unique<FakeBroker>(sleep), Lane::Hooks{[] {}, [] {}}};
  Watcher watcher;
};

}  // namespace

TEST_CASE("what is costly takes one part in fifty of the time, and five where somebody waits for it") {
  Pace pace(0s);
  const Instant start{1h};
  CHECK(pace.is_due(start));
  pace.done(start, start + 1s);
  CHECK_FALSE(pace.is_due(start + 50s));
  CHECK(pace.is_due(start + 51s));
  pace.hurry();
  CHECK_FALSE(pace.is_due(start + 5s));
  CHECK(pace.is_due(start + 6s));
  pace.done(start + 6s, start + 6s);
  CHECK(pace.is_due(start + 6s));
  Pace bounded(0s, 20s);
  bounded.done(start, start + 1s);
  CHECK_FALSE(bounded.is_due(start + 20s));
  CHECK(bounded.is_due(start + 21s));
}

TEST_CASE("a route of the database is unattended once its marks have not moved for a while") {
  using Unattended = std::vector<UnattendedStatus>;
  UnattendedRoutes routes(10s);
  const auto is_ours = [](const std::string& name) { return name == "ours"; };
  const auto mark = [](const char* route, int shard) {
    return RouteShard{route, shard, "host-1", 3, false, 0, 0};
  };
  std::vector<RouteShard> rows = {mark("ours", 0), mark("theirs", 0), mark("theirs", 1), mark("gone", 0)};
  Instant now{1h};
  CHECK(routes.look(now, rows, is_ours).empty());
  now += 9s;
  CHECK(routes.look(now, rows, is_ours).empty());
  rows[2].beat = 5;  // one shard is enough
  now += 1s;
  CHECK(routes.look(now, rows, is_ours) == Unattended{{"gone", 10}});
  now += 10s;
  CHECK(routes.look(now, rows, is_ours) == Unattended{{"gone", 20}, {"theirs", 10}});
  ++rows[3].epoch;  // somebody has taken it
  CHECK(routes.look(now, rows, is_ours) == Unattended{{"theirs", 10}});
}

TEST_CASE(
    "relays are known by their signs of life and by their leases, and forgotten when they have neither") {
  const std::vector<RelayMember> members = {
      {"a", 1, 2s}, {"b", 1, 20s}, {"c", 1, 20s}, {"d", 1, 1h}, {"me", 1, 3s}};
  const std::vector<RouteShard> marks = {
      {"orders", 0, "b"}, {"orders", 1, "me"}, {"carts", 0, "once"}, {"carts", 1, ""}};
  const auto relays = known_relays("me", 10s, members, 1s, marks);
  std::string text;
  for (const RelayStatus& relay : relays) {
    text += relay.instance + (relay.me ? " me" : "") + (relay.lives ? " lives" : "");
    if (relay.last_seen_seconds) text += " " + std::to_string(static_cast<int>(*relay.last_seen_seconds));
    for (const auto& lease : relay.leases) text += " " + lease.route + "/" + std::to_string(lease.shard);
    text += "; ";
  }
  CHECK(text == "a lives 3; b 21 orders/0; c 21; me me lives 0 orders/1; once carts/0; ");
}

TEST_CASE("a watcher names the routes that nobody runs") {
  FakeDatabase rows;
  rows.marks = {{"orders", 0, "host-1", 3, false, 0, 0}, {"given up", 0, "", 1, false, 0, 0}};
  const Watched watched([&] { return std::make_unique<FakeAdmin>(rows); });
  const Watcher& watcher = watched.watcher;
  CHECK(eventually([&] { return !watcher.unattended().empty(); }, 60s));
  CHECK(watcher.unattended().front().name == "given up");
}

TEST_CASE("held rows that take long to count are counted seldom") {
  FakeDatabase rows;
  std::atomic<int> rounds = 0, counts = 0;
  const Watched watched([&] { return std::make_unique<SlowAdmin>(rows, rounds, counts); });
  const Watcher& watcher = watched.watcher;
  REQUIRE(eventually([&] { return rounds >= 4; }, 60s));
  CHECK(counts == 1);
  CHECK(watcher.seen(0).held.at(HeldState::dead).rows == 200'000);
}
