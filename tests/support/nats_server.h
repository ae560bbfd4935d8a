// A private nats-server with JetStream.
#pragma once

#include <string>

#include "tests/support/server.h"

namespace outbox::test {

struct NatsServerOptions {
  bool has_jetstream = true;
  std::string more = {};  ///< of nats-server's own configuration: authorization {...}, tls {...}, max_payload
};

class NatsServer : public Server {
 public:
  explicit NatsServer(const NatsServerOptions& options = {});

  /// Ends it, and starts it again with this in the place of the options' `more`.
  void restart_with(const std::string& more);
  /// It takes no new connections, tells its clients so, and ends a little later.
  void enter_lame_duck_mode();
};

}  // namespace outbox::test
