#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <fstream>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "http/server.h"
#include "tests/unit/http_client.h"
#include "tests/unit/status_sample.h"

using namespace outbox;
using namespace std::chrono_literals;
using outbox::test::HttpClient;
using outbox::test::patience;
using Clock = std::chrono::steady_clock;

namespace {

class Source final : public StatusSource {
 public:
  Status status() const override { return outbox::test::fresh_status(); }
  std::vector<std::string> stuck() const override { return {}; }
};

struct Served {
  explicit Served(const HttpLimits& limits = {})
      : server(*HttpServer::start("127.0.0.1:0", "", source, limits)) {}
  HttpClient client() const { return HttpClient(server->port()); }

  Source source;
  std::unique_ptr<HttpServer> server;
};

/// How long a new client waits for /livez.
Clock::duration probe(const Served& served) {
  const auto begin = Clock::now();
  REQUIRE(served.client().get("/livez").status == 200);
  return Clock::now() - begin;
}

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// What the process may grow by. The address sanitizer keeps what is freed, the thread sanitizer shadows all
/// that is touched: their figures say nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long growth_max = 500'000'000;
#else
constexpr long growth_max = 3'000'000;
#endif

long resident_bytes() {
  std::ifstream file("/proc/self/statm");
  long total = 0, resident = 0;
  file >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE("livez answers while slow clients drip their requests") {
  const Served served;
  for (const std::size_t slow_clients : {8, 32, 64, 300}) {
    std::list<HttpClient> slow;
    while (slow.size() < slow_clients) slow.push_back(served.client());
    std::vector<Clock::duration> waits;
    const std::string request = "GET /livez HTTP/1.1\r\nX-Slow: ";
    for (std::size_t turn = 0; turn < 100; ++turn) {
      for (HttpClient& client : slow) client.send_some(turn < request.size() ? request.substr(turn, 1) : "x");
      waits.push_back(probe(served));
    }
    std::ranges::sort(waits);
    MESSAGE(slow_clients << " slow clients: /livez p50 " << milliseconds(waits[50]) << " ms, p99 "
                         << milliseconds(waits[98]) << " ms");
    CHECK(waits[98] < HttpLimits{}.head_time);  // or they wait for one another
  }
}

TEST_CASE("a head has one deadline, however its bytes drip") {
  HttpLimits limits;
  limits.head_time = 200ms;
  const Served served(limits);
  const auto begin = Clock::now();
  HttpClient client = served.client();
  client.send("GET /livez HTTP/1.1\r\nX: ");
  while (!client.closes_within(10ms) && Clock::now() - begin < patience) client.send_some("x");
  CHECK(Clock::now() - begin >= 200ms);
  CHECK(Clock::now() - begin < patience);
}

TEST_CASE("silent and idle connections are closed") {
  HttpLimits limits;
  limits.head_time = 1s;  // within which a busy machine lets a client ask
  limits.idle_time = 100ms;
  const Served served(limits);
  HttpClient idle = served.client();
  CHECK(idle.get("/livez").status == 200);
  HttpClient silent = served.client();
  CHECK(silent.closes_within());
  CHECK(idle.closes_within());
}

TEST_CASE("a flood of header bytes ends the connection and takes no memory") {
  const Served served;
  probe(served);
  const long before = resident_bytes();
  HttpClient client = served.client();
  client.send("GET /livez HTTP/1.1\r\nX: ");
  const std::string block(64 * 1024, 'x');
  const auto end = Clock::now() + patience;
  std::size_t sent = 0;
  long peak = 0;
  while (sent < 75'000'000 && Clock::now() < end) {
    REQUIRE(client.writable_within(patience));
    const ssize_t count = client.send_some(block);
    if (count < 0 && errno != EAGAIN) break;
    if (count > 0) sent += static_cast<std::size_t>(count);
    peak = std::max(peak, resident_bytes());
  }
  CHECK(sent < 75'000'000);
  CHECK(client.closes_within());
  MESSAGE("closed after " << sent << " bytes; the process grew by " << (peak - before) / 1024 << " KiB");
  CHECK(peak - before < growth_max);
  probe(served);
}

TEST_CASE("a head that is too large is answered with 431") {
  const Served served;
  HttpClient client = served.client();
  CHECK(client.ask("GET /livez HTTP/1.1\r\nX: " + std::string(9000, 'x')).status == 431);
  CHECK(client.closes_within());
  CHECK_FALSE(client.was_reset());
  HttpClient fits = served.client();
  CHECK(fits.get("/livez", "X: " + std::string(8000, 'x') + "\r\n").status == 200);
}

TEST_CASE("when all places are taken, the connection that has waited longest makes room") {
  HttpLimits limits;
  limits.connections_max = 4;
  const Served served(limits);
  std::vector<HttpClient> silent;
  for (int count = 0; count < 4; ++count) {
    silent.push_back(served.client());
    REQUIRE(silent.back().get("/livez").status == 200);
  }
  REQUIRE(silent[0].get("/livez").status == 200);
  probe(served);
  CHECK(silent[1].closes_within());
  CHECK(silent[0].get("/livez").status == 200);
}

TEST_CASE("a process without descriptors left serves new clients instead of old ones") {
  const Served served;
  std::vector<HttpClient> silent;
  for (int count = 0; count < 10; ++count) {
    silent.push_back(served.client());
    REQUIRE(silent.back().get("/livez").status == 200);
  }
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int next_descriptor = ::dup(0);
  REQUIRE(next_descriptor >= 0);
  ::close(next_descriptor);
  const rlimit one_left{static_cast<rlim_t>(next_descriptor + 1), limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &one_left) == 0);
  HttpClient client = served.client();  // takes the last one
  client.send("GET /livez HTTP/1.1\r\n\r\n");
  const bool is_answered = client.readable_within();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(is_answered);
}

TEST_CASE("a client that does not take its answers is closed and disturbs nobody") {
  HttpLimits limits;
  limits.answer_time = 200ms;
  const Served served(limits);
  HttpClient client = served.client();
  const std::string request = "GET /metrics HTTP/1.1\r\n\r\n";
  const long before = resident_bytes();
  const auto end = Clock::now() + patience;
  bool closed = false;
  while (!closed && Clock::now() < end) {
    const ssize_t count = client.send_some(request);
    closed = count < 0 && errno != EAGAIN;
    if (count < 0 && !closed) CHECK(probe(served) < HttpLimits{}.answer_time);
  }
  CHECK(closed);
  CHECK(resident_bytes() - before < growth_max);
}

TEST_CASE("a connection has a last request") {
  HttpLimits limits;
  limits.requests_max = 3;
  const Served served(limits);
  HttpClient client = served.client();
  CHECK(client.get("/livez").header("Connection").empty());
  CHECK(client.get("/livez").header("Connection").empty());
  CHECK(client.get("/livez").header("Connection") == "close");
  CHECK(client.closes_within());
}

TEST_CASE("a stop does not wait for slow clients") {
  Served served;
  HttpClient slow = served.client();
  slow.send("GET /li");
  const auto begin = Clock::now();
  served.server->stop();
  CHECK(Clock::now() - begin < HttpLimits{}.head_time);
  CHECK(slow.closes_within());
}

TEST_CASE(
    "a status that costs much is made for all who ask, at most once a second, and no probe waits for it") {
  struct Slow final : StatusSource {
    Status status() const override {
      ++asked;
      for (const std::clock_t end = std::clock() + 3 * CLOCKS_PER_SEC / 10; std::clock() < end;) continue;
      return outbox::test::fresh_status();
    }
    std::vector<std::string> stuck() const override { return {}; }
    mutable std::atomic<int> asked = 0;
  } source;
  const auto server = *HttpServer::start("127.0.0.1:0", "", source);
  const auto begin = Clock::now();
  std::vector<HttpClient> clients;
  for (int i = 0; i < 24; ++i) {
    clients.emplace_back(server->port());
    const char* path = i % 3 == 0 ? "/status" : i % 3 == 1 ? "/metrics" : "/readyz";
    clients.back().send("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  CHECK(HttpClient(server->port()).get("/livez").status == 200);
  CHECK(Clock::now() - begin < 250ms);
  for (HttpClient& client : clients) CHECK(client.answer().status == 200);
  CHECK(source.asked <= 1 + static_cast<int>((Clock::now() - begin) / 1s));
  const int asked = source.asked;
  CHECK(outbox::test::eventually([&] {
    CHECK(HttpClient(server->port()).get("/status").status == 200);
    return source.asked > asked;
  }));
  CHECK(source.asked == asked + 1);
}

TEST_CASE("readers of a large status share it; one that reads slowly holds up nobody") {
  struct Large final : StatusSource {
    Status status() const override {
      Status status = outbox::test::fresh_status();
      status.reasons.assign(16, std::string(1 << 20, 'x'));
      return status;
    }
    std::vector<std::string> stuck() const override { return {}; }
  } source;
  HttpLimits limits;
  limits.answer_time = 60s;
  const auto server = *HttpServer::start("127.0.0.1:0", "", source, limits);
  CHECK(HttpClient(server->port()).get("/status").body.size() > std::size_t{16} << 20);
  const long before = resident_bytes();
  std::vector<HttpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(server->port());
    clients.back().send("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(clients.back().readable_within());
    CHECK(HttpClient(server->port()).get("/livez").status == 200);
  }
  // At most two of them are there at a time: the one before, and the one that is made.
  CHECK(resident_bytes() - before < 50 * growth_max);
  CHECK(clients.back().answer().body.size() > std::size_t{16} << 20);
}
