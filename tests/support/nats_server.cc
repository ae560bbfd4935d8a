#include "tests/support/nats_server.h"

#include <signal.h>

namespace outbox::test {

NatsServer::NatsServer(const NatsServerOptions& options) : Server("nats") {
  more_ = {"lame_duck_grace_period: 1s", "lame_duck_duration: 30s",
           options.has_jetstream ? "" : "jetstream: disabled", options.more};
  start();
}

void NatsServer::restart_with(const std::string& more) {
  kill();
  more_.back() = more;
  start();
}

void NatsServer::enter_lame_duck_mode() {
  process_->signal(SIGUSR2);
}

}  // namespace outbox::test
