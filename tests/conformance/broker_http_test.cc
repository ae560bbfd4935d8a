// What a webhook receiver says, and what the adapter makes of it; what a request looks like.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>

#include "tests/conformance/http_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/fault_proxy.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// One receiver for all tests of this program, which knows nothing of the tests before.
WebhookServer& server() {
  static WebhookServer one;
  one.answers({});
  one.forget();
  return one;
}

std::string url_of(int port) {
  return "http://127.0.0.1:" + std::to_string(port) + "/hook";
}

TEST_CASE("http: each class of answers has its verdict, and the reason names the status") {
  WebhookServer& receiver = server();
  struct Case {
    int status;
    Verdict verdict;
  };
  const std::vector<Case> cases = {
      {200, Verdict::accepted},      {201, Verdict::accepted},      {202, Verdict::accepted},
      {299, Verdict::accepted},      {301, Verdict::misconfigured}, {304, Verdict::misconfigured},
      {308, Verdict::misconfigured}, {400, Verdict::rejected},      {401, Verdict::misconfigured},
      {403, Verdict::misconfigured}, {404, Verdict::misconfigured}, {405, Verdict::misconfigured},
      {407, Verdict::misconfigured}, {408, Verdict::in_doubt},      {409, Verdict::retry},
      {410, Verdict::misconfigured}, {413, Verdict::rejected},      {415, Verdict::rejected},
      {418, Verdict::rejected},      {422, Verdict::rejected},      {425, Verdict::unavailable},
      {429, Verdict::unavailable},   {500, Verdict::retry},         {501, Verdict::misconfigured},
      {502, Verdict::in_doubt},      {503, Verdict::unavailable},   {504, Verdict::in_doubt},
      {507, Verdict::unavailable},   {599, Verdict::retry}};
  std::vector<WebhookRule> rules;
  for (const Case& one : cases)
    rules.push_back({.path = "/hook/s" + std::to_string(one.status), .status = one.status, .body = "echo"});
  receiver.answers(rules);
  for (const Case& one : cases) {
    const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
    const Rows rows = rows_to({"s" + std::to_string(one.status)});
    const Delivery delivery = Driver(*broker).publish(rows).at(0);
    CHECK_MESSAGE(delivery.verdict == one.verdict, one.status, " is ", name_of(delivery.verdict));
    CHECK((delivery.verdict == Verdict::accepted) == delivery.reason.empty());
    if (!delivery.reason.empty())
      CHECK_MESSAGE(delivery.reason.find(std::to_string(one.status)) != std::string::npos, delivery.reason);
    CHECK(delivery.reason.find("echo") == std::string::npos);
  }
}

