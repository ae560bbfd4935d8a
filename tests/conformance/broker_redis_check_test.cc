// What `outboxd check` says of a real Redis server, good and bad.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_suite.h"
#include "tests/conformance/redis_reader.h"
#include "tests/support/free_port.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

using Level = Finding::Level;

CheckReport findings_of(const std::string& url, const std::vector<std::string>& topics = {},
                        const Settings& changed = {}) {
  CheckReport findings(redis_adapter(), url, topics, changed);
  for (const Finding& finding : findings.all()) CHECK(finding.what.starts_with("redis: "));
  return findings;
}

TEST_CASE("redis: check finds nothing wrong with a server that is set up as the README says") {
  RedisServer server({.append_fsync = "always"});
  RedisReader(server.port()).command({"XADD", "order.placed", "*", "a", "b"});
  const CheckReport findings = findings_of(server.url(), {"order.placed", "order.paid"});
  CHECK(findings.of("is a master with 0 replicas") == "ok");
  CHECK(findings.of("appendfsync always") == "ok");
  CHECK(findings.of("536870912 bytes") == "ok");
  CHECK(findings.of("stream 'order.placed' is there") == "ok");
  CHECK(findings.of("stream 'order.paid' will be created") == "ok");
  CHECK(findings.are_all_ok());
  CHECK(RedisReader(server.port()).command({"XLEN", "order.placed"}) == "1");
  CHECK(RedisReader(server.port()).command({"EXISTS", "order.paid"}) == "0");
}

TEST_CASE("redis: check warns of each setting that makes an acknowledgement weaker") {
  RedisServer server;
  RedisReader reader(server.port());
  CHECK(findings_of(server.url()).of("appendfsync everysec") == "warning");
  reader.command({"CONFIG", "SET", "appendonly", "no"});
  CHECK(findings_of(server.url()).of("appendonly is off") == "warning");
  reader.command({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  CHECK(findings_of(server.url()).of("maxmemory-policy") == "none");
  reader.command({"CONFIG", "SET", "maxmemory", "100mb"});
  CHECK(findings_of(server.url()).of("maxmemory-policy allkeys-lru") == "warning");
}

TEST_CASE("redis: check names streams that are missing, of another type, or not the user's") {
  RedisServer server;
  RedisReader reader(server.port());
  reader.command({"SET", "string", "x"});
  CHECK(findings_of(server.url(), {"string"}).of("holds a string") == "fault");
  CHECK(findings_of(server.url(), {"gone"}, {{"create_streams", false}}).of("'gone' is not there") ==
        "fault");
  reader.command(
      {"ACL", "SETUSER", "shop", "on", ">pass", "~mine", "+xadd", "+auth", "+type", "+role", "+config|get"});
  const std::string url = "redis://shop:pass@127.0.0.1:" + std::to_string(server.port());
  const CheckReport findings = findings_of(url, {"mine", "theirs"});
  CHECK(findings.of("'theirs': the user may not write to it") == "fault");
  CHECK(findings.of("'mine' will be created") == "ok");
  CHECK(findings.of("was not checked") == "none");
  CHECK(findings.all().back().fix == "ACL SETUSER shop ~theirs +xadd");
}

TEST_CASE("redis: check says what the user may not ask, in one line") {
  RedisServer server;
  RedisReader(server.port())
      .command({"ACL", "SETUSER", "shop", "on", ">right-secret", "~*", "+xadd", "+auth"});
  const CheckReport findings =
      findings_of("redis://shop:right-secret@127.0.0.1:" + std::to_string(server.port()), {"a", "b"});
  REQUIRE(findings.all().size() == 1);
  CHECK(findings.of("may not ask for ROLE, CONFIG GET, TYPE") == "warning");
}

TEST_CASE("redis: check finds a replica, a wrong login and no server") {
  RedisServer server({.password = "right-secret"});
  const std::string port = std::to_string(server.port());
  const CheckReport wrong = findings_of("redis://:wrong-secret@127.0.0.1:" + port);
  CHECK(wrong.of("AUTH was refused: WRONGPASS") == "fault");
  CHECK(wrong.of("secret") == "none");
  RedisReader(server.port(), "right-secret").command({"REPLICAOF", "127.0.0.1", "1"});
  CHECK(findings_of(server.url()).of("is a replica") == "fault");
  const CheckReport none = findings_of("redis://127.0.0.1:" + std::to_string(free_port()));
  REQUIRE(none.all().size() == 1);
  CHECK(none.all()[0].level == Level::fault);
}

TEST_CASE("redis: check compares wait_replicas with the replicas there are") {
  RedisServer master({.arguments = {"--repl-diskless-sync-delay", "0"}});
  const Settings one = {{"wait_replicas", std::int64_t{1}}};
  CHECK(findings_of(master.url(), {}, one).of("nothing will be accepted") == "fault");
  RedisServer replica({.arguments = {"--replicaof", "127.0.0.1", std::to_string(master.port())}});
  RedisReader reader(master.port());
  REQUIRE(eventually([&] { return reader.command({"ROLE"}).find("127.0.0.1") != std::string::npos; }));
  CHECK(findings_of(master.url()).of("a fail-over may lose some") == "warning");
  CHECK(findings_of(master.url(), {}, one).of("min-replicas-to-write is 0") == "warning");
  reader.command({"CONFIG", "SET", "min-replicas-to-write", "1"});
  const CheckReport good = findings_of(master.url(), {}, one);
  CHECK(good.of("is a master with 1 replicas") == "ok");
  CHECK(good.of("replicas-to-write") == "none");
}

}  // namespace
}  // namespace outbox::test
