// Passwords and tokens, right and wrong ones, while everything fails that can: none may be seen anywhere.
#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

// In URLs the '@' is written %40: neither spelling may be seen.
const std::string database_password = "hunter-db@7", database_password_in_url = "hunter-db%407";
const std::string broker_password = "hunter-broker@8", broker_password_in_url = "hunter-broker%408";
const std::string wrong_password = "hunter-wrong", token = "hunter-token-0123456789abcdef";

void check_hidden(const std::string& text, const std::string& where) {
  CAPTURE(where);
  CHECK_FALSE(text.empty());
  const auto at = text.find("hunter");
  CHECK_MESSAGE(at == std::string::npos, text.substr(at < 100 ? 0 : at - 100, 200));
}

/// A PostgreSQL server that asks everybody but its superuser for a password.
struct GuardedDatabase {
  PostgresqlServer server;
  PostgresqlShop shop{server};

  GuardedDatabase() {
    shop.execute("CREATE ROLE orders");
    shop.execute("CREATE ROLE relay LOGIN PASSWORD '" + database_password + "'");
    server.run_file(shop.url(), std::string(OUTBOX_SOURCE_DIR) + "/schema/postgresql/grants.sql",
                    {"service=orders", "relay=relay"});
    shop.execute(
        "COPY (VALUES ('host all postgres 127.0.0.1/32 trust'), ('host all all 127.0.0.1/32 scram-sha-256')) "
        "TO '" +
        shop.ask("SHOW hba_file") + "'");
    shop.execute("SELECT pg_reload_conf()");
    REQUIRE(eventually([this] { return refuses(wrong_password); }));  // the server reads it when it likes
  }

  [[nodiscard]] bool refuses(const std::string& password) const {
    try {
      const Sql session(url(password));
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }

  [[nodiscard]] std::string url(const std::string& password) const {
    const std::string plain = shop.url();
    return "postgresql://relay:" + password + plain.substr(plain.find('@'));
  }
};

/// Everything that the relay and its commands say.
void check_all_outputs(const Outboxd& relay) {
  for (const char* path : {"/status", "/metrics", "/", "/readyz?verbose&broker=1", "/v1/held"})
    check_hidden(relay.body(path), path);
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"status"},
        {"status", "--json"},
        {"check", "--timeout", "2s"},
        {"held", "list"},
        {"held", "show", "1", "--json"},
        {"held", "requeue", "--all", "--dry-run"},
        {"replay", "--route", "main", "--from", "oldest", "--dry-run"},
        {"mark", "rebase", "--from", "now", "--dry-run"},
        {"pause"},
        {"resume"},
        {"migrate", "status"},
        {"send", "--topic", "t", "--payload", "x"}})
    check_hidden(relay.command(command).output, command.front());
  check_hidden(relay.log(), "log");
}

void check_relay(const std::string& database, const std::string& to,
                 const std::function<bool(const Json& status)>& is_reached) {
  RelayConfig config = config_of(database, to);
  config.token = token;
  config.log_level = "debug";
  Outboxd relay(config);
  relay.start();
  const Json status = relay.status_when(is_reached);
  REQUIRE_MESSAGE(status.is_object(), relay.log());
  CHECK_MESSAGE(is_reached(status), status.dump(2));
  check_all_outputs(relay);
  CHECK_MESSAGE(relay.stop(SIGTERM) == 0, relay.log());
  check_hidden(relay.log(), "log after the end");
}

bool has_failed(const Json& status) {
  return status.at("state") == "degraded" && !route_of(status).at("reasons").empty();
}

}  // namespace

TEST_CASE("no secret shows in logs, HTTP answers and commands, whatever fails") {
  GuardedDatabase database;
  RedisServer redis({.append_fsync = "no", .password = broker_password});
  const std::string here = "@127.0.0.1:" + std::to_string(redis.port());
  const std::string nowhere = "@127.0.0.1:" + std::to_string(free_port());
  const std::string right = database.url(database_password_in_url);

  SUBCASE("all passwords right") {
    check_relay(right, "redis://:" + broker_password_in_url + here,
                [](const Json& status) { return is_in_state(status, "running"); });
  }
  SUBCASE("the database's password wrong") {
    check_relay(database.url(wrong_password), "redis://:" + broker_password_in_url + here, has_failed);
  }
  SUBCASE("the database's password in the query, and wrong") {
    const std::string plain = database.shop.url();
    check_relay("postgresql://relay" + plain.substr(plain.find('@')) + "?password=" + wrong_password,
                "redis://:" + broker_password_in_url + here, has_failed);
  }
  SUBCASE("the broker's password wrong") {
    check_relay(right, "redis://someone:" + wrong_password + here, has_failed);
  }
  SUBCASE("the broker unreachable") {
    check_relay(right, "redis://:" + broker_password_in_url + nowhere, has_failed);
  }
  SUBCASE("the database unreachable") {
    check_relay("postgresql://relay:" + database_password_in_url + nowhere + "/orders",
                "redis://:" + broker_password_in_url + here, has_failed);
  }
}

