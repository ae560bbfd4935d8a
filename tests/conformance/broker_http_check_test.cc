// What `outboxd check` says of a webhook receiver.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/conformance/http_fixture.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

CheckReport findings(const std::string& url, const std::vector<std::string>& topics,
                     const Settings& changed = {}) {
  return {http_adapter(), url, topics, changed};
}

std::string url_of(const WebhookServer& server) {
  return "http://127.0.0.1:" + std::to_string(server.port()) + "/hook";
}

TEST_CASE("http, check: each topic is asked for, with OPTIONS alone, and what cannot be seen is said") {
  WebhookServer server;
  const CheckReport found = findings(url_of(server), {"a", "b"});
  CHECK(found.are_all_ok());
  REQUIRE(found.all().size() == 3);
  CHECK(found.all()[0].what == "topic 'a': OPTIONS is answered 204");
  CHECK(found.all()[2].what.find("not to be seen without a POST") == 0);
  REQUIRE(server.requests("OPTIONS").size() == 2);
  CHECK(server.requests("OPTIONS")[1].path == "/hook/b");
  CHECK(server.requests("POST").empty());
}

TEST_CASE("http, check: without topics the URL itself is asked for") {
  WebhookServer server;
  CHECK(findings(url_of(server), {}).are_all_ok());
  CHECK(findings(url_of(server), {"a"}, {{"append_topic", false}}).all().size() == 2);
  for (const WebhookRequest& request : server.requests("OPTIONS")) CHECK(request.path == "/hook");
}

TEST_CASE("http, check: a refusal is a warning, for it may be meant for OPTIONS alone") {
  WebhookServer server;
  for (const int status : {401, 403, 404, 410, 503}) {
    server.answers({{.status = status, .method = "OPTIONS"}});
    const CheckReport found = findings(url_of(server), {"a"});
    CHECK(found.all()[0].level == Finding::Level::warning);
    CHECK(found.all()[0].what.find(std::to_string(status)) != std::string::npos);
    CHECK(found.all()[0].fix != "");
  }
  server.answers({{.status = 405, .method = "OPTIONS"}});
  CHECK(findings(url_of(server), {"a"}).are_all_ok());
  server.answers({{.status = 204, .headers = {{"Allow", "GET, HEAD"}}, .method = "OPTIONS"}});
  const CheckReport found = findings(url_of(server), {"a"});
  CHECK(found.all()[0].level == Finding::Level::warning);
  CHECK(found.all()[0].what.find("leaves POST out: GET, HEAD") != std::string::npos);
}

TEST_CASE("http, check: a topic that no path can name and a receiver that is not there are faults") {
  WebhookServer server;
  const CheckReport found = findings(url_of(server), {"../a"});
  CHECK(found.all()[0].level == Finding::Level::fault);
  CHECK(found.all()[0].what.find("topic '../a'") == 0);
  CHECK(server.requests("OPTIONS").empty());
  const CheckReport absent = findings("http://127.0.0.1:" + std::to_string(free_port()), {"a"});
  CHECK(absent.all()[0].level == Finding::Level::fault);
}

TEST_CASE("http, check: http:// beyond this host is a warning") {
  const CheckReport found = findings("http://user:hidden@no-such-host.invalid", {"a"},
                                     {{"connect_timeout", Duration(std::chrono::seconds(1))}});
  CHECK(found.all()[0].level == Finding::Level::warning);
  CHECK(found.all()[0].what == "messages and the login cross the network in the clear");
  CHECK(found.all()[1].what.find("hidden") == std::string::npos);
}

}  // namespace
}  // namespace outbox::test
