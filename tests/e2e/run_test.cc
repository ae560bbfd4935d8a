// The life of one relay: --once, orderly ends, a taken port, new configurations, pauses.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/conformance/event_lines.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

/// A SQLite shop whose relay writes to a file.
struct Stage {
  SqliteShop shop;
  std::string path = shop.directory() + "/events.ndjson";
  Outboxd relay{config_of(shop.url(), "file:" + path)};

  [[nodiscard]] std::vector<Received> arrived(const std::string& name = "events.ndjson") const {
    return complete_events(shop.directory() + "/" + name);
  }
  [[nodiscard]] bool gets(std::size_t count, const std::string& name = "events.ndjson") const {
    return eventually([&] { return arrived(name).size() >= count; }, patience);
  }
  [[nodiscard]] bool is(const std::string& state) const {
    const auto wanted = [&](const Json& status) { return is_in_state(status, state); };
    return is_in_state(relay.status_when(wanted), state);
  }
};

}  // namespace

TEST_CASE("run --once relays what is committed, answers 0, and repeats nothing the next time") {
  Stage stage;
  stage.shop.order(50);
  const Finished first = stage.relay.command({"run", "--once"});
  CAPTURE(first.output);
  CHECK(first.exit_code == 0);
  CHECK(stage.shop.committed().compare(stage.arrived()).text() == Comparison{}.text());
  CHECK(stage.shop.states("main") == std::map<std::string, long>{{"sent", 50}});

  CHECK(stage.relay.command({"run", "--once"}).exit_code == 0);
  CHECK(stage.arrived().size() == 50);
  stage.shop.order(5);
  CHECK(stage.relay.command({"run", "--once"}).exit_code == 0);
  CHECK(stage.shop.committed().compare(stage.arrived()).text() == Comparison{}.text());
}

TEST_CASE("run --once takes what no route took before") {
  Stage stage;
  stage.relay.config.routes[0].more = "topics = ['order*']";
  stage.relay.write_config();
  stage.shop.order(3);
  const std::string other = stage.shop.insert({.topic = "stock"});
  CHECK(stage.relay.command({"run", "--once"}).exit_code == 1);  // one is held
  CHECK(stage.shop.states("main") == std::map<std::string, long>{{"sent", 3}, {"unrouted", 1}});
  stage.relay.config.routes[0].more = "topics = ['order*', 'stock']";
  stage.relay.write_config();
  const Finished finished = stage.relay.command({"run", "--once"});
  CHECK_MESSAGE(finished.exit_code == 0, finished.output);
  CHECK(stage.shop.states("main") == std::map<std::string, long>{{"sent", 4}});
  REQUIRE(stage.arrived().size() == 4);
  CHECK(stage.arrived().back().id() == other);
}

TEST_CASE("run --once answers 1 and says what stays unsent and why") {
  Stage stage;
  stage.shop.order(3);
  const std::string port = std::to_string(free_port());
  stage.relay.config.routes[0].to = "redis://127.0.0.1:" + port;
  stage.relay.config.drain_timeout = "1s";
  stage.relay.write_config();
  const Finished down = stage.relay.command({"run", "--once"});
  CAPTURE(down.output);
  CHECK(down.exit_code == 1);
  CHECK(down.output.find("route main to redis://127.0.0.1:" + port) != std::string::npos);
  CHECK(down.output.find("at least 3 messages unsent") != std::string::npos);
  CHECK(down.output.find("refused") != std::string::npos);
  CHECK(stage.shop.states("main") == std::map<std::string, long>{{"pending", 3}});

  stage.relay.config.routes[0].to = "file:" + stage.path;
  stage.relay.write_config();
  const std::string bad = stage.shop.insert({.headers = "[]"});
  const Finished stopped = stage.relay.command({"run", "--once"});
  CAPTURE(stopped.output);
  CHECK(stopped.exit_code == 1);
  CHECK(stopped.output.find("message " + bad) != std::string::npos);
  CHECK(stage.shop.states("main") == std::map<std::string, long>{{"dead", 1}, {"sent", 3}});
  CHECK(stopped.output.find("`outboxd held list`: seq 4 of topic orders (dead: ") != std::string::npos);

  stage.relay.config.routes[0].more = "topics = ['orders']";
  stage.relay.write_config();
  stage.shop.insert({.topic = "stock"});
  const Finished again = stage.relay.command({"run", "--once"});
  CAPTURE(again.output);
  CHECK(again.exit_code == 1);
  CHECK(again.output.find("2 messages are held") != std::string::npos);
  CHECK(again.output.find("seq 4 of topic orders (dead: ") != std::string::npos);
  CHECK(again.output.find("seq 5 of topic stock (unrouted)") != std::string::npos);
}

