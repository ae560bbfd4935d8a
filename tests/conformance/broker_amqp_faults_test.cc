// What can happen to a connection to RabbitMQ, played by killing the server, by its alarms and by a proxy
// that spoils the wire.
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "tests/conformance/amqp_fixture.h"
#include "tests/support/fault_proxy.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

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
  AmqpFixture::server().control({"set_vm_memory_high_watermark", "absolute", "1MiB"});
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
  AmqpFixture::server().control({"set_vm_memory_high_watermark", "0.4"});
  const Rows more = rows_of(1);
  CHECK(count(driver.publish(more), Verdict::accepted) == 1);
}

TEST_CASE("amqp: a session that waits out a short alarm takes up where it was") {
  AmqpFixture fixture;
  const auto broker = fixture.open_at(fixture.port(), {{"timeout", Duration(patience)}});
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  AmqpFixture::server().control({"set_vm_memory_high_watermark", "absolute", "1MiB"});
  const Rows rows = rows_of(3);
  driver.submit(rows.submissions(1));
  Answers answers;
  broker->poll(seconds(5), answers);  // connection.blocked comes after the first of them
  driver.submit(rows.submissions(3));
  broker->poll(milliseconds(100), answers);
  AmqpFixture::server().control({"set_vm_memory_high_watermark", "0.4"});
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
