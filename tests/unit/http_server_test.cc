#include "http/server.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/unit/http_client.h"
#include "tests/unit/status_sample.h"

using namespace outbox;
using namespace std::chrono_literals;
using outbox::test::HttpAnswer;
using outbox::test::HttpClient;

namespace {

class Source final : public StatusSource {
 public:
  Status status() const override {
    const std::lock_guard lock(mutex_);
    if (fails_) throw std::runtime_error("the secret is 1234");
    return status_;
  }
  std::vector<std::string> stuck() const override {
    const std::lock_guard lock(mutex_);
    return stuck_;
  }

  void set(const std::function<void(Status&)>& change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }
  void set_stuck(std::vector<std::string> names) {
    const std::lock_guard lock(mutex_);
    stuck_ = std::move(names);
  }
  void fail() {
    const std::lock_guard lock(mutex_);
    fails_ = true;
  }

 private:
  mutable std::mutex mutex_;
  Status status_ = outbox::test::fresh_status();
  std::vector<std::string> stuck_;
  bool fails_ = false;
};

struct Served {
  explicit Served(const HttpLimits& limits = {}, const std::string& listen = "127.0.0.1:0",
                  const std::string& token = "") {
    HttpLimits anew = limits;
    anew.status_age = 0ms;
    auto started = HttpServer::start(listen, token, source, anew);
    if (!started) throw std::runtime_error(started.error().text);
    server = *std::move(started);
  }

  HttpClient client() const { return HttpClient(server->port()); }
  HttpAnswer get(const std::string& path, const std::string& headers = "") const {
    return client().get(path, headers);
  }

  Source source;
  std::unique_ptr<HttpServer> server;
};

}  // namespace

TEST_CASE("probes answer what the relay says of itself") {
  Served served;
  for (const char* path : {"/livez", "/healthz", "/readyz"}) {
    CAPTURE(path);
    CHECK(served.get(path).status == 200);
    CHECK(served.get(path).body == "ok\n");
  }
  CHECK(served.get("/readyz?broker=1").status == 503);
  CHECK(served.get("/readyz?verbose").body.find("[+]database ok\n") != std::string::npos);
  served.source.set_stuck({"orders.read"});
  served.source.set([](Status& status) { status.state = "draining"; });
  for (const char* path : {"/livez", "/healthz", "/readyz"}) {
    CAPTURE(path);
    CHECK(served.get(path).status == 503);
  }
  CHECK(served.get("/livez").body.find("orders.read") != std::string::npos);
}

