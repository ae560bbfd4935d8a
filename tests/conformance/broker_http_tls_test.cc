// https://, HTTP/2 and signatures: only a receiver with the right certificate is spoken to, many requests
// share one connection, and receivers can tell who sent them.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "tests/conformance/http_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/process.h"

namespace outbox::test {
namespace {

using std::chrono::milliseconds;

std::string url_of(int port, const std::string& scheme = "https") {
  return scheme + "://127.0.0.1:" + std::to_string(port) + "/hook";
}

TEST_CASE("https:") {
  const Certificate certificate;
  WebhookServer secure({.certificate = certificate.file, .key = certificate.key});
  WebhookServer strict(
      {.certificate = certificate.file, .key = certificate.key, .client_authority = certificate.file});
  WebhookServer plain;
  broker_tls_suite(http_adapter(), {.url = [](int port) { return url_of(port); },
                                    .port = secure.port(),
                                    .plain_port = plain.port(),
                                    .certificate = certificate.file,
                                    .takes_proxy = false,  // below, with HTTP/2
                                    .relay_certificate = certificate.file,
                                    .relay_key = certificate.key,
                                    .strict_url = [&] { return url_of(strict.port()); }});
}

TEST_CASE("https: a file that is not there is named") {
  const Certificate certificate;
  WebhookServer secure({.certificate = certificate.file, .key = certificate.key});
  const auto broker = open_broker(http_adapter(), url_of(secure.port()),
                                  {{"ca_file", certificate.file},
                                   {"cert_file", certificate.file},
                                   {"key_file", std::string("/nonexistent/key.pem")}});
  const Session session = Driver(*broker).connect();
  CHECK(session.state == Session::State::misconfigured);
  CHECK_MESSAGE(session.reason.find("key_file /nonexistent/key.pem") != std::string::npos, session.reason);
}

TEST_CASE("https: server_name is the name that the request is sent to") {
  const Certificate certificate;
  WebhookServer secure({.certificate = certificate.file, .key = certificate.key});
  const auto broker =
      open_broker(http_adapter(), url_of(secure.port()),
                  {{"ca_file", certificate.file}, {"server_name", std::string("broker.test")}});
  CHECK(count(Driver(*broker).publish(rows_of(1)), Verdict::accepted) == 1);
  CHECK(secure.requests().at(0).header("host") == "broker.test:" + std::to_string(secure.port()));
}

/// A receiver behind nghttpx, which speaks HTTP/2.
class Http2Receiver {
 public:
  [[nodiscard]] Settings settings(const Settings& more = {}) const {
    Settings all = {{"ca_file", certificate.file}};
    for (const auto& [key, value] : more) all.insert_or_assign(key, value);
    return all;
  }

