#include "tests/conformance/broker_server_suite.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "tests/support/fault_proxy.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

std::set<std::string> ids_at(BrokerFixture& fixture) {
  std::set<std::string> ids;
  for (const Received& received : fixture.received()) ids.insert(received.id());
  return ids;
}

std::size_t missing_though_accepted(const std::vector<Delivery>& deliveries,
                                    const std::set<std::string>& ids) {
  std::size_t missing = 0;
  for (const Delivery& delivery : deliveries)
    if (delivery.verdict == Verdict::accepted &&
        !ids.contains(uuid_of(static_cast<std::int64_t>(delivery.ticket))))
      ++missing;
  return missing;
}

/// As the relay does after an outage: tries for a session until there is one and the message is taken.
bool recovers(Driver& driver, seconds limit, std::int64_t number = 1) {
  Rows rows;
  for (std::int64_t i = 0; i < number; ++i) rows.add();
  const auto end = steady_clock::now() + limit;
  while (steady_clock::now() < end) {
    if (driver.connect().state != Session::State::up) continue;
    driver.submit(rows.submissions(number));
    if (count(driver.deliveries(), Verdict::accepted) == 1) return true;
  }
  return false;
}

void check_no_server(ServerFixture& fixture) {
  const int port = free_port();
  const auto broker = fixture.open_at(port, impatient());
  Driver driver(*broker);
  for (int i = 0; i < 2; ++i) {
    const Session session = driver.connect();
    CHECK(session.state == Session::State::down);
    CHECK_MESSAGE(session.reason.find(std::to_string(port)) != std::string::npos, session.reason);
  }
}

void check_unknown_host(ServerFixture& fixture) {
  std::string url = fixture.url(fixture.port());
  url.replace(url.find("127.0.0.1"), 9, "no-such-host.invalid");
  const Session session = Driver(*open_broker(fixture.adapter(), url, fixture.settings())).connect();
  CHECK(session.state == Session::State::down);
  CHECK_MESSAGE(session.reason.find("no-such-host.invalid") != std::string::npos, session.reason);
}

void check_several_hosts(ServerFixture& fixture) {
  std::string url = fixture.url(fixture.port());
  url.insert(url.find("127.0.0.1"), "127.0.0.1:" + std::to_string(free_port()) + ",");
  const auto broker = open_broker(fixture.adapter(), url, fixture.settings());
  CHECK(count(Driver(*broker).publish(rows_of(1)), Verdict::accepted) == 1);
}

void check_what_was_sent(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port(), impatient());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.half_open(true);
  const Rows rows = rows_of(300, 200000);  // far more than the sockets' buffers take
  driver.submit(rows.submissions());
  const auto deliveries = driver.deliveries();
  REQUIRE(count(deliveries, Verdict::in_doubt) + count(deliveries, Verdict::unavailable) == 300);
  CHECK(deliveries.front().verdict == Verdict::in_doubt);
  CHECK(deliveries.back().verdict == Verdict::unavailable);
}

void check_killed_in_flight(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port(), impatient());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  const Rows rows = rows_of(4000);
  proxy.delay(milliseconds(20));
  driver.submit(rows.submissions());
  fixture.kill();
  const auto deliveries = driver.deliveries();
  CHECK(deliveries.size() == rows.size());
  CHECK(count(deliveries, Verdict::accepted) + count(deliveries, Verdict::in_doubt) +
            count(deliveries, Verdict::unavailable) ==
        rows.size());
  CHECK(driver.session().state == Session::State::down);
  proxy.heal();
  fixture.start();
  CHECK(recovers(driver, fixture.restart_time(), 5000));
  if (fixture.survives_kill()) CHECK(missing_though_accepted(deliveries, ids_at(fixture)) == 0);
}

