// Looks at a NATS server as any client would, in the text protocol over a plain socket, and gives JetStream
// orders. Blocking; stays in its test.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/conformance/broker_suite.h"
#include "tests/support/socket.h"

namespace outbox::test {

struct NatsMessage {
  std::string subject, headers, payload;
};

class NatsReader {
 public:
  using Json = nlohmann::json;

  /// `login`: members of CONNECT, as {"user": ..., "pass": ...}. Throws when the server is not there or
  /// refuses.
  explicit NatsReader(int port, const Json& login = Json::object());

  /// A request to "$JS.API." + `what`; throws with the server's words when it is refused.
  Json api(const std::string& what, const Json& body = Json::object());
  /// A stream in a file unless `more` says otherwise.
  void create_stream(const std::string& name, const std::vector<std::string>& subjects,
                     const Json& more = Json::object());
  /// Publishes, or asks, and waits for the answer; throws when it is an error.
  Json request(const std::string& subject, const std::string& text);

  /// Every message of every stream, stream by stream, in the streams' order.
  std::vector<Received> streams();
  std::vector<Received> stream(const std::string& name);
  /// Those after the sequence `last`, which becomes the last of them; 0: from the beginning.
  std::vector<Received> stream_after(const std::string& name, std::uint64_t& last);

 private:
  std::string send_request(const std::string& subject, const std::string& text);
  /// The next message for this client.
  NatsMessage next();

  Socket socket_;
  int requests_ = 0;
};

}  // namespace outbox::test
