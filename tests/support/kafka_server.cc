#include "tests/support/kafka_server.h"

#include <signal.h>

#include <fstream>
#include <stdexcept>
#include <utility>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

std::string directory_of_jars() {
  Finished fetched = run({OUTBOX_SOURCE_DIR "/scripts/kafka"}, {}, 5 * patience);
  if (fetched.exit_code != 0) throw std::runtime_error("scripts/kafka failed:\n" + fetched.output);
  std::string& output = fetched.output;
  output.erase(output.find_last_not_of('\n') + 1);
  return output.substr(output.rfind('\n') + 1);
}

std::string address(int port) {
  return "127.0.0.1:" + std::to_string(port);
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

constexpr const char* login_settings = R"(
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
)";

/// Every listener that asks for a login needs these of its own.
std::string login_settings_of(const std::string& listener) {
  const std::string start = "listener.name." + listener + ".";
  return start +
         "plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
         "user_outboxd=\"right-secret\";\n" +
         start +
         "scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule "
         "required;\n" +
         start +
         "scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n";
}

}  // namespace

KafkaServer::KafkaServer(KafkaOptions options)
    : options_(std::move(options)),
      jars_(directory_of_jars()),
      port_(free_port()),
      proxied_port_(free_port()),
      proxy_port_(free_port()),
      login_port_(free_port()),
      tls_port_(free_port()),
      controller_port_(free_port()) {
  if (options_.has_tls) {
    certificate_.emplace();
    write(directory_ / "keystore.pem", contents(certificate_->key) + contents(certificate_->file));
  }
  write(directory_ / "server.properties", properties());
  write(directory_ / "log4j.properties",
        "log4j.rootLogger=WARN, out\n"
        "log4j.appender.out=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.out.layout.ConversionPattern=%d %p %c: %m%n\n");
  format();
  start();
}

std::string KafkaServer::properties() const {
  const std::string wire = options_.has_users ? "SASL_PLAINTEXT" : "PLAINTEXT";
  std::string listeners = "PLAIN://" + address(port_) + ",FAULTS://" + address(proxied_port_);
  std::string advertised = "PLAIN://" + address(port_) + ",FAULTS://" + address(proxy_port_);
  std::string more;
  if (options_.has_users) {
    listeners += ",LOGIN://" + address(login_port_);
    advertised += ",LOGIN://" + address(login_port_);
    more += login_settings + login_settings_of("login") + login_settings_of("faults");
  }
  if (options_.has_tls) {
    listeners += ",TLS://" + address(tls_port_);
    advertised += ",TLS://" + address(tls_port_);
    more += "listener.name.tls.ssl.keystore.type=PEM\nlistener.name.tls.ssl.keystore.location=" +
            directory_ / "keystore.pem" + "\nlistener.name.tls.ssl.truststore.type=PEM\n" +
            "listener.name.tls.ssl.truststore.location=" + certificate_->file +
            "\nlistener.name.tls.ssl.client.auth=requested\n";
  }
  for (const std::string& setting : options_.settings) more += setting + "\n";
  return "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@" +
         address(controller_port_) + "\nlisteners=" + listeners + ",CONTROLLER://" +
         address(controller_port_) + "\nadvertised.listeners=" + advertised +
         "\nlistener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,LOGIN:SASL_PLAINTEXT,"
         "FAULTS:" +
         wire + "\ncontroller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAIN\nlog.dirs=" +
         directory_ / "data" + "\noffsets.topic.replication.factor=1\nauto.create.topics.enable=false\n" +
         more;
}

/// A small heap and no optimising compiler: it starts in half the time.
std::vector<std::string> KafkaServer::java(const std::string& program) const {
  return {"java",
          "-Xmx256m",
          "-XX:+UseSerialGC",
          "-XX:TieredStopAtLevel=1",
          "-Xshare:auto",
          "-Dlog4j.configuration=file:" + directory_ / "log4j.properties",
          "-cp",
          jars_ + "/*",
          program};
}

void KafkaServer::format() {
  auto command = java("kafka.tools.StorageTool");
  for (const char* word : {"format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"}) command.emplace_back(word);
  command.push_back(directory_ / "server.properties");
  if (options_.has_users)
    for (const char* mechanism : {"SCRAM-SHA-256", "SCRAM-SHA-512"}) {
      command.emplace_back("--add-scram");
      command.push_back(std::string(mechanism) + "=[name=outboxd,password=right-secret]");
    }
  const Finished formatted = run(command);
  if (formatted.exit_code != 0) throw std::runtime_error("Kafka's storage:\n" + formatted.output);
}

void KafkaServer::kill() {
  admin_.reset();
  process_.reset();
}

void KafkaServer::start() {
  auto command = java("kafka.Kafka");
  command.push_back(directory_ / "server.properties");
  process_ = std::make_unique<Process>(std::move(command));
  admin_ = std::make_unique<KafkaAdmin>(port_);
  if (!eventually([this] { return !process_->running() || admin_->is_answered(); }) || !process_->running())
    throw std::runtime_error("Kafka did not start:\n" + process_->output());
}

void KafkaServer::freeze() {
  process_->signal(SIGSTOP);
}
void KafkaServer::thaw() {
  process_->signal(SIGCONT);
}

}  // namespace outbox::test
