#include "tests/support/amqp_server.h"

#include <stdexcept>

#include "tests/support/free_port.h"

namespace outbox::test {

RabbitmqServer::RabbitmqServer(const RabbitmqOptions& options) : Server("amqp"), tls_port_(free_port()) {
  more_ = options.settings;
  if (!options.certificate.empty())
    more_.insert(more_.end(),
                 {"listeners.ssl.1 = 127.0.0.1:" + std::to_string(tls_port_),
                  "ssl_options.cacertfile = " + options.certificate,
                  "ssl_options.certfile = " + options.certificate, "ssl_options.keyfile = " + options.key,
                  "ssl_options.verify = verify_peer",  // of a client that shows one
                  "ssl_options.fail_if_no_peer_cert = false"});
  environment_ = {{"PLUGINS", options.plugins}};
  start();
}

std::string RabbitmqServer::control(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "--control");
  const Finished finished = run(command(arguments), {}, 2 * patience);
  if (finished.exit_code != 0) throw std::runtime_error("rabbitmqctl failed:\n" + finished.output);
  return finished.output;
}

}  // namespace outbox::test
