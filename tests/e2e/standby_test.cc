// Two relays on one database: one works, the other stands by, and takes over when the first is dead or
// silent.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

constexpr int window = 64;

RelayConfig config_for(const Shop& shop, const RedisServer& redis, const std::string& lease) {
  RelayConfig config = config_of(shop.url(), redis.url());
  config.lease = lease;
  config.window = window;
  return config;
}

bool is(const Outboxd& relay, const std::string& state) {
  const auto wanted = [&](const Json& status) { return is_in_state(status, state); };
  return is_in_state(relay.status_when(wanted), state);
}

bool holds_lease(const Json& status) {
  const Json route = route_of(status);
  return route.is_object() && !route.at("leases").empty() && route.at("leases")[0].at("mine") == true;
}

void check_take_over_at_once(Shop& shop) {
  const RedisServer redis;
  Outboxd first(config_for(shop, redis, "30m")), second(config_for(shop, redis, "30m"));
  first.start();
  REQUIRE(is(first, "running"));
  second.start();
  REQUIRE(is(second, "standby"));
  const Json standby = second.status_when([](const Json&) { return true; });
  CHECK(standby.at("state") == "running");  // to stand by is no fault
  CHECK(reasons_of(standby).find("another relay holds the lease") != std::string::npos);
  CHECK_FALSE(route_of(standby).at("leases")[0].at("mine").get<bool>());
  CHECK(eventually([&] { return second.get("/readyz") == 200; }, patience));
  shop.order(20);
  CHECK(shop.all_sent(20));
  CHECK(route_of(second.status_when([](const Json&) { return true; })).at("sent_total") == 0);

  first.kill();
  CHECK(is(second, "running"));  // long before the lease has run out: the holder is provably gone
  shop.order(20);
  CHECK(shop.all_sent(40));

  // An orderly end hands over as well.
  first.start();
  REQUIRE(is(first, "standby"));
  CHECK(second.stop(SIGTERM) == 0);
  CHECK(is(first, "running"));
  shop.order(20);
  CHECK(shop.all_sent(60));
  CHECK(first.stop(SIGTERM) == 0);
  RedisReader reader(redis.port());
  CHECK(shop.committed().compare(reader.stream("orders")).text() == Comparison{}.text());
}

/// True once `other` has taken over from the frozen holder. A process that was frozen in the middle of a
/// write to a SQLite file keeps its lock: then nobody can take over, and `other` says that.
bool takes_over(const Outboxd& other) {
  const auto is_decided = [](const Json& status) {
    return holds_lease(status) || reasons_of(status).find("locked") != std::string::npos;
  };
  const Json status = other.status_when(is_decided);
  REQUIRE_MESSAGE(is_decided(status), other.log());
  return holds_lease(status);
}

/// The route's numbers, as this relay shows them in the end.
bool shows(const Outboxd& relay, int pending, int retrying) {
  const auto is_so = [&](const Json& status) {
    const Json route = route_of(status);
    return route.is_object() && route.at("pending") == pending &&
           route.at("held").at("retrying") == retrying &&
           (route.at("oldest_pending_age_seconds") > 0.0) == (pending + retrying > 0);
  };
  const Json status = relay.status_when(is_so);
  CHECK_MESSAGE(is_so(status), status.dump(2));
  return is_so(status);
}

/// "holds, lives; ", for each relay that this one shows.
std::string relays_of(const Json& status) {
  std::string text;
  if (!status.is_object()) return text;
  for (const Json& relay : status.at("relays"))
    text += std::string(relay.at("leases").empty() ? "stands by" : "holds") +
            (relay.at("lives") == true ? ", lives; " : ", gone; ");
  return text;
}