TEST_CASE("status, metrics and the page come with their types and without caching") {
  const Served served;
  const HttpAnswer status = served.get("/status");
  CHECK(status.status == 200);
  CHECK(status.header("Content-Type") == "application/json");
  CHECK(nlohmann::json::parse(status.body)["routes"][0]["name"] == "orders");
  const HttpAnswer metrics = served.get("/metrics");
  CHECK(metrics.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(metrics.body.find("outbox_build_info{version=\"1.2.3\"} 1\n") != std::string::npos);
  const HttpAnswer page = served.get("/");
  CHECK(page.header("Content-Type") == "text/html; charset=utf-8");
  for (const HttpAnswer& answer : {status, metrics, page}) {
    CHECK(answer.header("Cache-Control") == "no-store");
    CHECK(answer.header("X-Content-Type-Options") == "nosniff");
  }
}

TEST_CASE("the page's policy allows its own script, by a new nonce each time, and nothing else") {
  const Served served;
  const HttpAnswer first = served.get("/");
  const std::string policy = first.header("Content-Security-Policy");
  CHECK(policy.starts_with("default-src 'none'; connect-src 'self'; script-src 'nonce-"));
  CHECK(policy.find("unsafe") == std::string::npos);
  const auto begin = policy.find("nonce-") + 6;
  const std::string nonce = policy.substr(begin, policy.find('\'', begin) - begin);
  CHECK(nonce.size() == 32);
  CHECK(first.body.find("<script nonce=\"" + nonce + "\">") != std::string::npos);
  CHECK(first.body.find("{{nonce}}") == std::string::npos);
  CHECK(served.get("/").header("Content-Security-Policy") != policy);
}

TEST_CASE("the page brings everything along and sets no HTML") {
  const std::string page = Served().get("/").body;
  CHECK(page.find("http://") == std::string::npos);
  CHECK(page.find("https://") == std::string::npos);
  CHECK(page.find("innerHTML") == std::string::npos);
  CHECK(page.find("insertAdjacentHTML") == std::string::npos);
}

TEST_CASE("HEAD answers as GET without the body") {
  const Served served;
  HttpClient client = served.client();
  const HttpAnswer answer = client.ask("HEAD /livez HTTP/1.1\r\n\r\n", false);
  CHECK(answer.status == 200);
  CHECK(answer.header("Content-Length") == "3");
  CHECK(client.get("/livez").body == "ok\n");
}

TEST_CASE("what does not exist is not found, and nothing can be changed") {
  const Served served;
  CHECK(served.get("/nonsense").status == 404);
  CHECK(served.get("/livez/").status == 404);
  CHECK(served.get("/../etc/passwd").status == 404);
  CHECK(served.get("/" + std::string(7000, 'a')).status == 404);
  CHECK(served.client().ask("POST /v1/reload HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}").status == 404);
  for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    CAPTURE(method);
    const HttpAnswer answer = served.client().ask(method + " /status HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    CHECK(answer.status == 405);
    CHECK(answer.header("Allow") == "GET, HEAD");
  }
}

TEST_CASE("a connection serves one request after the other, also those sent ahead") {
  const Served served;
  HttpClient client = served.client();
  CHECK(client.get("/livez").status == 200);
  CHECK(client.get("/nonsense").status == 404);
  std::string ahead;
  for (int request = 0; request < 200; ++request) ahead += "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(ahead + "GET /readyz?verbose HTTP/1.1\r\nConnection: close\r\n\r\n");
  for (int request = 0; request < 200; ++request) REQUIRE(client.answer().body == "ok\n");
  const HttpAnswer last = client.answer();
  CHECK(last.body.find("readyz check passed") != std::string::npos);
  CHECK(last.header("Connection") == "close");
  CHECK(client.closes_within());
}

TEST_CASE("a client that has said all it has to say still gets its answer") {
  const Served served;
  HttpClient client = served.client();
  client.send("GET /livez HTTP/1.1\r\n\r\n");
  client.end_input();
  CHECK(client.answer().status == 200);
  CHECK(client.closes_within());
}

TEST_CASE("a body is not read as the next request") {
  const Served served;
  for (const std::string header : {"Content-Length: 40", "Transfer-Encoding: chunked"}) {
    HttpClient client = served.client();
    client.send("GET /livez HTTP/1.1\r\n" + header +
                "\r\n\r\nGET /status HTTP/1.1\r\nHost: smuggled\r\n\r\n");
    CHECK(client.answer().header("Connection") == "close");
    CHECK(client.closes_within());
    CHECK(client.received().empty());
  }
}

TEST_CASE("what is not HTTP is refused and the connection closed") {
  const Served served;
  for (const std::string bytes :
       {"nonsense\r\n\r\n", "GET /livez HTTP/1.1\r\nX: a\nY: b\r\n\r\n", "\r\n\r\n"}) {
    HttpClient client = served.client();
    CHECK(client.ask(bytes).status == 400);
    CHECK(client.closes_within());
  }
  CHECK(served.client().ask("BREW /livez HTTP/1.1\r\n\r\n").status == 400);
  CHECK(served.get("/livez?a?b?c").status != 500);
}

TEST_CASE("headers that trouble cpp-httplib reach nobody") {
  const Served served;
  std::string ranges = "Range: bytes=0-1";
  while (ranges.size() < 7000) ranges += ",0-1";
  const HttpAnswer answer =
      served.get("/livez", ranges + "\r\nREMOTE_ADDR: 6.6.6.6\r\nAccept-Encoding: br, gzip\r\n" +
                               "X-A: v%0d%0aInjected: yes\r\nExpect: 100-continue\r\n");
  CHECK(answer.status == 200);
  CHECK(answer.body == "ok\n");
  CHECK(answer.header("Content-Encoding").empty());
}

TEST_CASE("a fault of ours is a 500 that does not tell its text") {
  Served served;
  served.source.fail();
  const HttpAnswer answer = served.get("/status");
  CHECK(answer.status == 500);
  CHECK((answer.head + answer.body).find("1234") == std::string::npos);
  CHECK(served.get("/livez").status == 200);
}

TEST_CASE("a second server on the same port does not start") {
  const Served served;
  const std::string address = "127.0.0.1:" + std::to_string(served.server->port());
  const Source source;
  const auto second = HttpServer::start(address, "", source);
  REQUIRE_FALSE(second);
  CHECK(second.error().fault == Fault::unavailable);
  CHECK(second.error().text.find(address) != std::string::npos);
  CHECK(second.error().text.find("another process has the port") != std::string::npos);
}

TEST_CASE("a port is free again at once after a stop with connections open") {
  auto served = std::make_unique<Served>();
  const int port = served->server->port();
  HttpClient client(port);
  CHECK(client.get("/livez").status == 200);
  HttpClient silent(port);
  served->server->stop();
  CHECK(client.closes_within());
  CHECK(silent.closes_within());
  const Served again({}, "127.0.0.1:" + std::to_string(port));
  CHECK(again.get("/livez").status == 200);
}

TEST_CASE("an address that cannot be listened on is explained") {
  const Source source;
  for (const std::string address :
       {"", "8477", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:99999", "::1:80"}) {
    CAPTURE(address);
    const auto started = HttpServer::start(address, "token", source);
    REQUIRE_FALSE(started);
    CHECK(started.error().fault == Fault::misconfigured);
    CHECK(started.error().text.find("http.listen") != std::string::npos);
  }
}

TEST_CASE("another address than loopback needs a token") {
  const Source source;
  for (const std::string address : {"0.0.0.0:0", ":0"}) {
    const auto started = HttpServer::start(address, "", source);
    REQUIRE_FALSE(started);
    CHECK(started.error().fault == Fault::misconfigured);
    CHECK(started.error().text.find("http.token") != std::string::npos);
  }
}

TEST_CASE("beyond loopback, data needs the token and probes do not") {
  const Served served({}, "0.0.0.0:0", "s%65cret");
  for (const char* path : {"/livez", "/healthz", "/readyz"}) CHECK(served.get(path).status == 200);
  for (const char* path : {"/", "/status", "/metrics"}) {
    CAPTURE(path);
    CHECK(served.get(path).status == 401);
    CHECK(served.get(path).header("WWW-Authenticate") == "Bearer");
    CHECK(served.get(path, "Authorization: Bearer secret\r\n").status == 401);
    CHECK(served.get(path, "Authorization: Bearer s%65cre\r\n").status == 401);
    CHECK(served.get(path, "Authorization: Bearer s%65cretX\r\n").status == 401);
    CHECK(served.get(path, "Authorization: Basic s%65cret\r\n").status == 401);
    CHECK(served.get(path, "Authorization: Bearer\r\n").status == 401);
    CHECK(served.get(path, "authorization: bearer s%65cret\r\n").status == 200);
  }
}

TEST_CASE("on loopback data is open, token or not") {
  const Served served({}, "127.0.0.1:0", "secret");
  CHECK(served.get("/status").status == 200);
}
