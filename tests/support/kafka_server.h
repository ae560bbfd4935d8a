// A private Apache Kafka, one node (KRaft).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/support/kafka_admin.h"
#include "tests/support/server.h"

namespace outbox::test {

struct KafkaOptions {
  bool has_users =
      false;  ///< logins and rights: without a login one may do all, user "outboxd" what is granted
  bool has_tls = false;
  std::vector<std::string> settings = {};  ///< more of server.properties
};

/// Topics are not created by themselves. Its port() is without TLS and login.
class KafkaServer : public Server {
 public:
  explicit KafkaServer(const KafkaOptions& options = {});

  /// The same for clients that reach it through a proxy, which must listen on proxy_port() and forward to
  /// proxied_port(): the server sends its clients to where it says it is. With has_users it asks for a login.
  [[nodiscard]] int proxied_port() const { return proxied_port_; }
  [[nodiscard]] int proxy_port() const { return proxy_port_; }
  /// With has_users: asks for a login, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512: user "outboxd", password
  /// "right-secret".
  [[nodiscard]] int login_port() const { return login_port_; }
  /// With has_tls.
  [[nodiscard]] int tls_port() const { return tls_port_; }
  [[nodiscard]] const Certificate& certificate() const { return *certificate_; }

  KafkaAdmin& admin() { return *admin_; }

  void kill();
  void start();

 private:
  void set_listeners(const KafkaOptions& options);
  void set_logins();

  std::optional<Certificate> certificate_;
  const int proxied_port_, proxy_port_, login_port_, tls_port_;
  std::unique_ptr<KafkaAdmin> admin_;
};

}  // namespace outbox::test