void check_both_tell(Shop& shop) {
  const RedisServer redis;
  RedisReader admin(redis.port());
  Outboxd first(config_for(shop, redis, "1s")), second(config_for(shop, redis, "1s"));
  first.start();
  REQUIRE(is(first, "running"));
  second.start();
  REQUIRE(is(second, "standby"));
  for (int round = 0; round < 2; ++round) {  // also after it has seen that nothing is held
    admin.command({"SET", "bad", "not a stream"});
    for (int i = 0; i < 3; ++i) shop.insert({.topic = "bad"});
    for (const Outboxd* relay : {&first, &second}) CHECK(shows(*relay, 0, 3));
    admin.command({"DEL", "bad"});
    for (const Outboxd* relay : {&first, &second}) CHECK(shows(*relay, 0, 0));
  }

  REQUIRE(first.command({"pause", "--route", "main"}).exit_code == 0);
  REQUIRE(is(first, "paused"));
  shop.order(5);
  for (const Outboxd* relay : {&first, &second}) CHECK(shows(*relay, 5, 0));
  REQUIRE(first.command({"resume", "--route", "main"}).exit_code == 0);
  for (const Outboxd* relay : {&first, &second}) CHECK(shows(*relay, 0, 0));

  for (const Outboxd* relay : {&first, &second}) {
    const auto is_so = [](const Json& status) {
      const std::string text = relays_of(status);
      return text == "holds, lives; stands by, lives; " || text == "stands by, lives; holds, lives; ";
    };
    const Json status = relay->status_when(is_so);
    CHECK_MESSAGE(is_so(status), status.dump(2));
  }
  CHECK(second.stop(SIGTERM) == 0);
  const auto is_alone = [](const Json& status) { return relays_of(status) == "holds, lives; "; };
  CHECK(is_alone(first.status_when(is_alone)));
  CHECK(first.stop(SIGTERM) == 0);
}

double lost_leases(const Outboxd& relay) {
  return relay.metric("outbox_lease_lost_total").value_or(0);
}

void check_frozen_holder(Shop& shop) {
  const RedisServer redis;
  RedisReader reader(redis.port());
  const auto arrived = [&] { return std::stoul(reader.command({"XLEN", "orders"})); };
  Outboxd first(config_for(shop, redis, "1s")), second(config_for(shop, redis, "1s"));
  first.start();
  REQUIRE(is(first, "running"));
  second.start();
  REQUIRE(is(second, "standby"));

  std::size_t freezes = 0;
  {
    const Producers producers(shop, 3, 5);
    Outboxd* holder = &first;
    Outboxd* other = &second;
    for (int take_overs = 0; take_overs < 3 && freezes < 20; ++freezes) {
      const std::size_t wanted = arrived() + 100;
      REQUIRE_MESSAGE(eventually([&] { return arrived() >= wanted; }, patience), holder->log());
      holder->process().signal(SIGSTOP);
      const bool taken_over = takes_over(*other);
      if (taken_over) {
        const std::size_t more = arrived() + 100;
        CHECK(eventually([&] { return arrived() >= more; }, patience));
        ++take_overs;
      }
      holder->process().signal(SIGCONT);
      const auto is_settled = [](const Json& status) {
        return is_in_state(status, "running") || is_in_state(status, "standby");
      };
      const Json thawed = holder->status_when([&](const Json& status) {
        return taken_over ? is_in_state(status, "standby") : is_settled(status);
      });
      if (taken_over) {
        CHECK_MESSAGE(is_in_state(thawed, "standby"), holder->log());
        CHECK(holder->metric("outbox_lease_lost_total") >= 1);
      }
      if (is_in_state(thawed, "standby")) std::swap(holder, other);
    }
  }
  const CommittedRows committed = shop.committed();
  CHECK(shop.all_sent(committed.size()));
  const Comparison comparison = committed.compare(reader.stream("orders"));
  MESSAGE(committed.size() << " committed; " << comparison.text());
  CHECK(comparison.is_faultless());
  // A busy machine may take a lease away unasked.
  const double losses = lost_leases(first) + lost_leases(second);
  CHECK(static_cast<double>(comparison.repeated) <= (static_cast<double>(freezes) + losses) * window);
}

}  // namespace

TEST_CASE("PostgreSQL: a relay that is killed is followed at once by the one that stands by") {
  PostgresqlShop shop;
  check_take_over_at_once(shop);
}

TEST_CASE("SQLite: a relay that is killed is followed at once by the one that stands by") {
  SqliteShop shop;
  check_take_over_at_once(shop);
}

TEST_CASE("PostgreSQL: a relay that stands by tells what waits, and each tells of all") {
  PostgresqlShop shop;
  check_both_tell(shop);
}

TEST_CASE("SQLite: a relay that stands by tells what waits, and each tells of all") {
  SqliteShop shop;
  check_both_tell(shop);
}

TEST_CASE("PostgreSQL: a frozen relay loses its lease, and once it goes on it writes nothing") {
  PostgresqlShop shop;
  check_frozen_holder(shop);
}

TEST_CASE("SQLite: a frozen relay loses its lease, and once it goes on it writes nothing") {
  SqliteShop shop;
  check_frozen_holder(shop);
}

}  // namespace outbox::test
