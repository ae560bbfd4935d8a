#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

#include "tests/conformance/broker_server_suite.h"
#include "tests/support/fault_proxy.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class Tls {
 public:
  Tls(const BrokerAdapter& adapter, const TlsServer& server) : adapter_(adapter), server_(server) {}

  [[nodiscard]] std::unique_ptr<Broker> open(const std::string& url, const Settings& more) const {
    Settings all = impatient();
    for (const auto* from : {&server_.settings, &more})
      for (const auto& [key, value] : *from) all.insert_or_assign(key, value);
    return open_broker(adapter_, url, all);
  }
  [[nodiscard]] std::unique_ptr<Broker> open(int port) const { return open(server_.url(port), trusting()); }
  [[nodiscard]] Session session_of(const std::string& url, const Settings& more) const {
    return Driver(*open(url, more)).connect();
  }
  [[nodiscard]] Settings trusting(const Settings& more = {}) const {
    Settings settings = {{"ca_file", server_.certificate}};
    for (const auto& [key, value] : more) settings.insert_or_assign(key, value);
    return settings;
  }
  [[nodiscard]] std::string url() const { return server_.url(server_.port); }
  [[nodiscard]] bool chooses_name() const {
    return std::ranges::any_of(adapter_.settings,
                               [](const SettingSpec& spec) { return spec.key == "server_name"; });
  }

 private:
  const BrokerAdapter& adapter_;
  const TlsServer& server_;
};

void check_trusted(const Tls& tls) {
  const auto broker = tls.open(tls.url(), tls.trusting());
  CHECK(count(Driver(*broker).publish(rows_of(2000, 300)), Verdict::accepted) == 2000);
  if (!tls.chooses_name()) return;
  const Settings named = tls.trusting({{"server_name", std::string("broker.test")}});
  CHECK(tls.session_of(tls.url(), named).state == Session::State::up);
}

void check_unknown_authority(const Tls& tls) {
  const Session session = tls.session_of(tls.url(), {});
  CHECK(session.state == Session::State::misconfigured);
  CHECK_MESSAGE(session.reason.find("certificate") != std::string::npos, session.reason);
}

void check_other_name(const Tls& tls) {
  Settings settings = tls.trusting();
  std::string url = tls.url();
  if (tls.chooses_name())
    settings.emplace("server_name", std::string("other.test"));
  else
    url.replace(url.find("127.0.0.1"), 9, "localhost");
  const Session session = tls.session_of(url, settings);
  CHECK(session.state == Session::State::misconfigured);
  CHECK(session.reason != "");
}

void check_missing_authorities(const Tls& tls) {
  const Session session = tls.session_of(tls.url(), {{"ca_file", std::string("/nonexistent/ca.pem")}});
  CHECK(session.state == Session::State::misconfigured);
  CHECK_MESSAGE(session.reason.find("ca_file /nonexistent/ca.pem") != std::string::npos, session.reason);
}

void check_own_certificate(const Tls& tls, const TlsServer& server) {
  if (server.relay_certificate.empty()) return;
  std::string url = server.relay_url.empty() ? tls.url() : server.relay_url;
  if (server.strict_url) url = server.strict_url();
  if (server.strict_url) CHECK(tls.session_of(url, tls.trusting()).state != Session::State::up);
  const auto broker =
      tls.open(url, tls.trusting({{"cert_file", server.relay_certificate}, {"key_file", server.relay_key}}));
  CHECK(count(Driver(*broker).publish(rows_of(20, 1'000'000)), Verdict::accepted) == 20);
  if (!server.received) return;
  const auto received = server.received();
  CHECK(received.size() == 20);
  for (const Received& message : received) CHECK(message.payload == std::string(1'000'000, 'x'));
}

void check_cut_in_flight(const Tls& tls, const TlsServer& server) {
  FaultProxy proxy(server.port);
  const auto broker = tls.open(proxy.port());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.swallow_answers(true);
  const Rows rows = rows_of(10, 100);
  driver.submit(rows.submissions());
  Answers none;
  broker->poll(milliseconds(200), none);
  CHECK(none.deliveries.empty());
  proxy.cut();
  CHECK(count(driver.deliveries(), Verdict::in_doubt) == 10);
  CHECK(driver.session().state == Session::State::down);
  proxy.heal();
  CHECK(count(driver.publish(rows), Verdict::accepted) == 10);
}

void check_vanished_host(const Tls& tls, const TlsServer& server) {
  FaultProxy proxy(server.port);
  const auto broker = tls.open(proxy.port());
  Driver driver(*broker);
  REQUIRE(driver.connect().state == Session::State::up);
  proxy.half_open(true);
  const Rows rows = rows_of(150, 200000);  // far more than the sockets' buffers take
  const auto start = steady_clock::now();
  driver.submit(rows.submissions());
  CHECK_MESSAGE(steady_clock::now() - start < milliseconds(1400), "submit() has waited for the wire");
  const auto deliveries = driver.deliveries();
  CHECK(deliveries.front().verdict == Verdict::in_doubt);
  CHECK(deliveries.back().verdict == Verdict::unavailable);
  CHECK(count(deliveries, Verdict::in_doubt) + count(deliveries, Verdict::unavailable) == 150);
  CHECK(driver.session().state == Session::State::down);
  proxy.heal();
  proxy.cut();
  CHECK(count(driver.publish(rows), Verdict::accepted) == 150);
}

void check_silence(const Tls& tls, const TlsServer& server) {
  FaultProxy proxy(server.port);
  proxy.half_open(true);
  const Session session = Driver(*tls.open(proxy.port())).connect();
  CHECK(session.state == Session::State::down);
  CHECK_MESSAGE(session.reason.find(server.says_of_silence) != std::string::npos, session.reason);
}

}  // namespace

void broker_tls_suite(const BrokerAdapter& adapter, const TlsServer& server) {
  const Tls tls(adapter, server);
  SUBCASE("messages go to a server whose certificate is trusted") {
    check_trusted(tls);
  }
  SUBCASE("a certificate of an unknown authority is refused") {
    check_unknown_authority(tls);
  }
  SUBCASE("a certificate for another name is refused") {
    check_other_name(tls);
  }
  SUBCASE("a file of authorities that is not there is named") {
    check_missing_authorities(tls);
  }
  SUBCASE("a port without TLS is down") {
    if (server.plain_port > 0)
      CHECK(tls.session_of(server.url(server.plain_port), tls.trusting()).state == Session::State::down);
  }
  SUBCASE("the relay shows a certificate of its own, and large messages arrive whole") {
    check_own_certificate(tls, server);
  }
  SUBCASE("messages in flight when the wire is cut are in doubt") {
    if (server.takes_proxy) check_cut_in_flight(tls, server);
  }
  SUBCASE("a host that vanishes blocks nobody, and what was in flight is in doubt") {
    if (server.takes_proxy) check_vanished_host(tls, server);
  }
  SUBCASE("a server that takes the connection and says nothing is down after connect_timeout") {
    if (server.takes_proxy) check_silence(tls, server);
  }
}

}  // namespace outbox::test
