// What `outboxd check` says of a webhook receiver.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/conformance/http_fixture.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

std::vector<Finding> findings(const std::string& url, const std::vector<std::string>& topics,
                              const Settings& changed = {}) {
  BrokerTarget target{url, "/tests", Attributes::full, default_settings(http_adapter().settings)};
  for (const auto& [key, value] : changed) target.settings.at(key) = value;
  return http_adapter().check(target, topics, patience);
}

std::string url_of(const WebhookServer& server) {
  return "http://127.0.0.1:" + std::to_string(server.port()) + "/hook";
}

bool all_ok(const std::vector<Finding>& found) {
  return std::ranges::all_of(found, [](const Finding& one) { return one.level == Finding::Level::ok; });
}

TEST_CASE("http, check: each topic is asked for, with OPTIONS alone, and what cannot be seen is said") {
  WebhookServer server;
  const auto found = findings(url_of(server), {"a", "b"});
  CHECK(all_ok(found));
  REQUIRE(found.size() == 3);
  CHECK(found[0].what == "topic 'a': OPTIONS is answered 204");
  CHECK(found[2].what.find("not to be seen without a POST") == 0);
  REQUIRE(server.requests("OPTIONS").size() == 2);
  CHECK(server.requests("OPTIONS")[1].path == "/hook/b");
  CHECK(server.requests("POST").empty());
}

TEST_CASE("http, check: without topics the URL itself is asked for") {
  WebhookServer server;
  CHECK(all_ok(findings(url_of(server), {})));
  CHECK(findings(url_of(server), {"a"}, {{"append_topic", false}}).size() == 2);
  for (const WebhookRequest& request : server.requests("OPTIONS")) CHECK(request.path == "/hook");
}

TEST_CASE("http, check: a refusal is a warning, for it may be meant for OPTIONS alone") {
  WebhookServer server;
  for (const int status : {401, 403, 404, 410, 503}) {
    server.answers({{.status = status, .method = "OPTIONS"}});
    const auto found = findings(url_of(server), {"a"});
    CHECK(found[0].level == Finding::Level::warning);
    CHECK(found[0].what.find(std::to_string(status)) != std::string::npos);
    CHECK(found[0].fix != "");
  }
  server.answers({{.status = 405, .method = "OPTIONS"}});
  CHECK(all_ok(findings(url_of(server), {"a"})));
  server.answers({{.status = 204, .headers = {{"Allow", "GET, HEAD"}}, .method = "OPTIONS"}});
  const auto found = findings(url_of(server), {"a"});
  CHECK(found[0].level == Finding::Level::warning);
  CHECK(found[0].what.find("leaves POST out: GET, HEAD") != std::string::npos);
}

TEST_CASE("http, check: a topic that no path can name and a receiver that is not there are faults") {
  WebhookServer server;
  const auto found = findings(url_of(server), {"../a"});
  CHECK(found[0].level == Finding::Level::fault);
  CHECK(found[0].what.find("topic '../a'") == 0);
  CHECK(server.requests("OPTIONS").empty());
  const auto absent = findings("http://127.0.0.1:" + std::to_string(free_port()), {"a"});
  CHECK(absent[0].level == Finding::Level::fault);
}

TEST_CASE("http, check: http:// beyond this host is a warning") {
  const auto found = findings("http://user:hidden@no-such-host.invalid", {"a"},
                              {{"connect_timeout", Duration(std::chrono::seconds(1))}});
  CHECK(found[0].level == Finding::Level::warning);
  CHECK(found[0].what == "messages and the login cross the network in the clear");
  CHECK(found[1].what.find("hidden") == std::string::npos);
}

}  // namespace
}  // namespace outbox::test