void check_swallowed_answers(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port(), impatient());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
  proxy.swallow_answers(true);
  const auto start = steady_clock::now();
  const Rows rows = rows_of(51);
  driver.submit(rows.submissions(2));
  const auto deliveries = driver.deliveries();
  CHECK(count(deliveries, Verdict::in_doubt) > 0);
  CHECK(count(deliveries, Verdict::accepted) == 0);
  CHECK(count(deliveries, Verdict::in_doubt) + count(deliveries, Verdict::unavailable) == 50);
  CHECK(deliveries[0].reason != "");
  CHECK(steady_clock::now() - start >= milliseconds(1400));
  CHECK(steady_clock::now() - start < patience);
  CHECK(driver.session().state == Session::State::down);
  // They had arrived: why "no answer" must not mean "not there".
  CHECK(ids_at(fixture).contains(uuid_of(2)));
  proxy.heal();
  CHECK(recovers(driver, fixture.restart_time(), 52));
  // Nor does the library send them again in the new session.
  std::map<std::string, int> times;
  for (const Received& received : fixture.received()) ++times[received.id()];
  for (std::int64_t number = 2; number <= 51; ++number) CHECK(times[uuid_of(number)] <= 1);
}

void check_exactly_the_answered(const std::vector<Delivery>& deliveries, std::size_t bytes,
                                const AnswerBytes& answer, std::int64_t first) {
  const std::size_t accepted = count(deliveries, Verdict::accepted);
  CHECK(accepted <= bytes / answer.min);
  CHECK(accepted + (answer.min == answer.max ? 0 : 1) >= bytes / answer.max);
  for (std::size_t i = 0; i < accepted; ++i) CHECK(deliveries[i].ticket == static_cast<Ticket>(first) + i);
  if (answer.all_leave) CHECK(count(deliveries, Verdict::unavailable) == 0);
}

void check_cut_in_answers(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port(), impatient());
  Driver driver(*broker);
  std::int64_t first = 1;
  for (std::size_t bytes : {0, 1, 4, 5, 21, 500, 700}) {  // the shortest answers there are have four bytes
    REQUIRE(recovers(driver, fixture.restart_time(), first++));
    proxy.cut_after_answers(bytes);
    // One answer may speak for many messages: more of them are sent until the answers are enough.
    const std::int64_t begin = first;
    std::vector<Delivery> deliveries;
    do {
      const Rows rows = rows_of(static_cast<int>(first) + 199);
      driver.submit(rows.submissions(first));
      first += 200;
      const auto round = driver.deliveries();
      CHECK(round.size() == 200);
      deliveries.insert(deliveries.end(), round.begin(), round.end());
    } while (count(deliveries, Verdict::accepted) == deliveries.size());
    CHECK(count(deliveries, Verdict::accepted) + count(deliveries, Verdict::in_doubt) +
              count(deliveries, Verdict::unavailable) ==
          deliveries.size());
    if (fixture.answer_bytes()) check_exactly_the_answered(deliveries, bytes, *fixture.answer_bytes(), begin);
    CHECK(missing_though_accepted(deliveries, ids_at(fixture)) == 0);
    CHECK(driver.session().state == Session::State::down);
  }
}

void check_slow_wire(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 7, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port());
  Driver driver(*broker);
  proxy.delay(milliseconds(5), milliseconds(10));
  proxy.drip(700);
  CHECK(count(driver.publish(rows_of(100)), Verdict::accepted) == 100);
  CHECK(ids_at(fixture).size() == 100);
}

void check_cut_while_idle(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
  proxy.cut();
  if (fixture.notices_idle_cut()) {
    CHECK(driver.session().state == Session::State::down);
    const auto connections = proxy.accepted();
    const Rows rows = rows_of(12);
    driver.submit(rows.submissions(10));
    CHECK(count(driver.deliveries(), Verdict::unavailable) == 3);
    CHECK_MESSAGE(proxy.accepted() == connections, "the library connects by itself");
  } else {
    const Rows rows = rows_of(2);
    const Delivery delivery = driver.publish(rows, 2).at(0);
    CHECK_MESSAGE((delivery.verdict == Verdict::accepted || delivery.verdict == Verdict::in_doubt),
                  delivery.reason);
  }
  CHECK(recovers(driver, fixture.restart_time(), 3));
}

void check_silent_server(ServerFixture& fixture) {
  const auto broker = fixture.open_at(fixture.port(), impatient());
  Driver driver(*broker);
  fixture.freeze();
  const auto start = steady_clock::now();
  const Session session = driver.connect();
  CHECK(session.state == Session::State::down);
  CHECK(session.reason != "");
  CHECK(steady_clock::now() - start < patience);
  fixture.thaw();
  CHECK(recovers(driver, fixture.restart_time()));
}

