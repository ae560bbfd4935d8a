#include "tests/support/kafka_server.h"

#include <fstream>
#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

std::string address(int port) {
  return "127.0.0.1:" + std::to_string(port);
}

}  // namespace

KafkaServer::KafkaServer(const KafkaOptions& options)
    : Server("kafka"),
      proxied_port_(free_port()),
      proxy_port_(free_port()),
      login_port_(free_port()),
      tls_port_(free_port()) {
  // A small heap and no optimising compiler: it starts in half the time.
  environment_ = {{"KAFKA_JAVA", "-Xmx256m -XX:TieredStopAtLevel=1"}};
  if (options.has_tls) certificate_.emplace();
  set_listeners(options);
  if (options.has_users) set_logins();
  more_.insert(more_.end(), options.settings.begin(), options.settings.end());
  start();
}

void KafkaServer::set_listeners(const KafkaOptions& options) {
  std::string listeners = "listeners=CONTROLLER://" + address(port(1)), advertised = "advertised.listeners=";
  const auto add = [&](const std::string& name, int listening, int told) {
    listeners += "," + name + "://" + address(listening);
    advertised += (advertised.back() == '=' ? "" : ",") + name + "://" + address(told);
  };
  add("PLAIN", port(), port());
  add("FAULTS", proxied_port_, proxy_port_);
  if (options.has_users) add("LOGIN", login_port_, login_port_);
  if (options.has_tls) add("TLS", tls_port_, tls_port_);
  more_ = {listeners, advertised,
           std::string("listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,"
                       "LOGIN:SASL_PLAINTEXT,FAULTS:") +
               (options.has_users ? "SASL_PLAINTEXT" : "PLAINTEXT")};
  if (!options.has_tls) return;
  std::ofstream(directory_ / "keystore.pem")
      << std::ifstream(certificate_->key).rdbuf() << std::ifstream(certificate_->file).rdbuf();
  const std::string tls = "listener.name.tls.ssl.";
  more_.insert(more_.end(),
               {tls + "keystore.type=PEM", tls + "keystore.location=" + directory_ / "keystore.pem",
                tls + "truststore.type=PEM", tls + "truststore.location=" + certificate_->file,
                tls + "client.auth=requested"});
}

void KafkaServer::set_logins() {
  more_.insert(more_.end(),
               {"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users=User:ANONYMOUS", "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
                "--add-scram=SCRAM-SHA-256=[name=outboxd,password=right-secret]",
                "--add-scram=SCRAM-SHA-512=[name=outboxd,password=right-secret]"});
  const std::string modules = ".sasl.jaas.config=org.apache.kafka.common.security.";
  for (const std::string listener : {"login", "faults"}) {  // each needs these of its own
    const std::string of = "listener.name." + listener + ".";
    more_.push_back(of + "plain" + modules +
                    "plain.PlainLoginModule required user_outboxd=\"right-secret\";");
    for (const char* mechanism : {"scram-sha-256", "scram-sha-512"})
      more_.push_back(of + mechanism + modules + "scram.ScramLoginModule required;");
  }
}

void KafkaServer::kill() {
  admin_.reset();
  Server::kill();
}

void KafkaServer::start() {
  Server::start();
  admin_ = std::make_unique<KafkaAdmin>(port());
  if (!eventually([this] { return admin_->is_answered(); }))
    throw std::runtime_error("Kafka does not answer:\n" + log());
}

}  // namespace outbox::test
