#include "tests/support/rabbitmq_server.h"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

// Not the wrappers of /usr/sbin, which change to the user rabbitmq.
constexpr const char* server_program = "/usr/lib/rabbitmq/bin/rabbitmq-server";
constexpr const char* control_program = "/usr/lib/rabbitmq/bin/rabbitmqctl";

}  // namespace

RabbitmqServer::RabbitmqServer(RabbitmqOptions options)
    : options_(std::move(options)),
      port_(free_port()),
      tls_port_(free_port()),
      distribution_port_(free_port()),
      mapper_port_(free_port()) {
  write_configuration();
  mapper_ = std::make_unique<Process>(
      std::vector<std::string>{"epmd", "-address", "127.0.0.1", "-port", std::to_string(mapper_port_)});
  if (!eventually([this] { return is_listening(mapper_port_); }))
    throw std::runtime_error("epmd did not start:\n" + mapper_->output());
  start();
}

std::string RabbitmqServer::url() const {
  return "amqp://guest:guest@127.0.0.1:" + std::to_string(port_);
}

void RabbitmqServer::write_configuration() const {
  std::filesystem::create_directory(directory_ / "home");
  std::ofstream settings(directory_ / "rabbitmq.conf");
  settings << "listeners.tcp.1 = 127.0.0.1:" << port_ << "\n";
  if (!options_.certificate.empty())
    settings << "listeners.ssl.1 = 127.0.0.1:" << tls_port_ << "\n"
             << "ssl_options.cacertfile = " << options_.certificate << "\n"
             << "ssl_options.certfile = " << options_.certificate << "\n"
             << "ssl_options.keyfile = " << options_.key << "\n"
             << "ssl_options.verify = verify_peer\n"  // of a client that shows one
             << "ssl_options.fail_if_no_peer_cert = false\n";
  for (const std::string& line : options_.settings) settings << line << "\n";
  std::ofstream plugins(directory_ / "plugins");
  plugins << "[";
  for (std::size_t i = 0; i < options_.plugins.size(); ++i) plugins << (i ? "," : "") << options_.plugins[i];
  plugins << "].\n";
}

RabbitmqServer::Environment RabbitmqServer::environment() const {
  return {{"HOME", directory_ / "home"},
          {"RABBITMQ_NODENAME", "outboxd@localhost"},
          {"RABBITMQ_MNESIA_BASE", directory_ / "data"},
          {"RABBITMQ_LOG_BASE", directory_ / "log"},
          {"RABBITMQ_LOGS", "-"},
          {"RABBITMQ_CONFIG_FILE", directory_ / "rabbitmq.conf"},
          {"RABBITMQ_CONF_ENV_FILE", directory_ / "none"},
          {"RABBITMQ_ENABLED_PLUGINS_FILE", directory_ / "plugins"},
          {"RABBITMQ_DIST_PORT", std::to_string(distribution_port_)},
          {"ERL_EPMD_ADDRESS", "127.0.0.1"},
          {"ERL_EPMD_PORT", std::to_string(mapper_port_)},
          // The script then becomes the server instead of its parent: one process to be killed.
          {"RUNNING_UNDER_SYSTEMD", "1"},
          {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
           "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"}};
}

void RabbitmqServer::kill() {
  process_.reset();
}

void RabbitmqServer::start() {
  if (process_ && process_->running()) return;
  process_ = std::make_unique<Process>(std::vector<std::string>{server_program},
                                       ProcessOptions{environment(), directory_ / "home", {}, {}});
  const auto is_ready = [this] {
    return !process_->running() || process_->output().find("Server startup complete") != std::string::npos;
  };
  if (!eventually(is_ready, 2 * patience) || !process_->running())
    throw std::runtime_error("rabbitmq-server did not start:\n" + process_->output());
}

void RabbitmqServer::freeze() {
  process_->signal(SIGSTOP);
}
void RabbitmqServer::thaw() {
  process_->signal(SIGCONT);
}

std::string RabbitmqServer::control(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {control_program, "--node", "outboxd@localhost"});
  const Finished finished = run(std::move(arguments), {environment(), {}, {}, {}}, 2 * patience);
  if (finished.exit_code != 0) throw std::runtime_error("rabbitmqctl failed:\n" + finished.output);
  return finished.output;
}

}  // namespace outbox::test