TEST_CASE("http: a redirect is not followed") {
  WebhookServer& receiver = server();
  WebhookServer elsewhere;
  receiver.answers({{.status = 307, .headers = {{"Location", url_of(elsewhere.port()) + "/order.placed"}}}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  const Delivery delivery = Driver(*broker).publish(rows_of(1)).at(0);
  CHECK(delivery.verdict == Verdict::misconfigured);
  CHECK(delivery.reason.find("redirects are not followed") != std::string::npos);
  CHECK(elsewhere.requests().empty());
}

TEST_CASE("http: Retry-After ends the session, and none is begun before the time is over") {
  WebhookServer& receiver = server();
  receiver.answers({{.status = 429, .headers = {{"Retry-After", "1"}}}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  Driver driver(*broker);
  const auto start = steady_clock::now();
  const auto deliveries = driver.publish(rows_of(100));
  CHECK(count(deliveries, Verdict::unavailable) == 100);
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK_MESSAGE(session.reason.find("it asks to wait 1 s") != std::string::npos, session.reason);
  receiver.answers({});
  receiver.forget();
  CHECK(driver.connect().state == Session::State::down);
  CHECK(eventually([&] { return driver.connect().state == Session::State::up; }));
  CHECK(steady_clock::now() - start >= milliseconds(1000));
  CHECK(receiver.requests("OPTIONS").size() == 1);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
}

TEST_CASE("http: Retry-After may be a date, and an hour is the most that is waited") {
  WebhookServer& receiver = server();
  receiver.answers({{.status = 503, .headers = {{"Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT"}}}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::unavailable) == 1);
  CHECK(driver.session().reason.find("it asks to wait 3600 s") != std::string::npos);
  CHECK(driver.connect().reason.find("asked to wait: another 3600 s") != std::string::npos);
}

TEST_CASE("http: a receiver that is behind its gateway but not there is down before a message is tried") {
  WebhookServer& receiver = server();
  for (const int status : {429, 502, 503, 504}) {
    receiver.answers({{.status = status, .method = "OPTIONS"}});
    const Session session = Driver(*open_broker(http_adapter(), url_of(receiver.port()))).connect();
    CHECK(session.state == Session::State::down);
    CHECK(session.reason.find(std::to_string(status)) != std::string::npos);
  }
  for (const int status : {200, 204, 301, 400, 401, 403, 404, 405, 500, 501}) {
    receiver.answers({{.status = status, .method = "OPTIONS"}});
    CHECK(Driver(*open_broker(http_adapter(), url_of(receiver.port()))).connect().state ==
          Session::State::up);
  }
}

TEST_CASE("http: a gateway's 502 is in doubt, and the next session asks whether anybody is there") {
  WebhookServer& receiver = server();
  receiver.answers({{.path = "/hook/poison", .status = 502}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  Driver driver(*broker);
  const auto deliveries = driver.publish(rows_to({"a", "poison", "b"}));
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::in_doubt);
  CHECK(count(deliveries, Verdict::accepted) == 2);
  CHECK(driver.session().state == Session::State::down);
  CHECK(driver.connect().state == Session::State::up);
}

TEST_CASE("http: with probe = \"connect\" a session begins without a request") {
  WebhookServer& receiver = server();
  const auto broker =
      open_broker(http_adapter(), url_of(receiver.port()), {{"probe", std::string("connect")}});
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  CHECK(receiver.requests("OPTIONS").empty());
  CHECK(count(driver.publish(rows_of(100)), Verdict::accepted) == 100);
}

TEST_CASE("http: whatever a topic is called, its message stays below the configured path") {
  WebhookServer& receiver = server();
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()) + "?key=1");
  Driver driver(*broker);
  const std::vector<std::string> refused = {"../admin",        "..", ".",  "a/../../b", "a/./b",
                                            "//evil.example/", "/a", "a/", "a//b",      "..\\admin",
                                            "a\\..\\..\\b",    ""};
  for (const std::string& topic : refused) {
    const Delivery delivery = driver.publish(rows_to({topic})).at(0);
    CHECK_MESSAGE(delivery.verdict == Verdict::rejected, topic);
    CHECK(delivery.reason.find("topic") != std::string::npos);
  }
  CHECK(receiver.requests().empty());
  const std::vector<std::pair<std::string, std::string>> sent = {
      {"a?b#c", "a%3Fb%23c"},
      {"%2e%2e", "%252e%252e"},
      {"%2e%2e/x", "%252e%252e/x"},
      {"@evil.example", "%40evil.example"},
      {"http://evil.example", ""},
      {"a b", "a%20b"},
      {"a\r\nHost: evil.example\r\n", "a%0D%0AHost%3A%20evil.example%0D%0A"},
      {"a/b.c-d_e~f", "a/b.c-d_e~f"},
      {"...", "..."},
      {"größe", "gr%C3%B6%C3%9Fe"}};
  for (const auto& [topic, path] : sent) {
    receiver.forget();
    const Delivery delivery = driver.publish(rows_to({topic})).at(0);
    CHECK(delivery.verdict == (path.empty() ? Verdict::rejected : Verdict::accepted));
    if (path.empty()) continue;
    REQUIRE(receiver.requests().size() == 1);
    CHECK(receiver.requests()[0].path == "/hook/" + path + "?key=1");
    CHECK(receiver.requests()[0].header("host") == "127.0.0.1:" + std::to_string(receiver.port()));
  }
}

TEST_CASE("http: the URL's path stands as it was written, with the topic or without") {
  WebhookServer& receiver = server();
  const std::string origin = "http://127.0.0.1:" + std::to_string(receiver.port());
  const auto path_of = [&](const std::string& url, const Settings& settings = {}) {
    receiver.forget();
    const auto broker = open_broker(http_adapter(), url, settings);
    CHECK(count(Driver(*broker).publish(rows_to({"t"})), Verdict::accepted) == 1);
    return receiver.requests().at(0).path;
  };
  CHECK(path_of(origin) == "/t");
  CHECK(path_of(origin + "/") == "/t");
  CHECK(path_of(origin + "/a%2Fb/c") == "/a%2Fb/c/t");
  CHECK(path_of(origin + "/a/?x=%20&y") == "/a/t?x=%20&y");
  CHECK(path_of(origin, {{"append_topic", false}}) == "/");
  CHECK(path_of(origin + "/a/", {{"append_topic", false}}) == "/a/");
  CHECK(path_of(origin + "/a?x=1", {{"append_topic", false}}) == "/a?x=1");
}

TEST_CASE("http: a header that frames the request, forges an attribute or is none in HTTP is rejected") {
  WebhookServer& receiver = server();
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  Driver driver(*broker);
  for (const char* name :
       {"ce-id", "CE-Source", "Content-Type", "content-length", "Host", "Transfer-Encoding", "Connection",
        "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive", "Proxy-Authorization", "Idempotency-Key",
        "Webhook-Signature", "Authorization", "a b", "a:b", "größe"}) {
    Rows rows;
    rows.add({.headers = {{name, "secret"}}});
    const Delivery delivery = driver.publish(rows).at(0);
    CHECK_MESSAGE(delivery.verdict == Verdict::rejected, name);
    CHECK(delivery.reason.find("secret") == std::string::npos);
  }
  for (const char* value : {"secret\x01", "secret\x7F", "secret\x1B[0m"}) {
    Rows rows;
    rows.add({.headers = {{"name", value}}});
    const Delivery delivery = driver.publish(rows).at(0);
    CHECK(delivery.verdict == Verdict::rejected);
    CHECK(delivery.reason.find("secret") == std::string::npos);
  }
  CHECK(receiver.requests().empty());
}

TEST_CASE("http: a request has the headers of the contract, and none that nobody asked for") {
  WebhookServer& receiver = server();
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  Rows rows;
  rows.add({.payload = std::string(2 << 20, 'x'), .headers = {{"User-Agent", "shop"}, {"empty", ""}}});
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 1);
  const WebhookRequest request = receiver.requests().at(0);
  std::set<std::string> names;
  for (const auto& [name, value] : request.headers) names.insert(name);
  CHECK(names == std::set<std::string>{"Accept", "Content-Length", "Content-Type", "Host", "Idempotency-Key",
                                       "User-Agent", "ce-id", "ce-source", "ce-specversion", "ce-time",
                                       "ce-type", "empty"});
  CHECK(request.header("idempotency-key") == uuid_of(1));
  CHECK(request.header("user-agent") == "shop");
}

TEST_CASE("http: a replay is another request to those who keep answers by its key") {
  WebhookServer& receiver = server();
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  Rows rows;
  rows.add();
  rows.message(1).replay = 12;
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 1);
  const WebhookRequest request = receiver.requests().at(0);
  CHECK(request.header("idempotency-key") == uuid_of(1) + "/r12");
  CHECK(request.header("ce-id") == uuid_of(1));
}

TEST_CASE("http: requests share as many connections as may be in flight, and keep them") {
  WebhookServer& receiver = server();
  receiver.answers({{.delay = milliseconds(2)}});
  FaultProxy proxy(receiver.port());
  const auto broker = open_broker(http_adapter(), url_of(proxy.port()), {{"concurrency", std::int64_t{7}}});
  Driver driver(*broker);
  for (int i = 0; i < 3; ++i) CHECK(count(driver.publish(rows_of(100)), Verdict::accepted) == 100);
  int parallel_max = 0;
  for (const WebhookRequest& request : receiver.requests())
    parallel_max = std::max(parallel_max, request.parallel);
  CHECK(parallel_max <= 7);
  CHECK(parallel_max > 1);
  CHECK(proxy.accepted() <= 7);
}

TEST_CASE("http: a request that a kept connection does not survive is not sent a second time unasked") {
  WebhookServer& receiver = server();
  receiver.answers({{.path = "/hook/cut", .way = "cuts"}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) ==
        1);  // so that there is a connection to use again
  const Delivery delivery = driver.publish(rows_to({"cut"})).at(0);
  CHECK(delivery.verdict == Verdict::in_doubt);
  CHECK(driver.session().state == Session::State::down);
  const auto requests = receiver.requests();
  CHECK(std::ranges::count_if(requests, [](const auto& request) { return request.path == "/hook/cut"; }) ==
        1);
}

TEST_CASE("http: half an answer, none, and one that never ends leave the message in doubt") {
  WebhookServer& receiver = server();
  for (const char* way : {"cuts", "half head", "open head", "half body", "hangs"}) {
    receiver.answers({{.path = "/hook/bad", .status = 200, .way = way}});
    const auto broker = open_broker(http_adapter(), url_of(receiver.port()), impatient());
    Driver driver(*broker);
    const auto deliveries = driver.publish(rows_to({"a", "bad", "b"}));
    CHECK_MESSAGE(delivery_of(deliveries, 2).verdict == Verdict::in_doubt, way);
    CHECK(count(deliveries, Verdict::accepted) == 2);
    CHECK(driver.session().state == Session::State::down);
  }
}

TEST_CASE("http: a receiver that answers and hangs up before it has the whole message leaves it in doubt") {
  WebhookServer& receiver = server();
  receiver.answers({{.path = "/hook/early", .way = "early"}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()), impatient());
  Rows rows;
  rows.add({.topic = "early", .payload = std::string(20 << 20, 'x')});  // more than sockets' buffers take
  CHECK(Driver(*broker).publish(rows).at(0).verdict == Verdict::in_doubt);
}

TEST_CASE("http: of an answer that is far too long the status counts, and no more is read") {
  WebhookServer& receiver = server();
  receiver.answers({{.path = "/hook/long", .status = 200, .way = "endless"},
                    {.path = "/hook/wrong", .status = 400, .way = "endless"}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.port()));
  const auto deliveries = Driver(*broker).publish(rows_to({"long", "wrong", "a"}));
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 3).verdict == Verdict::accepted);
}