void check_vanished_host(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port(), impatient());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
  proxy.half_open(true);
  const Rows rows = rows_of(151, 200000);  // far more than the sockets' buffers take
  const auto start = steady_clock::now();
  driver.submit(rows.submissions(2));
  CHECK_MESSAGE(steady_clock::now() - start < milliseconds(1400), "submit() has waited for the wire");
  const auto deliveries = driver.deliveries();
  CHECK(count(deliveries, Verdict::in_doubt) + count(deliveries, Verdict::unavailable) == 150);
  CHECK(driver.session().state == Session::State::down);
  proxy.heal();
  proxy.cut();
  CHECK(recovers(driver, fixture.restart_time(), 152));
}

void check_new_session_in_flight(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
  proxy.swallow_answers(true);
  const Rows rows = rows_of(6);
  driver.submit(rows.submissions(2));
  proxy.heal();
  CHECK(driver.connect().state == Session::State::up);
  CHECK(driver.deliveries().size() == 5);
}

void check_end_in_flight(ServerFixture& fixture) {
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  auto broker = fixture.open_at(proxy.port());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
  proxy.swallow_answers(true);
  const Rows rows = rows_of(6);
  driver.submit(rows.submissions(2));
  const auto start = steady_clock::now();
  broker.reset();
  CHECK_MESSAGE(steady_clock::now() - start < seconds(2), "the end waits for answers");
}

/// The relay's own way of finding the guilty one: what is in doubt goes again, one at a time.
void check_turned_away(ServerFixture& fixture, const TurnedAway& turned_away) {
  const auto broker = fixture.open_at(fixture.port(), impatient());
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
  Rows rows = rows_of(10);
  const std::int64_t bad = rows.add(turned_away.row);
  for (int i = 0; i < 10; ++i) rows.add();
  driver.submit(rows.submissions(2));
  auto verdicts = driver.deliveries();
  CHECK(verdicts.size() == rows.size() - 1);
  for (Delivery& delivery : verdicts) {
    const auto number = static_cast<std::int64_t>(delivery.ticket);
    if (number != bad) {
      CHECK_MESSAGE((delivery.verdict == Verdict::accepted || delivery.verdict == Verdict::in_doubt ||
                     delivery.verdict == Verdict::unavailable),
                    "an innocent message is blamed: ", delivery.reason);
    } else if (delivery.verdict == Verdict::in_doubt) {  // it was in bad company: once more, alone
      (void)recovers(driver, fixture.restart_time(), 1000);
      const Submission alone{static_cast<Ticket>(bad), &rows.message(bad)};
      driver.submit({&alone, 1});
      delivery = delivery_of(driver.deliveries(), bad);
    }
  }
  const Delivery delivery = delivery_of(verdicts, bad);
  CHECK_MESSAGE(delivery.verdict == turned_away.verdict, name_of(delivery.verdict), ": ", delivery.reason);
  CHECK_MESSAGE(delivery.reason.find(turned_away.says) != std::string::npos, delivery.reason);
  if (delivery.verdict == Verdict::misconfigured) CHECK(delivery.scope == Scope::topic);
  CHECK(recovers(driver, fixture.restart_time(), 1001));
  CHECK(missing_though_accepted(verdicts, ids_at(fixture)) == 0);
  CHECK(!ids_at(fixture).contains(uuid_of(bad)));
}

void check_topic_made_later(ServerFixture& fixture) {
  const auto topic = fixture.unknown_topic();
  if (!topic) return;
  const auto broker = fixture.open_at(fixture.port());
  Driver driver(*broker);
  const Rows rows = rows_to({topic->row.topic});
  CHECK(driver.publish(rows).at(0).verdict == Verdict::misconfigured);
  if (!fixture.create_topic(topic->row.topic)) return;
  CHECK(eventually([&] { return driver.publish(rows).at(0).verdict == Verdict::accepted; }));
}

void check_refused_logins(ServerFixture& fixture) {
  for (const RefusedLogin& login : fixture.refused_logins()) {
    Settings settings = fixture.settings();
    settings.merge(impatient());
    for (const auto& [key, value] : login.settings) settings.insert_or_assign(key, value);
    const Session session = Driver(*open_broker(fixture.adapter(), login.url, settings)).connect();
    CHECK_MESSAGE(session.state == Session::State::misconfigured, login.url, ": ", session.reason);
    CHECK(session.reason != "");
    CHECK_MESSAGE(session.reason.find(login.says) != std::string::npos, session.reason);
    CHECK_MESSAGE(session.reason.find("secret") == std::string::npos, session.reason);
  }
}