TEST_CASE("SIGTERM and SIGINT drain: exit code 0, and the next start repeats nothing") {
  Stage stage;
  {
    const Producers producers(stage.shop, 3, 3);
    for (const int signal : {SIGTERM, SIGINT, SIGTERM, SIGINT}) {
      const std::size_t before = stage.arrived().size();
      stage.relay.start();
      REQUIRE(stage.gets(before + 100));
      CHECK(stage.relay.stop(signal) == 0);
    }
  }
  stage.relay.start();
  stage.shop.order(1);  // this run has something to send, or it might be told to stop before it can hear it
  const CommittedRows committed = stage.shop.committed();
  CHECK(stage.gets(committed.size()));
  CHECK(stage.relay.stop(SIGTERM) == 0);
  CHECK(committed.compare(stage.arrived()).text() == Comparison{}.text());
}

TEST_CASE("a second process on the same HTTP port does not start, and the first goes on") {
  Stage stage;
  stage.relay.start();
  REQUIRE(stage.is("running"));
  const Finished second = stage.relay.command({"run"});
  CAPTURE(second.output);
  CHECK(second.exit_code != 0);
  CHECK(second.output.find("127.0.0.1:" + std::to_string(stage.relay.port())) != std::string::npos);
  CHECK(second.output.find("in use") != std::string::npos);
  stage.shop.order(3);
  CHECK(stage.gets(3));
  CHECK(stage.relay.get("/livez") == 200);
  CHECK(stage.relay.stop(SIGTERM) == 0);
}

TEST_CASE("SIGHUP: a new route appears; a faulty file changes nothing and shows in the metrics") {
  Stage stage;
  stage.relay.config.routes[0].more = "topics = ['orders']";
  stage.relay.write_config();
  stage.relay.start();
  stage.shop.order(5);
  REQUIRE(stage.gets(5));
  CHECK(stage.relay.metric("outbox_config_reload_success") == 1);

  stage.relay.config.routes.push_back(
      {"stock", "file:" + stage.shop.directory() + "/stock", "topics = ['stock']"});
  stage.relay.write_config();
  stage.relay.process().signal(SIGHUP);
  const auto runs = [](const Json& status) { return is_in_state(status, "running", "stock"); };
  REQUIRE(is_in_state(stage.relay.status_when(runs), "running", "stock"));
  stage.shop.insert({.topic = "stock"});
  CHECK(stage.gets(1, "stock"));

  stage.relay.write_config(read_file(stage.relay.config_path()) + "\nlees = 1\n");
  stage.relay.process().signal(SIGHUP);
  CHECK(eventually([&] { return stage.relay.metric("outbox_config_reload_success") == 0; }, patience));
  CHECK(stage.relay.log().find("lees") != std::string::npos);
  stage.shop.order(5);
  stage.shop.insert({.topic = "stock"});
  CHECK(stage.gets(10));
  CHECK(stage.gets(2, "stock"));

  stage.relay.write_config();
  stage.relay.process().signal(SIGHUP);
  CHECK(eventually([&] { return stage.relay.metric("outbox_config_reload_success") == 1; }, patience));
  CHECK(stage.is("running"));
  CHECK(stage.relay.stop(SIGTERM) == 0);
  CHECK(stage.shop.committed().compare(stage.arrived()).text() == Comparison{}.text());
  CHECK(stage.arrived("stock").size() == 2);
}

TEST_CASE("a pause by the command line holds the route, over a restart, until it is resumed") {
  Stage stage;
  stage.relay.start();
  stage.shop.order(5);
  REQUIRE(stage.gets(5));
  const Finished pause = stage.relay.command({"pause"});
  CHECK_MESSAGE(pause.exit_code == 0, pause.output);
  REQUIRE(stage.is("paused"));
  stage.shop.order(5);
  const auto has_read = [](const Json& status) { return route_of(status).at("pending") == 5; };
  CHECK(route_of(stage.relay.status_when(has_read)).at("pending") == 5);
  CHECK(stage.relay.stop(SIGTERM) == 0);

  stage.relay.start();
  CHECK(route_of(stage.relay.status_when(has_read)).at("pending") == 5);
  CHECK(stage.is("paused"));
  CHECK(stage.relay.metric("outbox_paused{route=\"main\"}") == 1);
  CHECK(stage.arrived().size() == 5);

  const Finished resume = stage.relay.command({"resume"});
  CHECK_MESSAGE(resume.exit_code == 0, resume.output);
  CHECK(stage.gets(10));
  CHECK(stage.is("running"));
  CHECK(stage.relay.stop(SIGTERM) == 0);
  CHECK(stage.shop.committed().compare(stage.arrived()).text() == Comparison{}.text());
}

TEST_CASE("more routes than this process may open files for are refused with the number that is needed") {
  SqliteShop shop;
  RelayConfig config = config_of(shop.url(), "null:");
  config.routes.clear();
  for (int i = 0; i < 40; ++i) config.routes.push_back({"route-" + std::to_string(i), "null:"});
  const Outboxd relay(config);
  const Finished refused = outboxd({"run", "--config", relay.config_path()}, 64);
  CHECK(refused.exit_code == 1);
  CHECK_MESSAGE(refused.output.find("40 routes and shards need about 8") != std::string::npos,
                refused.output);
  CHECK(refused.output.find("ulimit -n") != std::string::npos);
  CHECK(outboxd({"run", "--once", "--config", relay.config_path()}, 2000).exit_code == 0);
}

}  // namespace outbox::test
