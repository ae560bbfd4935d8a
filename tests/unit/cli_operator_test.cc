// The commands with which operators look at held rows and decide about them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "cli/mark.h"
#include "tests/unit/cli_fixture.h"

using namespace outbox;
using namespace outbox::test;
using Json = nlohmann::json;

namespace {

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Shop {
  Shop() { fill(database); }

  Ran run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--db", "fake:shop"});
    return outboxd(arguments, {.environment = environment, .database = &database});
  }
  Json json(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    return Json::parse(run(std::move(arguments)).out);
  }
  std::vector<int> seqs(const std::vector<std::string>& filter) {
    std::vector<std::string> arguments = {"held", "list"};
    arguments.insert(arguments.end(), filter.begin(), filter.end());
    std::vector<int> result;
    const Json shown = json(arguments);
    for (const Json& row : shown["held"]) result.push_back(row["seq"]);
    return result;
  }
  std::vector<HeldEntry>& held() { return database.held; }
  std::vector<std::string>& audit() { return database.audit; }

  FakeDatabase database;
  Environment environment{};
};

using Seqs = std::vector<int>;

}  // namespace

TEST_CASE("held list shows what the filters let through, by route and seq") {
  Shop shop;
  const Ran all = shop.run({"held", "list"});
  CHECK(all.code == 0);
  CHECK(all.out.starts_with("ROUTE   SEQ  STATE     ATTEMPTS  TOPIC"));
  CHECK(holds(all.out, "orders  2    blocked   0         order.paid    a    2026-01-31T10:00:00.000Z  -"));
  CHECK(shop.seqs({}) == Seqs{5, 1, 2, 3, 4});
  CHECK(shop.seqs({"--route", "orders"}) == Seqs{1, 2, 3, 4});
  CHECK(shop.seqs({"--state", "dead"}) == Seqs{5, 3, 4});
  CHECK(shop.seqs({"--key", "b"}) == Seqs{5, 3});
  CHECK(shop.seqs({"--topic", "order.paid"}) == Seqs{2, 4});
  CHECK(shop.seqs({"--seq", "2,4", "--seq", "5"}) == Seqs{5, 2, 4});
  CHECK(shop.seqs({"--state", "dead", "--key", "b", "--route", "orders"}) == Seqs{3});
  CHECK(shop.run({"held", "list", "--key", "none"}).out == "no held row matches\n");
  CHECK(shop.run({"held", "list", "--state", "lost"}).code == 2);
  CHECK(shop.run({"held", "list", "--limit", "0"}).code == 2);
}

TEST_CASE("held list goes on behind its last row") {
  Shop shop;
  const Ran first = shop.run({"held", "list", "--limit", "2"});
  CHECK(holds(first.out, "there are more: --after orders:1 "));
  CHECK(shop.json({"held", "list", "--limit", "2"})["next_after"] == "orders:1");
  CHECK(shop.seqs({"--limit", "2", "--after", "orders:1"}) == Seqs{2, 3});
  CHECK(shop.json({"held", "list", "--limit", "1", "--after", "orders:3"})["next_after"].is_null());
  CHECK(shop.seqs({"--limit", "2", "--all"}) == Seqs{5, 1, 2, 3, 4});
  CHECK(shop.run({"held", "list", "--after", "17"}).code == 2);
  const HeldEntry pattern = shop.held()[0];
  shop.held().assign(1201, pattern);
  for (std::size_t i = 0; i < 1201; ++i) shop.held()[i].seq = static_cast<std::int64_t>(i) + 1;
  CHECK(shop.seqs({"--all"}).size() == 1201);
  CHECK(shop.seqs({"--limit", "1100"}).size() == 1100);
}