TEST_CASE("http: after a failure the others in flight are still answered, and what waited is not sent") {
  WebhookServer& receiver = server();
  receiver.answers({{.path = "/hook/cut", .way = "cuts"}, {.delay = milliseconds(300)}});
  const auto broker =
      open_broker(http_adapter(), url_of(receiver.port()), {{"concurrency", std::int64_t{4}}});
  Driver driver(*broker);
  const auto deliveries = driver.publish(rows_to({"a", "cut", "b", "c", "d", "e"}));
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::in_doubt);
  CHECK(count(deliveries, Verdict::accepted) == 3);
  CHECK(count(deliveries, Verdict::unavailable) == 2);
  CHECK(driver.session().state == Session::State::down);
}

TEST_CASE("http: a login is Basic or Bearer, and a wrong one is misconfigured without being shown") {
  WebhookServer basic({.authorization = "Basic c2hvcDpwQDpzcw=="});  // shop:p@:ss
  const std::string host = "127.0.0.1:" + std::to_string(basic.port());
  CHECK(Driver(*open_broker(http_adapter(), "http://shop:p%40%3Ass@" + host))
            .publish(rows_of(1))
            .at(0)
            .verdict == Verdict::accepted);
  const Delivery wrong =
      Driver(*open_broker(http_adapter(), "http://shop:wrong-secret@" + host)).publish(rows_of(1)).at(0);
  CHECK(wrong.verdict == Verdict::misconfigured);
  CHECK(wrong.reason.find("correct user and password") != std::string::npos);
  CHECK(wrong.reason.find("wrong-secret") == std::string::npos);
  WebhookServer bearer({.authorization = "Bearer tok-en"});
  const auto broker =
      open_broker(http_adapter(), url_of(bearer.port()), {{"bearer_token", std::string("tok-en")}});
  CHECK(count(Driver(*broker).publish(rows_of(2)), Verdict::accepted) == 2);
}

TEST_CASE("http: a URL or settings that can never work are refused with the fix") {
  const auto refused = [](const std::string& url, const Settings& changed = {}) {
    return refusal(http_adapter(), url, changed);
  };
  CHECK(refused("http:") == "http: the URL names no host; write https://hooks.example/events");
  CHECK(refused("http:///events") == "http: the URL names no host; write https://hooks.example/events");
  refused("http://a,b/");
  refused("http://localhost:port/");
  refused("http://localhost/a b");
  refused("http://localhost/a#b");
  refused("http://localhost/@x/hidden");
  refused("http://local%0Ahost/");
  const std::string url = "http://localhost";
  refused(url, {{"cert_file", std::string("cert.pem")}});
  refused(url, {{"signing_secret", std::string("hidden")}});
  refused(url, {{"signing_secret", std::string("whsec_aGlkZGVu")}});  // too short
  refused(url, {{"signing_secret_previous", std::string("hidden")}});
  refused(url, {{"bearer_token", std::string("hidden\n")}});
  refused("http://user:hidden@localhost", {{"bearer_token", std::string("hidden")}});
}

}  // namespace
}  // namespace outbox::test
