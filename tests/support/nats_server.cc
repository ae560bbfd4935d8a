#include "tests/support/nats_server.h"

#include <signal.h>

#include <fstream>
#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {

NatsServer::NatsServer(NatsServerOptions options) : options_(std::move(options)), port_(free_port()) {
  write_configuration();
  start();
}

void NatsServer::write_configuration() const {
  std::ofstream file(directory_ / "server.conf");
  file << "listen: \"127.0.0.1:" << port_ << "\"\n";
  if (options_.has_jetstream) file << "jetstream { store_dir: \"" << (directory_ / "store") << "\" }\n";
  file << "lame_duck_grace_period: 1s\nlame_duck_duration: 30s\n" << options_.more << "\n";
}

std::string NatsServer::url() const {
  return "nats://127.0.0.1:" + std::to_string(port_);
}

void NatsServer::kill() {
  process_.reset();
}

void NatsServer::start() {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"nats-server", "--config", directory_ / "server.conf"});
  const auto is_ready = [this] {
    return !process_->running() || process_->output().find("Server is ready") != std::string::npos;
  };
  if (!eventually(is_ready) || !process_->running())
    throw std::runtime_error("nats-server did not start:\n" + process_->output());
}

void NatsServer::restart_with(std::string more) {
  kill();
  options_.more = std::move(more);
  write_configuration();
  start();
}

void NatsServer::freeze() {
  process_->signal(SIGSTOP);
}
void NatsServer::thaw() {
  process_->signal(SIGCONT);
}
void NatsServer::enter_lame_duck_mode() {
  process_->signal(SIGUSR2);
}

}  // namespace outbox::test
