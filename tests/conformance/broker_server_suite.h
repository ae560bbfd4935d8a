// What every adapter that speaks to a server must do when that server, its answers or the wire between fail:
// one suite, beside broker_suite.h. A fault found with one broker becomes a claim here for all.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

/// A message that the server turns away whenever it comes alone.
struct TurnedAway {
  Row row;
  Verdict verdict = Verdict::misconfigured;
  std::string says = {};  ///< part of the reason
};

/// Its settings know `timeout` and `connect_timeout`; its server listens on one port of 127.0.0.1.
class ServerFixture : public BrokerFixture {
 public:
  [[nodiscard]] virtual BrokerAdapter adapter() const = 0;
  [[nodiscard]] virtual int port() const = 0;
  /// The route's `to`, if the server is reached through `port`.
  [[nodiscard]] virtual std::string url(int port) const = 0;
  /// For a server that sends its clients to an address of its choice: the port that it listens on for clients
  /// which come through a proxy, and the port where that proxy must be; 0: anywhere.
  [[nodiscard]] virtual int proxied_port() const { return port(); }
  [[nodiscard]] virtual int proxy_port() const { return 0; }
  /// Beside the defaults, for every session.
  [[nodiscard]] virtual Settings settings() const { return {}; }

  /// kill -9, and start again with what it had stored.
  virtual void kill() = 0;
  virtual void start() = 0;
  /// It stays connected and answers nothing, until thaw().
  virtual void freeze() = 0;
  virtual void thaw() = 0;
  /// False: what it has acknowledged is gone after kill(), and that is known and written in the README.
  [[nodiscard]] virtual bool survives_kill() const { return true; }
  /// False: nothing is noticed before the next message, which may find another connection or be in doubt.
  [[nodiscard]] virtual bool notices_idle_cut() const { return true; }
  /// False: the URL names one host.
  [[nodiscard]] virtual bool takes_several_hosts() const { return true; }
  /// False: the library alone knows what has left the process.
  [[nodiscard]] virtual bool knows_what_was_sent() const { return true; }
  /// How long a killed server may need until it takes messages again.
  [[nodiscard]] virtual std::chrono::seconds restart_time() const { return std::chrono::seconds(10); }

  /// A topic that is not there, one without the right to it, a payload that is too large; nullopt: the server
  /// knows no such thing.
  [[nodiscard]] virtual std::optional<TurnedAway> unknown_topic() { return std::nullopt; }
  [[nodiscard]] virtual std::optional<TurnedAway> forbidden_topic() { return std::nullopt; }
  [[nodiscard]] virtual std::optional<TurnedAway> too_large() { return std::nullopt; }
  /// With the password "wrong-secret"; empty: the server asks for none.
  [[nodiscard]] virtual std::string url_with_wrong_password() { return ""; }

  std::unique_ptr<Broker> open(Attributes attributes = Attributes::full) override {
    return open_broker(adapter(), url(port()), settings(), attributes);
  }
  /// Through another port, with `more` beside settings().
  std::unique_ptr<Broker> open_at(int other_port, const Settings& more = {}) {
    Settings all = settings();
    for (const auto& [key, value] : more) all.insert_or_assign(key, value);
    return open_broker(adapter(), url(other_port), all);
  }
};

/// Runs every claim as a SUBCASE; call it from a TEST_CASE with a fresh fixture.
void broker_server_suite(ServerFixture& fixture);

/// TLS, for adapters with the settings `ca_file` and `server_name`.
struct TlsServer {
  std::string url;  ///< with 127.0.0.1; an adapter without `server_name` is tried with localhost, which
                    ///< the certificate does not name
  std::string certificate;  ///< the file of the Certificate that the server shows
  std::string plain_url;    ///< the same scheme, at the port of a server without TLS
};

/// Messages go to a server whose certificate is trusted and has the right name, and to no other.
void broker_tls_suite(const BrokerAdapter& adapter, const TlsServer& server, const Settings& settings = {});

/// A short time, as short as a server that is there and busy can be trusted to keep.
Settings impatient();

}  // namespace outbox::test
