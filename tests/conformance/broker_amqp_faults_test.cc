// What can happen to a connection to RabbitMQ, played by killing the server, by its alarms and by a proxy
// that spoils the wire.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/amqp_reader.h"
#include "tests/conformance/broker_server_suite.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/rabbitmq_server.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

RabbitmqServer& server() {
  static RabbitmqServer one{{.settings = {"max_message_size = 2000000"}}};
  return one;
}

bool prepare() {
  AmqpReader(server().url())
      .command({"exchange", "events", "topic", "--", "queue", "all", "classic", "--", "bind", "all", "events",
                "order.#"});
  return true;
}

/// The exchange "events" has what begins with "order." go to the queue "all".
class AmqpFixture : public ServerFixture {
 public:
  AmqpFixture() {
    server().start();
    // RabbitMQ writes down only after a while that a quorum queue exists: kill -9 would take a young one
    // along.
    static const bool is_prepared = prepare();
    (void)is_prepared;
    reader_.command({"purge", "all"});
  }
  ~AmqpFixture() override {
    if (has_rights_) server().control({"clear_topic_permissions", "guest"});
  }
  [[nodiscard]] BrokerAdapter adapter() const override { return amqp_adapter(); }
  [[nodiscard]] int port() const override { return server().port(); }
  [[nodiscard]] std::string url(int port) const override {
    return "amqp://guest:guest@127.0.0.1:" + std::to_string(port);
  }
  [[nodiscard]] Settings settings() const override { return {{"exchange", std::string("events")}}; }
  void kill() override { server().kill(); }
  void start() override { server().start(); }
  void freeze() override { server().freeze(); }
  void thaw() override { server().thaw(); }
  [[nodiscard]] seconds restart_time() const override { return patience; }
  std::vector<Received> received() override {
    for (AmqpReceived& message : reader_.take("all")) received_.push_back(std::move(message.received));
    return received_;
  }

  std::optional<TurnedAway> forbidden_topic() override {
    has_rights_ = true;
    server().control({"set_topic_permissions", "guest", "events", "^order[.].*", ".*"});
    return TurnedAway{{.topic = "forbidden"}, Verdict::misconfigured, "ACCESS_REFUSED"};
  }
  std::optional<TurnedAway> unknown_topic() override {
    return TurnedAway{{.topic = "unknown"}, Verdict::misconfigured, "no queue is bound to exchange 'events'"};
  }
  std::optional<TurnedAway> too_large() override {
    return TurnedAway{{.payload = std::string(2'000'001, 'x')}, Verdict::rejected, "PRECONDITION_FAILED"};
  }
  std::string url_with_wrong_password() override {
    return "amqp://guest:wrong-secret@127.0.0.1:" + std::to_string(port());
  }

 private:
  AmqpReader reader_{server().url()};
  std::vector<Received> received_;
  bool has_rights_ = false;
};

bool accepted_one(Driver& driver) {
  const Delivery delivery = driver.publish(rows_of(1)).at(0);
  INFO(delivery.reason);
  CHECK(delivery.verdict == Verdict::accepted);
  return delivery.verdict == Verdict::accepted;
}

TEST_CASE("amqp:") {
  AmqpFixture fixture;
  broker_server_suite(fixture);
}

TEST_CASE("amqp: an idle session to a host that has vanished is down after two heartbeats") {
  AmqpFixture fixture;
  FaultProxy proxy(fixture.port());
  const auto broker = fixture.open_at(proxy.port(), {{"heartbeat", Duration(seconds(1))}});
  Driver driver(*broker);
  CHECK(accepted_one(driver));
  proxy.half_open(true);
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK_MESSAGE(session.reason.find("no sign of life within 2 s") != std::string::npos, session.reason);
}

TEST_CASE("amqp: heartbeats keep an idle session up on both sides") {
  AmqpFixture fixture;
  FaultProxy proxy(fixture.port());
  const auto broker = fixture.open_at(proxy.port(), {{"heartbeat", Duration(seconds(1))}});
  Driver driver(*broker);
  CHECK(accepted_one(driver));
  // The server gives up a client that is silent for two heartbeats: six take it past that, and past ours.
  const std::uint64_t sent = proxy.request_bytes(), received = proxy.answer_bytes();
  const auto start = steady_clock::now();
  Answers answers;
  while (steady_clock::now() - start < seconds(6)) broker->poll(seconds(6), answers);
  CHECK(!answers.session);
  CHECK(proxy.request_bytes() - sent >= 6 * 8);
  CHECK(proxy.answer_bytes() - received >= 6 * 8);
  const Rows rows = rows_of(1);
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::accepted) == 1);
}

TEST_CASE("amqp: under a memory alarm nothing hangs, nobody is blamed, and it goes on when that is over") {
  AmqpFixture fixture;
  const auto broker = fixture.open_at(fixture.port(), impatient());
  Driver driver(*broker);
  CHECK(accepted_one(driver));
  server().control({"set_vm_memory_high_watermark", "absolute", "1MiB"});
  const Rows rows = rows_of(151, 200000);  // far more than the sockets' buffers take
  const auto start = steady_clock::now();
  driver.submit(rows.submissions(2));
  CHECK_MESSAGE(steady_clock::now() - start < milliseconds(1400), "submit() has waited for the wire");
  const auto deliveries = driver.deliveries();
  CHECK(count(deliveries, Verdict::in_doubt) == 0);
  CHECK(count(deliveries, Verdict::unavailable) >= 140);
  CHECK(count(deliveries, Verdict::unavailable) + count(deliveries, Verdict::accepted) == 150);
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK_MESSAGE(session.reason.find("connection.blocked: low on memory") != std::string::npos,
                session.reason);

  REQUIRE(driver.connect().state == Session::State::up);
  driver.submit(rows.submissions(151));  // one alone: it must not use an attempt
  CHECK(driver.deliveries()[0].verdict == Verdict::unavailable);

  REQUIRE(driver.session().state == Session::State::down);
  server().control({"set_vm_memory_high_watermark", "0.4"});
  const Rows more = rows_of(1);
  CHECK(count(driver.publish(more), Verdict::accepted) == 1);
}

TEST_CASE("amqp: a session that waits out a short alarm takes up where it was") {
  AmqpFixture fixture;
  const auto broker = fixture.open_at(fixture.port(), {{"timeout", Duration(patience)}});
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  server().control({"set_vm_memory_high_watermark", "absolute", "1MiB"});
  const Rows rows = rows_of(3);
  driver.submit(rows.submissions(1));
  Answers answers;
  broker->poll(seconds(5), answers);  // connection.blocked comes after the first of them
  driver.submit(rows.submissions(3));
  broker->poll(milliseconds(100), answers);
  server().control({"set_vm_memory_high_watermark", "0.4"});
  const auto is_complete = [&] {
    broker->poll(milliseconds(100), answers);
    return answers.deliveries.size() == 4;
  };
  REQUIRE(eventually(is_complete));
  CHECK(!answers.session);
  CHECK(count(answers.deliveries, Verdict::accepted) == 3);
  CHECK(count(answers.deliveries, Verdict::unavailable) == 1);
}

}  // namespace
}  // namespace outbox::test