  Certificate certificate;
  WebhookServer server;
  Http2Proxy front{server.port(), certificate.file, certificate.key};
  FaultProxy wire{front.port()};
};

TEST_CASE("http/2: many requests share one connection, and arrive as with HTTP/1.1") {
  Http2Receiver receiver;
  receiver.server.answers({{.delay = milliseconds(5)}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.wire.port()), receiver.settings());
  Rows rows;
  for (int i = 0; i < 300; ++i)
    rows.add({.key = "größe " + std::to_string(i), .headers = {{"tenant", "acme"}, {"empty", ""}}});
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 300);
  CHECK(receiver.wire.accepted() == 1);
  const auto requests = receiver.server.requests();
  REQUIRE(requests.size() == 300);
  int parallel_max = 0;
  for (const WebhookRequest& request : requests) parallel_max = std::max(parallel_max, request.parallel);
  CHECK(parallel_max > 1);
  CHECK(parallel_max <= 32);
  std::set<std::string> keys;
  for (const WebhookRequest& request : requests) {
    const Received received = received_of(request, "/hook/");
    keys.insert(received.attributes.at("partitionkey"));
    CHECK(received.payload == R"({"order":42})");
    CHECK(received.content_type == "application/json");
    // nghttpx writes names with capitals to a server of HTTP/1.1; they mean the same.
    CHECK(received.headers.at("Tenant") == "acme");
    CHECK(received.headers.at("Empty") == "");
  }
  CHECK(keys.size() == 300);
  CHECK(keys.contains("größe 7"));
}

TEST_CASE("http/2: http_version = \"1.1\" keeps it off") {
  Http2Receiver receiver;
  receiver.server.answers({{.delay = milliseconds(5)}});
  const auto broker = open_broker(http_adapter(), url_of(receiver.wire.port()),
                                  receiver.settings({{"http_version", std::string("1.1")}}));
  CHECK(count(Driver(*broker).publish(rows_of(100)), Verdict::accepted) == 100);
  CHECK(receiver.wire.accepted() > 1);
}

TEST_CASE("http/2: a wire that is cut or goes silent leaves what was sent in doubt") {
  Http2Receiver receiver;
  receiver.server.answers({{.delay = milliseconds(200)}});
  Settings settings = receiver.settings(impatient());
  const auto broker = open_broker(http_adapter(), url_of(receiver.wire.port()), settings);
  Driver driver(*broker);
  for (const bool is_cut : {true, false}) {
    REQUIRE(driver.connect().state == Session::State::up);
    const Rows rows = rows_of(100);
    receiver.wire.half_open(true);
    driver.submit(rows.submissions());
    if (is_cut) {
      receiver.wire.refuse(true);
      receiver.wire.cut();
    }
    const auto deliveries = driver.deliveries();
    CHECK(count(deliveries, Verdict::in_doubt) == 32);
    CHECK(count(deliveries, Verdict::unavailable) == 68);
    CHECK(driver.session().state == Session::State::down);
    receiver.wire.refuse(false);
    receiver.wire.heal();
    receiver.wire.cut();
  }
  CHECK(count(driver.publish(rows_of(10)), Verdict::accepted) == 10);
}

/// The signature as Python's standard library makes it.
std::string signature_of(const std::string& secret, const WebhookRequest& request) {
  const std::string program =
      "import base64, hashlib, hmac, sys\n"
      "key = base64.b64decode(sys.argv[1].removeprefix('whsec_'))\n"
      "text = (sys.argv[2] + '.' + sys.argv[3] + '.').encode() + sys.stdin.buffer.read()\n"
      "print('v1,' + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode(), end='')\n";
  ProcessOptions options;
  options.input = request.body;
  return run({"python3", "-c", program, secret, request.header("webhook-id"),
              request.header("webhook-timestamp")},
             std::move(options))
      .output;
}

TEST_CASE("http: messages are signed as Standard Webhooks has it, during a rotation with both secrets") {
  WebhookServer server;
  const std::string first = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const std::string second = "c2Vjb25kLXNlY3JldC1vZi0zMi1ieXRlcy1vci1zby4=";
  const auto request_with = [&](const Settings& settings) {
    server.forget();
    const auto broker = open_broker(http_adapter(), url_of(server.port(), "http"), settings);
    Rows rows;
    rows.add({.payload = "größe\r\n\x01"});
    rows.add({.payload = "another"});
    CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 2);
    const auto requests = server.requests();
    const auto is_first = [](const auto& request) { return request.header("ce-id") == uuid_of(1); };
    return *std::ranges::find_if(requests, is_first);
  };
  const WebhookRequest once = request_with({{"signing_secret", first}});
  CHECK(once.header("webhook-id") == uuid_of(1));
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  CHECK(std::abs(std::stoll(once.header("webhook-timestamp")) - now.count()) <= patience.count());
  CHECK(once.header("webhook-signature") == signature_of(first, once));

  const WebhookRequest twice = request_with({{"signing_secret", second}, {"signing_secret_previous", first}});
  CHECK(twice.header("webhook-signature") == signature_of(second, twice) + " " + signature_of(first, twice));
  CHECK(request_with({}).header("webhook-signature").empty());
}

}  // namespace
}  // namespace outbox::test