TEST_CASE("held show tells what happened to a row, and its payload only when asked") {
  Shop shop;
  for (const char* row : {"1", "orders:1", "00000000-0000-4000-8000-000000000001"}) {
    CAPTURE(row);
    const Ran ran = shop.run({"held", "show", row});
    CHECK(ran.code == 0);
    CHECK(holds(ran.out, "route:            orders\nseq:              1\nstate:            retrying\n"));
    CHECK(holds(ran.out, "last error:       redis: refused\n"));
    CHECK(holds(ran.out, "headers:          {\"tenant\":\"x\"}\n"));
    CHECK(holds(ran.out, "payload:          12 bytes; --payload shows them\n"));
    CHECK_FALSE(holds(ran.out, "order\":"));
  }
  CHECK(holds(shop.run({"held", "show", "1", "--payload"}).out,
              "payload:          12 bytes\n{\"order\": 7}\n"));
  CHECK(holds(shop.run({"held", "show", "2", "--payload"}).out, "3 bytes, not text: in base64\n/wAB\n"));
  CHECK(shop.json({"held", "show", "2", "--payload"})["message"]["payload_base64"] == "/wAB");
  CHECK(shop.json({"held", "show", "1", "--payload"})["message"]["payload"] == "{\"order\": 7}");
  CHECK(shop.json({"held", "show", "1"})["message"]["headers"] == Json{{"tenant", "x"}});
  CHECK_FALSE(shop.json({"held", "show", "1"})["message"].contains("payload"));
}

TEST_CASE("held show tells a payload that would command the terminal in base64") {
  Shop shop;
  shop.database.messages[0].payload = "\x1b[2Jgone";
  CHECK(holds(shop.run({"held", "show", "1", "--payload"}).out, "G1sySmdvbmU="));
  shop.database.messages[0].headers = "\x1b";
  CHECK_FALSE(holds(shop.run({"held", "show", "1"}).out, "\x1b"));
}

TEST_CASE("held show finds rows that are not held, and rows that are gone") {
  Shop shop;
  std::erase_if(shop.held(), [](const HeldEntry& entry) { return entry.seq == 1; });
  const Ran sent = shop.run({"held", "show", "1"});
  CHECK(sent.code == 0);
  CHECK(holds(sent.out, "no route holds this row"));
  CHECK(holds(sent.out, "route audit:      sent\n"));
  const Ran gone = shop.run({"held", "show", "audit:5"});
  CHECK(gone.code == 0);
  CHECK(holds(gone.out, "its row is gone from the outbox: it can only be discarded"));
  const Ran none = shop.run({"held", "show", "77"});
  CHECK(none.code == 1);
  CHECK(holds(none.err, "there is no row 77, neither held nor in the outbox"));
  CHECK(shop.run({"held", "show", "seventeen"}).code == 2);
  CHECK(shop.run({"held", "show"}).code == 2);
}

TEST_CASE("requeue and discard change what the filter lets through, and leave a line of who did it") {
  Shop shop;
  const Ran requeued = shop.run({"held", "requeue", "--route", "orders", "--state", "dead"});
  CHECK(requeued.code == 0);
  CHECK(holds(requeued.out, "2 rows requeued: a running relay tries them again"));
  CHECK(shop.seqs({"--state", "dead"}) == Seqs{5});
  const Ran discarded = shop.run({"held", "discard", "--seq", "1,2", "--limit", "1"});
  CHECK(holds(discarded.out, "1 row of 2 discarded: never delivered"));
  CHECK(shop.seqs({}) == Seqs{5, 2, 3, 4});
  REQUIRE(shop.audit().size() == 2);
  CHECK(shop.audit()[0].starts_with("cli:"));
  CHECK(holds(shop.audit()[0], "@"));
  CHECK(shop.audit()[0].ends_with(" requeue 2"));
  CHECK(shop.audit()[1].ends_with(" discard 1"));
  CHECK(shop.json({"held", "discard", "--all"}) == Json{{"matched", 4}, {"changed", 4}});
  CHECK(shop.run({"held", "discard", "--all"}).out == "no held row matches: nothing was changed\n");
}

