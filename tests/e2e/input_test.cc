// What services may write, and what they should not: delivered byte for byte, or refused with a reason.
#include <doctest/doctest.h>
#include <signal.h>

#include <functional>
#include <random>

#include "tests/conformance/event_lines.h"
#include "tests/conformance/redis_reader.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace outbox::test {
namespace {

std::string all_bytes() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

std::string megabyte() {
  std::mt19937 random(1);
  std::string bytes(1 << 20, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::vector<ServiceRow> unusual_rows() {
  const std::string bytes = "application/octet-stream";
  return {{.topic = "orders", .payload = "", .content_type = bytes},
          {.topic = "orders", .payload = ""},
          {.topic = "orders", .key = "1", .payload = all_bytes(), .content_type = bytes},
          {.topic = "orders", .payload = all_bytes()},
          {.topic = "orders", .key = "2", .payload = megabyte(), .content_type = bytes},
          {.topic = "заказы/→/🚀", .key = "ключ \"'\\%{}", .type = "тип", .payload = "\"ü\""},
          {.topic = "orders", .key = "tab\tand\nline", .type = "тип", .payload = "[]"},
          {.topic = "a topic  with spaces?*", .key = "", .payload = "[1.0, 1e400, \"\\u0000\"]"},
          {.topic = "orders",
           .key = "3",
           .payload = "{\"z\":1,\"a\":{\"b\":[ ]}}",
           .headers = R"({"traceparent":"00-ab-cd-01","ключ":"знач \" \\ 🚀","empty":""})"}};
}

const Received* find(const std::vector<Received>& arrived, const std::string& id) {
  for (const Received& message : arrived)
    if (message.id() == id) return &message;
  return nullptr;
}

void check_exact(Shop& shop, const std::string& to, const std::function<std::vector<Received>()>& received) {
  Outboxd relay(config_of(shop.url(), to));
  relay.start();
  std::map<std::string, ServiceRow> rows;
  for (const ServiceRow& row : unusual_rows()) rows[shop.insert(row)] = row;
  const std::map<std::string, long> all_sent = {{"sent", static_cast<long>(rows.size())}};
  REQUIRE_MESSAGE(eventually([&] { return shop.states("main") == all_sent; }, patience), relay.log());
  CHECK(relay.stop(SIGTERM) == 0);

  const std::vector<Received> arrived = received();
  CHECK(arrived.size() == rows.size());
  for (const auto& [id, row] : rows) {
    CAPTURE(row.topic);
    const Received* message = find(arrived, id);
    REQUIRE(message != nullptr);
    CHECK(message->topic == row.topic);
    CHECK((message->payload == row.payload));  // no megabyte in the report
    CHECK(message->content_type == row.content_type);
    CHECK(message->attributes.at("type") == row.type.value_or(row.topic));
    // An attribute that is empty or has control characters is none.
    const bool has_key = row.key && !row.key->empty() && row.key->find_first_of("\t\n\r") == row.key->npos;
    CHECK(message->attributes.count("partitionkey") == (has_key ? 1 : 0));
    if (has_key) CHECK(message->attributes.at("partitionkey") == *row.key);
    CHECK(message->headers == Json::parse(row.headers).get<std::map<std::string, std::string>>());
  }
}

void check_dead_letter(Shop& shop, const std::string& headers) {
  CAPTURE(headers);
  const TempDir directory;
  const std::string path = directory / "events.ndjson";
  Outboxd relay(config_of(shop.url(), "file:" + path));
  for (int i = 0; i < 3; ++i) shop.insert({.key = "bad"});
  const std::string id = shop.insert({.key = "bad", .headers = headers});
  for (int i = 0; i < 3; ++i) shop.insert({.key = "bad"});
  const std::string seq = shop.ask("SELECT seq FROM outbox WHERE id = '" + id + "'");
  relay.start();

  const std::map<std::string, long> all_but_one = {{"dead", 1}, {"sent", 6}};
  CHECK(eventually([&] { return shop.states("main") == all_but_one; }, patience));
  const Json status =
      relay.status_when([](const Json& now) { return route_of(now, "main").at("held").at("dead") == 1; });
  CAPTURE(status.dump(2));
  CHECK(is_in_state(status, "running"));
  CHECK(route_of(status, "main").at("dead_total") == 1);
  const std::string error = route_of(status, "main").at("last_error");
  CHECK(error.find("message " + id + " (seq " + seq) != std::string::npos);
  CHECK(error.find("headers") != std::string::npos);
  CHECK(relay.logs("message " + id));
  CHECK(read_event_lines(read_file(path)).size() == 6);
  CHECK(relay.stop(SIGTERM) == 0);
}

/// Walked over level by level it takes the stack, indented level by level the memory.
void check_deep_headers(Shop& shop, int depth) {
  Outboxd relay(config_of(shop.url(), "null:"));
  relay.start();
  const std::string id = shop.insert({.headers = std::string(depth, '[') + std::string(depth, ']')});
  REQUIRE_MESSAGE(eventually([&] { return shop.states("main")["dead"] == 1; }, patience), relay.log());
  const std::string seq = shop.ask("SELECT seq FROM outbox WHERE id = '" + id + "'");
  const std::string shown = std::string(256, '[') + "... (cut)";

  const std::string body = relay.body("/v1/held/main/" + seq);
  CHECK(body.size() < 4096);
  REQUIRE_MESSAGE(relay.is_running(), relay.log());
  CHECK(Json::parse(body).at("message").at("headers") == shown);
  CHECK(Json::parse(relay.body("/v1/messages/" + id)).at("headers") == shown);
  const Finished command = relay.command({"held", "show", seq, "--json"});
  CHECK(command.exit_code == 0);
  CHECK(Json::parse(command.output).at("message").at("headers") == shown);
  const Finished text = relay.command({"held", "show", seq});
  CHECK(text.exit_code == 0);
  CHECK(text.output.find(shown) != std::string::npos);
  CHECK(relay.get("/livez") == 200);
  CHECK(relay.stop(SIGTERM) == 0);
}

void check_not_before_its_time(Shop& shop, const std::string& due_sql) {
  const TempDir directory;
  const std::string path = directory / "events.ndjson";
  Outboxd relay(config_of(shop.url(), "file:" + path));
  relay.start();
  REQUIRE(is_in_state(relay.status_when([](const Json& status) { return is_in_state(status, "running"); }),
                      "running"));
  const std::string later = shop.insert({.key = "later", .deliver_in = std::chrono::seconds(3)});
  const std::string now = shop.insert({.key = "now"});
  const auto arrived = [&] { return read_event_lines(read_file(path)); };
  CHECK(eventually([&] { return find(arrived(), now) != nullptr; }, patience));
  REQUIRE(eventually([&] { return find(arrived(), later) != nullptr; }, patience));
  CHECK(shop.ask(due_sql + " WHERE id = '" + later + "'") == "1");  // asked after it was seen
  CHECK(arrived().front().id() == now);
  CHECK(arrived().size() == 2);
}

}  // namespace

TEST_CASE("PostgreSQL to Redis: any payload, key, topic and header arrives byte for byte") {
  PostgresqlShop shop;
  const RedisServer redis;
  RedisReader reader(redis.port());
  check_exact(shop, redis.url(), [&] { return reader.streams(); });
}

TEST_CASE("SQLite to a file: any payload, key, topic and header arrives byte for byte") {
  SqliteShop shop;
  const std::string path = shop.directory() + "/events.ndjson";
  check_exact(shop, "file:" + path, [&] { return read_event_lines(read_file(path)); });
}

TEST_CASE(
    "headers that are no object of strings make a dead letter that says why, and the rest of the key goes "
    "on") {
  for (const char* headers : {R"(["a"])", R"({"a":1})"}) {
    PostgresqlShop postgresql;
    check_dead_letter(postgresql, headers);
    SqliteShop sqlite;
    check_dead_letter(sqlite, headers);
  }
  SqliteShop sqlite;
  check_dead_letter(sqlite, "{nonsense");
}

TEST_CASE("headers that nest deeply are shown as text, cut, and take neither stack nor memory") {
  SqliteShop sqlite;
  check_deep_headers(sqlite, 30'000);
  PostgresqlShop postgresql;
  check_deep_headers(postgresql, 5'000);
}

TEST_CASE("rows go to the route of their topic; those that no route takes wait until one does") {
  PostgresqlShop shop;
  const TempDir directory;
  RelayConfig config = config_of(shop.url(), "");
  config.routes = {{"orders", "file:" + (directory / "orders"), "topics = ['order.*']"},
                   {"stock", "file:" + (directory / "stock"), "topics = ['stock.*', 'shelf']"}};
  Outboxd relay(config);
  relay.start();
  for (const char* topic :
       {"order.placed", "stock.low", "nobody.cares", "order.paid", "shelf", "nobody.asks"})
    shop.insert({.topic = topic, .key = "1"});

  const auto topics_in = [&](const std::string& name) {
    std::vector<std::string> topics;
    for (const Received& message : read_event_lines(read_file(directory / name)))
      topics.push_back(message.topic);
    return topics;
  };
  const Json status = relay.status_when([](const Json& now) {
    return route_of(now, "orders").at("sent_total") == 2 && route_of(now, "stock").at("sent_total") == 2 &&
           route_of(now, "orders").at("unrouted_total") == 2;
  });
  CAPTURE(status.dump(2));
  CHECK(topics_in("orders") == std::vector<std::string>{"order.placed", "order.paid"});
  CHECK(topics_in("stock") == std::vector<std::string>{"stock.low", "shelf"});
  CHECK(route_of(status, "orders").at("unrouted_total") == 2);
  CHECK(relay.metric("outbox_unrouted_total") == 2);
  CHECK(shop.ask("SELECT count(*) FROM outbox WHERE topic LIKE 'nobody.%'") == "2");
  CHECK(
      eventually([&] { return shop.ask("SELECT count(*) FROM outbox_held WHERE state = 'unrouted'") == "2"; },
                 patience));
  CHECK(relay.stop(SIGTERM) == 0);

  // A route that takes their topics at last gets them.
  relay.config.routes[1].more = "topics = ['stock.*', 'shelf', 'nobody.*']";
  relay.write_config();
  relay.start();
  CHECK(eventually([&] { return topics_in("stock").size() == 4; }, patience));
  CHECK(topics_in("stock") == std::vector<std::string>{"stock.low", "shelf", "nobody.cares", "nobody.asks"});
  CHECK(eventually([&] { return shop.ask("SELECT count(*) FROM outbox_held") == "0"; }, patience));
}

TEST_CASE("a message with deliver_at is delivered then, not before") {
  SUBCASE("PostgreSQL") {
    PostgresqlShop shop;
    check_not_before_its_time(shop, "SELECT (deliver_at <= clock_timestamp())::int FROM outbox");
  }
  SUBCASE("SQLite") {
    SqliteShop shop;
    check_not_before_its_time(shop, "SELECT deliver_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') FROM outbox");
  }
}

}  // namespace outbox::test
