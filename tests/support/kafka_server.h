// A private Apache Kafka, one node (KRaft): temporary directory, free loopback ports, stopped with the
// object. Owned by the test's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/support/kafka_admin.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

struct KafkaOptions {
  bool has_users =
      false;  ///< logins and rights: without a login one may do all, user "outboxd" what is granted
  bool has_tls = false;
  std::vector<std::string> settings = {};  ///< more of server.properties
};

class KafkaServer {
 public:
  /// Starts and waits until it answers; topics are not created by themselves. Throws with its log when it
  /// does not start. The jars are those of scripts/kafka.
  explicit KafkaServer(KafkaOptions options = {});

  /// Without TLS and login.
  [[nodiscard]] int port() const { return port_; }
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

  /// kill -9, and waits for the end.
  void kill();
  /// On the same ports, with what it had stored.
  void start();
  /// Sends SIGSTOP and SIGCONT: connections stay open, nothing is answered.
  void freeze();
  void thaw();

 private:
  void format();
  [[nodiscard]] std::string properties() const;
  [[nodiscard]] std::vector<std::string> java(const std::string& program) const;

  KafkaOptions options_;
  TempDir directory_;
  std::string jars_;
  std::optional<Certificate> certificate_;
  int port_, proxied_port_, proxy_port_, login_port_, tls_port_, controller_port_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<KafkaAdmin> admin_;
};

}  // namespace outbox::test