void check_vanished_while_idle(ServerFixture& fixture) {
  const auto watch = fixture.idle_watch();
  if (!watch) return;
  FaultProxy proxy(fixture.proxied_port(), 1, fixture.proxy_port());
  const auto broker = fixture.open_at(proxy.port(), watch->settings);
  Driver driver(*broker);
  CHECK(count(driver.publish(rows_of(1)), Verdict::accepted) == 1);
  proxy.half_open(true);
  const Session session = driver.session();
  CHECK(session.state == Session::State::down);
  CHECK_MESSAGE(session.reason.find(watch->says) != std::string::npos, session.reason);
}

void check_refused_urls(ServerFixture& fixture) {
  if (fixture.example_url().empty()) return;
  const BrokerAdapter adapter = fixture.adapter();
  const std::string scheme(adapter.schemes.front()), secure(adapter.schemes.back());
  const std::string no_host = scheme + ": the URL names no host; write " + fixture.example_url();
  CHECK(refusal(adapter, scheme + ":") == no_host);
  CHECK(refusal(adapter, scheme + "://") == no_host);
  refusal(adapter, scheme + "://localhost:port");
  refusal(adapter, scheme + "://localhost?password=hidden");
  refusal(adapter, secure + "://localhost", {{"cert_file", std::string("cert.pem")}});
}

}  // namespace

Settings impatient() {
  return {{"timeout", Duration(milliseconds(1500))}, {"connect_timeout", Duration(milliseconds(1500))}};
}

void broker_server_suite(ServerFixture& fixture) {
  SUBCASE("without a server the session is down and says where it looked") {
    check_no_server(fixture);
  }
  SUBCASE("a host whose name nobody knows is down") {
    check_unknown_host(fixture);
  }
  SUBCASE("of several hosts the first that answers is taken") {
    if (fixture.takes_several_hosts()) check_several_hosts(fixture);
  }
  SUBCASE("what never left the process is unavailable, what did is in doubt") {
    if (fixture.knows_what_was_sent()) check_what_was_sent(fixture);
  }
  SUBCASE("a server killed in flight leaves one delivery per message and loses none that it accepted") {
    check_killed_in_flight(fixture);
  }
  SUBCASE("answers that never arrive leave the messages in doubt within the time limit") {
    check_swallowed_answers(fixture);
  }
  SUBCASE("a connection cut among the answers accepts only what the server has") {
    check_cut_in_answers(fixture);
  }
  SUBCASE("a slow and jittery wire only takes time") {
    check_slow_wire(fixture);
  }
  SUBCASE("a connection reset while idle ends the session or is replaced, and messages go on") {
    check_cut_while_idle(fixture);
  }
  SUBCASE("a server that is there and says nothing is down after connect_timeout") {
    check_silent_server(fixture);
  }
  SUBCASE("a host that vanishes blocks nobody: what was submitted comes back within the time limit") {
    check_vanished_host(fixture);
  }
  SUBCASE("a new session asked for in flight settles the old one's messages first") {
    check_new_session_in_flight(fixture);
  }
  SUBCASE("the end does not wait for what is in flight") {
    check_end_in_flight(fixture);
  }
  SUBCASE("a topic that is not there costs its neighbours nothing") {
    if (const auto topic = fixture.unknown_topic()) check_turned_away(fixture, *topic);
  }
  SUBCASE("a topic without the right to it costs its neighbours nothing") {
    if (const auto topic = fixture.forbidden_topic()) check_turned_away(fixture, *topic);
  }
  SUBCASE("a message that is too large costs its neighbours nothing") {
    if (const auto message = fixture.too_large()) check_turned_away(fixture, *message);
  }
  SUBCASE("a topic that is made later is found by the same session") {
    check_topic_made_later(fixture);
  }
  SUBCASE("a login that is refused is misconfigured, and no reason shows its password") {
    check_refused_logins(fixture);
  }
  SUBCASE("a host that vanishes while nothing is sent is noticed") {
    check_vanished_while_idle(fixture);
  }
  SUBCASE("a URL or settings that can never work are refused with the fix") {
    check_refused_urls(fixture);
  }
}

}  // namespace outbox::test