TEST_CASE("requeue and discard want a filter or --all") {
  Shop shop;
  for (const char* action : {"requeue", "discard"}) {
    const Ran ran = shop.run({"held", action});
    CHECK(ran.code == 2);
    CHECK(holds(ran.err, "say which (--route, --state, --key, --topic, --seq), or --all"));
    CHECK(shop.run({"held", action, "--limit", "1"}).code == 2);
  }
  CHECK(shop.held().size() == 5);
  CHECK(shop.audit().empty());
}

TEST_CASE("a dry run shows the rows and changes nothing") {
  Shop shop;
  for (const char* action : {"requeue", "discard"}) {
    const Ran ran = shop.run({"held", action, "--state", "dead", "--dry-run"});
    CHECK(ran.code == 0);
    CHECK(holds(ran.out, "audit   5    dead"));
    CHECK(holds(ran.out, "3 rows would be " + std::string(action) + (action[0] == 'r' ? "d" : "ed")));
    CHECK(holds(ran.out, "nothing was changed (--dry-run)"));
    CHECK(holds(shop.run({"held", action, "--all", "--limit", "2", "--dry-run"}).out,
                "2 rows, the oldest, would be"));
    CHECK(shop.json({"held", action, "--all", "--dry-run"}) == Json{{"matched", 5}, {"changed", 0}});
  }
  CHECK(shop.held().size() == 5);
  CHECK(shop.audit().empty());
}

TEST_CASE("pause and resume go to one route or to all that have run") {
  Shop shop;
  CHECK(shop.run({"pause"}).out == "audit paused\norders paused\n");
  CHECK(shop.database.marks[0].paused);
  CHECK(shop.run({"resume", "--route", "orders"}).out == "orders resumed\n");
  CHECK_FALSE(shop.database.marks[0].paused);
  CHECK(shop.database.marks[1].paused);
  const Ran unknown = shop.run({"pause", "--route", "order"});
  CHECK(unknown.code == 1);
  CHECK(holds(unknown.err, "there is no route order, did you mean orders?"));
  REQUIRE(shop.audit().size() == 3);
  CHECK(shop.audit()[2].starts_with("cli:"));
  CHECK(shop.audit()[2].ends_with(" resume orders"));
  shop.database.marks.clear();
  CHECK(holds(shop.run({"pause"}).err, "no relay has run on this database"));
}

TEST_CASE("replay goes back to a seq, a time or the oldest row, never to now") {
  Shop shop;
  CHECK(
      shop.run({"replay", "--route", "orders", "--from", "17"}).out ==
      "route orders, from seq 17 on: 7 retained rows go out again, in order and with the same ids; `outboxd "
      "status` shows how far it is\n");
  CHECK(shop.run({"replay", "--route", "orders", "--from", "2026-01-31 10:00:00+01:00"}).code == 0);
  CHECK(shop.run({"replay", "--route", "orders", "--from", "oldest"}).code == 0);
  REQUIRE(shop.audit().size() == 3);
  CHECK(shop.audit()[0].ends_with(" replay orders seq 17"));
  CHECK(shop.audit()[1].ends_with(" replay orders time 02026-01-31T09:00:00.000Z"));
  CHECK(shop.audit()[2].ends_with(" replay orders oldest 0"));
  const Ran dry = shop.run({"replay", "--route", "orders", "--from", "1", "--dry-run"});
  CHECK(holds(dry.out, "7 retained rows would go out again; nothing was changed (--dry-run)"));
  CHECK(shop.audit().size() == 3);
  CHECK(shop.run({"replay", "--route", "orders", "--from", "now"}).code == 2);
  CHECK(shop.run({"replay", "--route", "orders", "--from", "soon"}).code == 2);
  CHECK(shop.run({"replay", "--route", "orders", "--from", "-1"}).code == 2);
  CHECK(shop.run({"replay", "--route", "orders"}).code == 2);
  CHECK(shop.run({"replay", "--from", "1"}).code == 2);
  CHECK(shop.run({"replay", "--route", "none", "--from", "1"}).code == 1);
}

