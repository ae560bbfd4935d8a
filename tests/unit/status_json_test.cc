#include "http/status_json.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "http/operator_json.h"
#include "tests/unit/status_sample.h"

using namespace outbox;
using outbox::test::fresh_status;
using Json = nlohmann::json;

TEST_CASE("a fresh status has every name of the contract") {
  const Json json = Json::parse(status_json(fresh_status()));
  for (const char* name : {"version", "instance", "state", "reasons", "database", "routes"}) {
    CAPTURE(name);
    CHECK(json.contains(name));
  }
  const Json& route = json.at("routes").at(0);
  for (const char* name : {"name", "to", "state", "reasons", "connected", "pending",
                           "oldest_pending_age_seconds", "held", "blocked_keys", "sent_total", "failed_total",
                           "last_error", "last_error_at", "last_success_at", "leases"}) {
    CAPTURE(name);
    CHECK(route.contains(name));
  }
  CHECK(json["reasons"].is_array());
  CHECK(route["leases"].is_array());
  CHECK(route["blocked_keys"].is_array());
  CHECK(route["last_error"].is_null());
  CHECK(route["last_success_at"].is_null());
  CHECK(route["held"] ==
        Json{{"retrying", 0}, {"blocked", 0}, {"scheduled", 0}, {"dead", 0}, {"unrouted", 0}});
}

TEST_CASE("values arrive as they are") {
  Status status = fresh_status();
  RouteStatus& route = status.routes[0];
  status.uptime_seconds = 1.5;
  route.state = RouteState::backoff;
  route.pending = 5'000'000'000;
  route.oldest_pending_age_seconds = 0.25;
  route.held = {{"dead", 3}};
  route.failures[static_cast<std::size_t>(Verdict::in_doubt)] = 7;
  route.sent_total = 18'446'744'073'709'551'615u;
  route.last_error = "line\n\"quoted\"";
  route.last_error_at = "2026-01-02T03:04:05Z";
  route.leases = {{2, "host-1", 41, true}};
  const Json json = Json::parse(status_json(status));
  const Json& shown = json.at("routes").at(0);
  CHECK(json["uptime_seconds"] == 1.5);
  CHECK(shown["state"] == "backoff");
  CHECK(shown["pending"] == 5'000'000'000);
  CHECK(shown["oldest_pending_age_seconds"] == 0.25);
  CHECK(shown["held"]["dead"] == 3);
  CHECK(shown["held"]["retrying"] == 0);
  CHECK(shown["failures"]["in_doubt"] == 7);
  CHECK_FALSE(shown["failures"].contains("accepted"));
  CHECK(shown["sent_total"] == 18'446'744'073'709'551'615u);
  CHECK(shown["last_error"] == "line\n\"quoted\"");
  CHECK(shown["last_error_at"] == "2026-01-02T03:04:05Z");
  CHECK(shown["leases"] == Json::array({{{"shard", 2}, {"owner", "host-1"}, {"epoch", 41}, {"mine", true}}}));
}

TEST_CASE("a blocked key is shown with its first row, and every lease with its shard") {
  Status status = fresh_status();
  status.routes[0].blocked_keys = {{"customer-3", 17, "id-17", HeldState::retrying, 4, "refused", 12.5, 6},
                                   {"customer-4", 18, "", HeldState::dead, 10, "", 0, 1}};
  status.routes[0].leases = {{0, "host-1", 3, true}, {1, "host-2", 5, false}};
  const Json route = Json::parse(status_json(status)).at("routes").at(0);
  CHECK(route["blocked_keys"][0] == Json{{"key", "customer-3"},
                                         {"seq", 17},
                                         {"id", "id-17"},
                                         {"state", "retrying"},
                                         {"attempts", 4},
                                         {"last_error", "refused"},
                                         {"age_seconds", 12.5},
                                         {"rows", 6}});
  CHECK(route["blocked_keys"][1]["state"] == "dead");
  CHECK(route["blocked_keys"][1]["last_error"].is_null());
  CHECK(route["leases"].size() == 2);
  CHECK(route["leases"][1]["shard"] == 1);
}

TEST_CASE("every relay of the database is shown, also one that gives no sign of life") {
  Status status = fresh_status();
  status.relays = {{"host-1", true, 0.0, true, {{"orders", 0, 3}}},
                   {"host-2", false, std::nullopt, false, {}}};
  const Json relays = Json::parse(status_json(status)).at("relays");
  CHECK(relays == Json::array({{{"instance", "host-1"},
                                {"me", true},
                                {"lives", true},
                                {"last_seen_seconds", 0.0},
                                {"leases", Json::array({{{"route", "orders"}, {"shard", 0}, {"epoch", 3}}})}},
                               {{"instance", "host-2"},
                                {"me", false},
                                {"lives", nullptr},
                                {"last_seen_seconds", nullptr},
                                {"leases", Json::array()}}}));
}

TEST_CASE("bytes that are not UTF-8 do not break the status") {
  Status status = fresh_status();
  status.routes[0].last_error = "broken \xff\xc3 text";
  const Json json = Json::parse(status_json(status));
  CHECK(json["routes"][0]["last_error"].get<std::string>().starts_with("broken "));
}

TEST_CASE("headers that are no flat object of strings are shown as text; long texts are cut and say so") {
  const auto shown = [](const std::string& headers) {
    MessageDetails message;
    message.headers = headers;
    return message_json(message, false)["headers"];
  };
  const std::string cut_at_256 = std::string(256, 'a') + "... (cut)";
  CHECK(shown(R"({"a":"b","c":""})").dump() == R"({"a":"b","c":""})");
  CHECK(shown("{\"a\":\"" + std::string(300, 'a') + "\"}").dump() == R"({"a":")" + cut_at_256 + "\"}");
  for (const char* odd : {R"(["a"])", R"({"a":1})", R"({"a":{"b":"c"}})", "{nonsense", "\"a\""})
    CHECK(shown(odd) == odd);
  CHECK(shown(std::string(300, 'a')) == cut_at_256);
  const std::string long_name = "{\"" + std::string(300, 'a') + R"(":"b"})";
  CHECK(shown(long_name) == cut(long_name));
  const std::string many = "{\"a\":\"" + std::string(70'000, 'a') + "\"}";
  CHECK(shown(many) == cut(many));
}
