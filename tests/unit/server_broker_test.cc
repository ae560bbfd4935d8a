// The frame of a broker that is a server: when a session ends, and what each message gets then.
#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "adapters/common/server_adapter.h"
#include "adapters/common/server_broker.h"
#include "adapters/common/server_check.h"
#include "tests/support/rows.h"

namespace outbox::test {
namespace {

constexpr ServerKind toy_server{.name = "toy",
                                .scheme = "toy",
                                .tls_scheme = "toys",
                                .example_url = "toy://localhost:1",
                                .port = 1,
                                .tls_port = 2};

ServerSettings limits(Duration connect_timeout, Duration timeout) {
  ServerSettings settings;
  settings.connect_timeout = connect_timeout;
  settings.timeout = timeout;
  return settings;
}

constexpr Duration long_time = std::chrono::hours(1);

/// A server that does what the test says when it is waited for.
class ToyBroker final : public ServerBroker {
 public:
  explicit ToyBroker(Duration connect_timeout = long_time, Duration timeout = long_time)
      : ServerBroker(toy_server, limits(connect_timeout, timeout)) {}

  void begin() override { ++begun; }
  void take(std::span<const Submission> messages) override {
    for (const Submission& submission : messages) in_flight.push_back(submission.ticket);
  }
  void step(Duration wait) override {
    await({}, wait);
    waits.push_back(wait);
    for (; answers > 0; --answers) {
      deliver(in_flight.front(), Verdict::accepted);
      in_flight.pop_front();
    }
    if (comes_up && is_connecting()) come_up();
    if (!leaves.empty()) end_after_answers(Session::State::down, leaves);
    if (!breaks.empty()) fail(Session::State::down, breaks);
  }
  [[nodiscard]] bool awaits_answers() const override { return !in_flight.empty(); }
  void end(const std::string& reason) override {
    for (const Ticket ticket : in_flight) give_up(ticket, ticket < first_unsent, reason);
    in_flight.clear();
    ++ended;
  }
  [[nodiscard]] std::string endpoint() const override { return "host:1"; }

