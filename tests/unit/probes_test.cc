#include "http/probes.h"

#include <doctest/doctest.h>

#include "tests/unit/status_sample.h"

using namespace outbox;
using outbox::test::fresh_status;

TEST_CASE("alive means that no loop is stuck") {
  CHECK(liveness({}, false).passed);
  CHECK(liveness({}, false).text == "ok\n");
  const ProbeAnswer stuck = liveness({"orders.read", "orders.publish"}, false);
  CHECK_FALSE(stuck.passed);
  CHECK(stuck.text.find("orders.read") != std::string::npos);
  CHECK(stuck.text.find("orders.publish") != std::string::npos);
}

TEST_CASE("ready means that the database has been seen, even if it is away now") {
  Status status = fresh_status();
  status.database.connected = false;
  CHECK(readiness(status, {}).passed);
  status.database.seen = false;
  CHECK_FALSE(readiness(status, {}).passed);
}

TEST_CASE("a draining relay is not ready") {
  Status status = fresh_status();
  status.state = "draining";
  CHECK_FALSE(readiness(status, {}).passed);
}

TEST_CASE("the broker counts only when asked") {
  const Status status = fresh_status();
  CHECK(readiness(status, {}).passed);
  const ProbeAnswer with_broker = readiness(status, {.with_broker = true, .verbose = false});
  CHECK_FALSE(with_broker.passed);
  CHECK(with_broker.text.find("broker orders") != std::string::npos);
}

TEST_CASE("a verbose answer has a line for every check") {
  const std::string text = readiness(fresh_status(), {.with_broker = true, .verbose = true}).text;
  CHECK(text ==
        "[+]configuration ok\n[+]database ok\n[+]shutdown ok\n"
        "[-]broker orders failed: not connected; see /status\nreadyz check failed\n");
}

TEST_CASE("a probe's text does not tell addresses or errors") {
  Status status = fresh_status();
  status.database.seen = false;
  status.database.last_error = "connection refused (10.0.0.7:5432)";
  CHECK(readiness(status, {.with_broker = true, .verbose = true}).text.find("10.0.0.7") == std::string::npos);
}
