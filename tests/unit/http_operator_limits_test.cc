// Who may ask under /v1, how much, and what happens when the database does not answer.
#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/unit/http_operator_fixture.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;
using Served = OperatorServer;

namespace {

/// A database that does not answer until it is let.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

}  // namespace

TEST_CASE("a body is JSON by its type, has a length, and at most 64 KiB") {
  const Served served;
  const std::string order = R"({"route":"audit","all":true})";
  for (const std::string type :
       {"", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/jsonx\r\n"})
    CHECK(served.post("/v1/held/discard", order, bearer + type).status == 415);
  CHECK(served.client()
            .ask("POST /v1/held/discard HTTP/1.1\r\nHost: localhost\r\n" + bearer +
                 "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            .status == 411);
  CHECK(served.client()
            .ask("POST /v1/held/discard HTTP/1.1\r\nHost: localhost\r\n" + bearer +
                 "Content-Type: application/json\r\nContent-Length: 65537\r\n\r\n")
            .status == 413);
  for (const char* two : {"Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: -1\r\n",
                          "Content-Length: +1\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"})
    CHECK(served.client()
              .ask("POST /v1/held/discard HTTP/1.1\r\nHost: localhost\r\n" + bearer + two + "\r\n{}")
              .status == 400);
  CHECK(served.seqs("").size() == 5);
  CHECK(served
            .post("/v1/held/discard", order + std::string(65536 - order.size(), ' '),
                  bearer + "Content-Type: Application/JSON; charset=utf-8\r\n")
            .status == 200);
  CHECK(served.seqs("").size() == 4);
}

TEST_CASE("a body may come in pieces, and after a go-ahead") {
  const Served served;
  const std::string order = R"({"route":"audit","all":true})";
  HttpClient client = served.client();
  client.send("POST /v1/held/discard HTTP/1.1\r\nHost: localhost\r\n" + bearer +
              "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(order.size()) + "\r\n\r\n");
  REQUIRE(client.readable_within(5s));
  client.send(order.substr(0, 5));
  CHECK_FALSE(client.closes_within(50ms));
  CHECK(client.received() == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(order.substr(5));
  CHECK(client.closes_within(5s));
  CHECK(holds(client.received(), "\"changed\":1"));
}

TEST_CASE("a body that never comes ends with its connection and changes nothing") {
  HttpLimits limits;
  limits.head_time = 100ms;
  const Served served(token, limits);
  HttpClient client = served.client();
  client.send(
      "POST /v1/held/discard HTTP/1.1\r\nHost: localhost\r\n" + bearer +
      "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"route\":\"audit\",\"all\":true}");
  CHECK(client.closes_within(5s));
  CHECK(client.received().empty());
  CHECK(served.rows->held.size() == 5);
}

TEST_CASE("requests of web pages and for other hosts are refused") {
  const Served served;
  const std::string json_type = "Content-Type: application/json\r\nContent-Length: 0\r\n";
  const auto status_for = [&](const std::string& headers) {
    const int posted =
        served.client()
            .ask("POST /v1/routes/orders/pause HTTP/1.1\r\n" + headers + bearer + json_type + "\r\n")
            .status;
    CHECK(served.client().ask("GET /v1/held HTTP/1.1\r\n" + headers + bearer + "\r\n").status == posted);
    return posted;
  };
  for (const char* ours : {"localhost", "LOCALHOST:8477", "127.0.0.1", "127.8.8.8:1", "[::1]:8477", "[::1]"})
    CHECK_MESSAGE(status_for(std::string("Host: ") + ours + "\r\n") == 200, ours);
  for (const char* foreign : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8477",
                              "10.0.0.1", "[::2]", "0.0.0.0", "[", ""})
    CHECK_MESSAGE(status_for(std::string("Host: ") + foreign + "\r\n") == 403, foreign);
  CHECK(status_for("") == 403);
  CHECK(status_for("Host: localhost\r\nOrigin: http://localhost:8477\r\n") == 403);
  CHECK(status_for("Host: localhost\r\nOrigin: null\r\n") == 403);

  const Served everywhere(token, {}, "0.0.0.0:0");
  CHECK(
      everywhere.client().ask("GET /v1/held HTTP/1.1\r\nHost: relay.shop.svc\r\n" + bearer + "\r\n").status ==
      200);
}

TEST_CASE("a database that does not answer never keeps probes and metrics waiting") {
  Served served;
  const auto gate = std::make_shared<Gate>();
  served.rows->before = [gate] { gate->wait(); };
  HttpClient slow = served.client();
  slow.send("GET /v1/held HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n");
  REQUIRE(eventually([&] { return gate->waiting() == 1; }, 10s));
  const auto begin = std::chrono::steady_clock::now();
  for (int turn = 0; turn < 50; ++turn)
    for (const char* path : {"/livez", "/metrics", "/status"}) REQUIRE(served.get(path, "").status == 200);
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  CHECK_FALSE(slow.readable_within(0ms));
  gate->open();
  CHECK(slow.answer().status == 200);
}

TEST_CASE("a database that does not answer in time is 504, and what waited is not done later") {
  HttpLimits limits;
  limits.work_time = 200ms;
  Served served(token, limits);
  const auto gate = std::make_shared<Gate>();
  served.rows->before = [gate] { gate->wait(); };
  HttpClient first = served.client();
  first.send("GET /v1/held HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n");
  REQUIRE(eventually([&] { return gate->waiting() == 1; }, 10s));
  const HttpAnswer second = served.post("/v1/held/discard", R"({"route":"orders","all":true})");
  CHECK(second.status == 504);
  CHECK(holds(error_of(second), "the change may still happen: look before you try again"));
  const HttpAnswer late = first.answer();
  CHECK(late.status == 504);
  CHECK(late.header("Connection") == "close");
  gate->open();
  CHECK(served.get("/v1/held").status == 200);  // the queue has been worked off
  CHECK(served.rows->held.size() == 5);
  CHECK(served.rows->audit.empty());
}

TEST_CASE("more than the queue holds is refused at once, and the queue is worked off in order") {
  Served served;
  const auto gate = std::make_shared<Gate>();
  served.rows->before = [gate] { gate->wait(); };
  std::vector<HttpClient> clients;
  const auto ask = [&] {
    clients.push_back(served.client());
    clients.back().send("GET /v1/held HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n");
  };
  ask();
  REQUIRE(eventually([&] { return gate->waiting() == 1; }, 10s));
  for (int turn = 0; turn < 16; ++turn) {
    ask();
    REQUIRE(served.get("/livez", "").status == 200);  // read after what was sent before
  }
  const HttpAnswer refused = served.get("/v1/held");
  CHECK(refused.status == 503);
  CHECK(holds(error_of(refused), "too many requests wait for the database"));
  gate->open();
  for (HttpClient& client : clients) CHECK(client.answer().status == 200);
}

TEST_CASE("a stop does not wait for a database that does not answer") {
  Served served;
  const auto gate = std::make_shared<Gate>();
  served.rows->before = [gate] { gate->wait(); };
  HttpClient client = served.client();
  client.send("GET /v1/held HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n");
  REQUIRE(eventually([&] { return gate->waiting() == 1; }, 10s));
  const std::weak_ptr<FakeDatabase> rows = served.rows;
  const auto begin = std::chrono::steady_clock::now();
  served.server->stop();
  CHECK(std::chrono::steady_clock::now() - begin < 8s);
  CHECK(client.closes_within(5s));
  served.server.reset();
  served.rows.reset();
  gate->open();
  CHECK(eventually([&] { return rows.expired(); }, 10s));  // the work has ended, and touched only its own
}

TEST_CASE("a client that goes away leaves nothing behind") {
  Served served;
  const auto gate = std::make_shared<Gate>();
  served.rows->before = [gate] { gate->wait(); };
  {
    HttpClient client = served.client();
    client.send("GET /v1/held HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n");
    REQUIRE(eventually([&] { return gate->waiting() == 1; }, 10s));
  }
  gate->open();
  CHECK(served.get("/v1/held").status == 200);
}

TEST_CASE("answers that wait for slow readers have a bound together; who comes then is told to come again") {
  HttpLimits limits;
  limits.answer_time = 60s;
  const Served served(token, limits);
  MessageDetails& message = served.rows->messages.front();
  message.payload.assign(std::size_t{4} << 20, 'x');
  message.payload_bytes = std::ssize(message.payload);
  std::vector<HttpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(served.client());
    clients.back().send("GET /v1/messages/" + message.id + "?payload=1 HTTP/1.1\r\nHost: localhost\r\n" +
                        bearer + "\r\n");
    REQUIRE(clients.back().readable_within());
    CHECK(served.client().get("/livez").status == 200);
  }
  int whole = 0, refused = 0;
  for (HttpClient& client : clients) {
    const HttpAnswer answer = client.answer();
    whole += answer.status == 200 && answer.body.size() > message.payload.size() ? 1 : 0;
    refused += answer.status == 503 && answer.header("Retry-After") == "5" ? 1 : 0;
  }
  CHECK(whole >= 2);
  CHECK(refused >= 8);
  CHECK(whole + refused == 20);
  // Now there is room again.
  CHECK(served.get("/v1/messages/" + message.id + "?payload=1").status == 200);
}