/// Each broker that has a server, by its name in the list, which is its scheme.
std::vector<std::string> schemes_of_servers() {
  std::vector<std::string> schemes;
  std::ifstream list(OUTBOX_SOURCE_DIR "/adapters/brokers/brokers.list");
  for (std::string line; std::getline(list, line);) {
    std::istringstream fields(line);
    std::string name, library;
    if (fields >> name >> library && name != "#" && library != "-") schemes.push_back(name);
  }
  REQUIRE(schemes.size() > 5);
  return schemes;
}

TEST_CASE("no secret shows of any broker, unreachable or with another server in its place") {
  const SqliteShop shop;
  RedisServer redis({.append_fsync = "no", .password = broker_password});
  for (const int port : {free_port(), redis.port()})
    for (const std::string& scheme : schemes_of_servers()) {
      if (scheme == "http" && port == redis.port()) continue;  // it has connected all the same
#ifdef __SANITIZE_THREAD__
      if (scheme == "kafka") continue;  // the sanitizer does not know librdkafka's C11 threads, and crashes
#endif
      const std::string here = "127.0.0.1:" + std::to_string(port);
      std::vector<std::string> urls = {scheme + "://user:" + broker_password_in_url + "@" + here};
      if (scheme == "nats") urls.push_back("nats://" + token + "@" + here);
      if (scheme == "http")
        urls.push_back("http://" + here + "/hooks/" + token + "?code=" + token + "&" + token);
      for (const std::string& url : urls) {
        CAPTURE(url);
        check_relay(shop.url(), url, has_failed);
      }
    }
}

TEST_CASE("no secret shows in what is said about a wrong configuration") {
  const SqliteShop shop;
  const std::string good_database = "postgresql://relay:" + wrong_password + "@127.0.0.1:1/orders";
  const std::string good_broker = "redis://:" + wrong_password + "@127.0.0.1:1";
  const std::vector<std::pair<std::string, std::string>> urls = {
      {good_database, "redis://:" + wrong_password + "@127.0.0.1:99999"},
      {good_database, "kafkaa://user:" + wrong_password + "@127.0.0.1:1"},
      {good_database, "redis://:" + wrong_password + "%zz@127.0.0.1"},
      {good_database, "redis://:" + wrong_password + "@@127.0.0.1/x/y"},
      {"postgresql://relay:" + wrong_password + "@127.0.0.1:port/orders", good_broker},
      {"postgresql://relay:" + wrong_password + "@127.0.0.1:1/orders?sslmod=on", good_broker},
      {"postgresql://relay:a@" + wrong_password + "@127.0.0.1:1/orders", good_broker},
      {"postgresql://relay:a/" + wrong_password + "@127.0.0.1:1/orders", good_broker},
      {"postgresql://relay:a@127.0.0.1/" + wrong_password + "@127.0.0.1:1/orders", good_broker},
      {"postgresql://relay:" + wrong_password, "redis://user:" + wrong_password},
      {good_database, "nats://" + wrong_password + "@127.0.0.1:1/path"},
      {good_database, "http://127.0.0.1:1/" + wrong_password + "#fragment"},
      {good_database, "http://127.0.0.1:1/a@" + wrong_password + "/x"},
      {good_database, "redis://127.0.0.1:1/" + wrong_password},
      {good_database, "redis://127.0.0.1:1/0?" + wrong_password},
      {"postgresql:host=127.0.0.1 password=" + wrong_password, good_broker},
      {"oracle://relay:" + wrong_password + "@127.0.0.1/orders", good_broker}};
  for (const auto& [database, to] : urls) {
    RelayConfig config = config_of(database, to);
    config.token = "hunter token with spaces\x01";
    const Outboxd relay(config);
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"check", "--timeout", "1s"}, {"run", "--once"}, {"status"}}) {
      const Finished finished = relay.command(command);
      CHECK(finished.exit_code != 0);
      check_hidden(finished.output, command.front() + " with " + database + " and " + to);
    }
  }
}

}  // namespace outbox::test