  bool comes_up = true;
  int answers = 0;
  std::string leaves, breaks;
  Ticket first_unsent = 100;
  std::deque<Ticket> in_flight;
  std::vector<Duration> waits;
  int begun = 0, ended = 0;
};

Answers poll(ToyBroker& broker, Duration timeout = Duration::zero()) {
  Answers answers;
  broker.poll(timeout, answers);
  return answers;
}

void come_up(ToyBroker& broker) {
  broker.connect();
  REQUIRE(poll(broker).session->state == Session::State::up);
}

void submit(ToyBroker& broker, std::vector<Ticket> tickets) {
  static Rows rows;
  if (rows.size() == 0) rows.add();
  std::vector<Submission> messages;
  for (const Ticket ticket : tickets) messages.push_back({ticket, &rows.message(1)});
  broker.submit(messages);
}

TEST_CASE("a broken session: answers first, what had left is in doubt, the rest unavailable") {
  ToyBroker broker;
  come_up(broker);
  submit(broker, {1, 2, 3});
  broker.answers = 1;
  broker.first_unsent = 3;
  broker.breaks = "host:1: the wire is cut";
  const Answers answers = poll(broker);
  REQUIRE(answers.deliveries.size() == 3);
  CHECK(answers.deliveries[0].verdict == Verdict::accepted);
  CHECK(answers.deliveries[1].verdict == Verdict::in_doubt);
  CHECK(answers.deliveries[1].reason == "toy: host:1: the wire is cut (sent, not answered)");
  CHECK(answers.deliveries[2].verdict == Verdict::unavailable);
  CHECK(answers.deliveries[2].reason == "toy: host:1: the wire is cut (not sent)");
  REQUIRE(answers.session);
  CHECK(answers.session->state == Session::State::down);
  CHECK(answers.session->reason == "toy: host:1: the wire is cut");
}

TEST_CASE("a session that is to end takes nothing more and waits for the answers on their way") {
  ToyBroker broker;
  come_up(broker);
  submit(broker, {1});
  broker.leaves = "host:1: about to stop";
  CHECK(!poll(broker).session);
  submit(broker, {2});
  broker.answers = 1;
  const Answers answers = poll(broker);
  REQUIRE(answers.deliveries.size() == 2);
  CHECK(answers.deliveries[0].verdict == Verdict::unavailable);
  CHECK(answers.deliveries[0].reason == "toy: host:1: about to stop (not sent)");
  CHECK(answers.deliveries[1].verdict == Verdict::accepted);
  CHECK(answers.session->reason == "toy: host:1: about to stop");
}

TEST_CASE("time limits end connecting, and a session that owes an answer, but no idle one") {
  ToyBroker slow(Duration::zero());
  slow.comes_up = false;
  slow.connect();
  CHECK(poll(slow).session->reason == "toy: host:1: no connection within 0 ms");

  ToyBroker silent(long_time, Duration::zero());
  come_up(silent);
  CHECK(!poll(silent).session);
  submit(silent, {1});
  const Answers answers = poll(silent);
  REQUIRE(answers.deliveries.size() == 1);
  CHECK(answers.deliveries[0].verdict == Verdict::in_doubt);
  CHECK(answers.session->reason == "toy: host:1: no answer within 0 ms");
}

TEST_CASE("what is submitted without a session is unavailable") {
  ToyBroker broker;
  submit(broker, {1});
  const Answers answers = poll(broker);
  REQUIRE(answers.deliveries.size() == 1);
  CHECK(answers.deliveries[0].verdict == Verdict::unavailable);
  CHECK(answers.deliveries[0].reason == "toy: not connected");
}

TEST_CASE("a new session ends the old one, whose messages get their deliveries") {
  ToyBroker broker;
  come_up(broker);
  submit(broker, {1});
  broker.connect();
  const Answers answers = poll(broker);
  CHECK(broker.ended == 1);
  CHECK(broker.begun == 2);
  REQUIRE(answers.deliveries.size() == 1);
  CHECK(answers.deliveries[0].verdict == Verdict::in_doubt);
  CHECK(answers.session->state == Session::State::up);
}

TEST_CASE("poll() sleeps until its time or wake(), with a session and without") {
  ToyBroker broker;
  broker.wake();
  (void)poll(broker, long_time);
  come_up(broker);
  broker.waits.clear();
  broker.wake();
  (void)poll(broker, long_time);
  REQUIRE(broker.waits.size() == 1);
  CHECK(broker.waits[0] > long_time / 2);
}

TEST_CASE("an adapter without its library keeps its name and settings, and says what is missing") {
  const BrokerAdapter adapter = adapter_without_library(toy_server, {}, "this build has no toys");
  CHECK(adapter.name == "toy");
  CHECK(adapter.schemes == std::vector<std::string_view>{"toy", "toys"});
  CHECK(adapter.missing == "this build has no toys");
  const auto opened = adapter.open({});
  REQUIRE(!opened);
  CHECK(opened.error().text == "toy: this build has no toys");
}

/// What comes of it once names are looked up.
Progress next_of(Addresses& addresses, const Address*& address, std::string& error) {
  for (;;) {
    const Progress progress = addresses.next(address, error);
    if (progress != Progress::waiting) return progress;
    CHECK(addresses.endpoint() == "host.invalid:1 (its name is being looked up)");
    pollfd source{addresses.descriptor(), POLLIN, 0};
    REQUIRE(::poll(&source, 1, 60'000) == 1);
  }
}

TEST_CASE("a host whose name is not known, and one that refuses, are passed over in turn") {
  const std::vector<Url::Host> hosts = {{"host.invalid", 1}, {"127.0.0.1", 1}};
  Addresses addresses(hosts, 7);
  std::string error;
  const Address* address = nullptr;
  REQUIRE(next_of(addresses, address, error) == Progress::ready);
  CHECK(address->endpoint == "127.0.0.1:1");
  CHECK(address->socket.host() == "127.0.0.1");
  CHECK(error.find("cannot be resolved") != std::string::npos);
  CHECK(addresses.next(address, error) == Progress::failed);
  addresses.begin();
  CHECK(next_of(addresses, address, error) == Progress::ready);
}

}  // namespace
}  // namespace outbox::test