TEST_CASE("mark rebase puts the mark of one route or of all") {
  Shop shop;
  CHECK(shop.run({"mark", "rebase", "--from", "now"}).out ==
        "every route: 7 rows lie behind the present and will go out; the relay goes on with this database by "
        "itself\n");
  CHECK(shop.run({"mark", "rebase", "--from", "5", "--route", "orders"}).code == 0);
  CHECK(holds(shop.run({"mark", "rebase", "--from", "oldest", "--dry-run"}).out, "nothing was changed"));
  REQUIRE(shop.audit().size() == 2);
  CHECK(shop.audit()[0].ends_with(" rebase * now 0"));
  CHECK(shop.audit()[1].ends_with(" rebase orders seq 5"));
  CHECK(shop.run({"mark", "rebase"}).code == 2);
  CHECK(shop.run({"mark"}).code == 2);
  CHECK(shop.run({"mark", "rebase", "--from", "never"}).code == 2);
  CHECK(shop.run({"mark", "rebase", "--from", "now", "--route", "none"}).code == 1);
}

TEST_CASE("status without a relay says what the database knows, held rows and blocked keys too") {
  Shop shop;
  shop.database.marks.resize(1);
  const Ran held = shop.run({"status", "--listen", ""});
  CHECK(held.code == 0);
  CHECK(holds(held.out, "orders  leased  5        3.0 s   1 retrying, 1 blocked, 2 dead"));
  CHECK(holds(held.out, "keys that wait for their first row:"));
  CHECK(holds(held.out, "orders  a    retrying  1     3 min 20 s  2         1    00000000-"));
  shop.database.marks[0].owner.clear();
  const Ran unattended = shop.run({"status", "--listen", "", "--json"});
  CHECK(unattended.code == 1);
  const Json route = Json::parse(unattended.out)["routes"][0];
  CHECK(route["pending"] == 5);
  CHECK(route["held"]["dead"] == 2);
  CHECK(route["blocked_keys"][0]["last_error"] == "redis: refused");
  CHECK(outboxd({"status", "--listen", ""}).code == 1);
}

TEST_CASE("route list shows every route of the database, route drop forgets one that nobody runs") {
  Shop shop;
  const Ran listed = shop.run({"route", "list"});
  CHECK(listed.code == 0);
  CHECK(listed.out.starts_with("ROUTE   CONFIGURED  SHARDS  LEASE   PENDING  OLDEST  HELD"));
  CHECK(holds(listed.out, "orders  no          1       host-1  5        3.0 s   4"));
  CHECK(shop.json({"route", "list"})["routes"][1]["owners"].empty());
  CHECK(holds(shop.run({"route", "drop", "audit", "--dry-run"}).out, "nothing was changed"));
  CHECK(shop.database.marks.size() == 2);
  CHECK(holds(shop.run({"route", "drop", "audit"}).out,
              "route audit: 5 rows that it has not sent, 1 that it holds"));
  CHECK(shop.database.marks.size() == 1);
  CHECK(shop.run({"route", "drop"}).code == 2);
}

TEST_CASE("route drop waits a lease for a sign of life of whoever holds the route") {
  Shop shop;
  shop.environment = {{"OUTBOXD_RELAY_LEASE", "1s"}};
  const Ran idle = shop.run({"route", "drop", "orders"});
  CHECK(idle.code == 0);
  CHECK(holds(idle.err, "does host-1 live"));
  fill(shop.database);
  shop.database.before = [&] { ++shop.database.marks[0].beat; };
  CHECK(shop.run({"route", "drop", "orders"}).code == 1);
}

TEST_CASE("route drop waits no longer than for a sign of life") {
  Shop shop;
  shop.environment = {{"OUTBOXD_RELAY_LEASE", "1h"}};
  shop.database.before_routes = [&] { ++shop.database.marks[0].beat; };
  CHECK(shop.run({"route", "drop", "orders"}).code == 1);
  CHECK(shop.database.marks.size() == 2);
}
