// What the log tells of a trouble: each change once, with its reason, in the format that is configured.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <sstream>
#include <string>

#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_disk.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a full disk is told of with its reason, once for each time, however soon it is full again") {
  TinyDisk disk;
  if (!disk.is_there()) {
    MESSAGE("no right to mount a tmpfs: not tested");
    return;
  }
  SqliteShop shop;
  Outboxd relay(config_of(shop.url(), "file:" + disk.path() + "/events"));
  relay.start();
  shop.order(1);
  REQUIRE(shop.all_sent(1));
  for (int outage = 1; outage <= 2; ++outage) {
    CAPTURE(outage);
    disk.fill();
    shop.order(100);
    const auto told = [&] { return count(relay.log(), "state=backoff") == outage; };
    CHECK(eventually(told, patience));
    CHECK(relay.logs("No space left on device"));
    const Json full = relay.status_when([](const Json& status) { return is_in_state(status, "backoff"); });
    CHECK(route_of(full).at("last_error").get<std::string>().find("No space left") != std::string::npos);
    CHECK(route_of(full).at("last_error_at").get<std::string>().ends_with("Z"));
    const auto failed = route_of(full).at("failed_total").get<int>();
    const auto fails_on = [&](const Json& status) {
      return route_of(status).at("failed_total") > failed + 5;
    };
    CHECK_FALSE(relay.status_when(fails_on).is_null());
    disk.free();
    CHECK(shop.all_sent(1 + 100 * static_cast<std::size_t>(outage)));
    const auto is_over = [&] { return count(relay.log(), "state=running") == outage + 1; };
    CHECK(eventually(is_over, patience));
    CHECK(route_of(relay.status_when([](const Json& status) { return is_in_state(status, "running"); }))
              .at("last_error")
              .is_null());
  }
  CHECK_MESSAGE(count(relay.log(), "route.state") == 5, relay.log());
  CHECK(relay.stop(SIGTERM) == 0);
}

TEST_CASE("in JSON mode every line is JSON, whatever the reloaded file has for faults") {
  SqliteShop shop;
  Outboxd relay(config_of(shop.url(), "null:"));
  relay.start({"--set", "log.format=json"});
  REQUIRE(relay.logs("\"running\""));
  relay.write_config("lees = 1\n[[route\n");
  relay.process().signal(SIGHUP);
  REQUIRE(relay.logs("config.reload"));
  CHECK(relay.logs("config.fault"));
  CHECK(relay.stop(SIGTERM) == 0);
  std::istringstream lines(relay.log());
  for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(Json::accept(line), line);
}

}  // namespace outbox::test
