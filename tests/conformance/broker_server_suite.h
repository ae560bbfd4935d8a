// What every adapter that speaks to a server must do when that server, its answers or the wire between fail:
// one suite, beside broker_suite.h. A fault found with one broker becomes a claim here for all.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

/// A message that the server turns away whenever it comes alone.
struct TurnedAway {
  Row row;
  Verdict verdict = Verdict::misconfigured;
  std::string says = {};  ///< part of the reason
};

/// A URL whose login the server refuses, with the password "wrong-secret" where there is one.
struct RefusedLogin {
  std::string url;
  std::string says = {};  ///< part of the reason
  Settings settings = {};
};

/// Of an acknowledgement, where each has a size that is known.
struct AnswerBytes {
  std::size_t min, max;
  bool all_leave;  ///< 200 small messages leave the process at once
};

/// What notices that an idle session leads to nobody, and says so.
struct IdleWatch {
  Settings settings;
  std::string says;
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
  /// Makes the topic that unknown_topic() names; false: it cannot.
  virtual bool create_topic(const std::string&) { return false; }
  [[nodiscard]] virtual std::vector<RefusedLogin> refused_logins() { return {}; }
  [[nodiscard]] virtual std::optional<AnswerBytes> answer_bytes() const { return std::nullopt; }
  [[nodiscard]] virtual std::optional<IdleWatch> idle_watch() const { return std::nullopt; }
  /// The URL that is recommended to whoever names no host; empty: other rules.
  [[nodiscard]] virtual std::string example_url() const { return ""; }

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

/// TLS, for adapters with the settings `ca_file` and `server_name`. An adapter without `server_name` is tried
/// with localhost, which the certificate does not name.
struct TlsServer {
  std::function<std::string(int port)> url;  ///< with 127.0.0.1, and the scheme for TLS
  int port = 0;
  int plain_port = 0;       ///< of a server without TLS; 0: there is none
  std::string certificate;  ///< the file of the Certificate that the server shows
  Settings settings = {};   ///< for every session
  bool takes_proxy =
      true;  ///< false: no proxy can stand before it, or what is in flight then is another matter
  std::string says_of_silence = {};  ///< part of the reason when it takes a connection and says nothing

  /// Files of a certificate that the server takes for the relay's.
  std::string relay_certificate = {}, relay_key = {};
  std::string relay_url = {};  ///< where it is shown, without another login; empty: at port
  /// Where it is asked for: no session begins there without it.
  std::function<std::string()> strict_url = {};
  /// What has arrived, where that is to be looked at.
  std::function<std::vector<Received>()> received = {};
};

/// Messages go to a server whose certificate is trusted and has the right name, and to no other.
void broker_tls_suite(const BrokerAdapter& adapter, const TlsServer& server);

/// A short time, as short as a server that is there and busy can be trusted to keep.
Settings impatient();

}  // namespace outbox::test
