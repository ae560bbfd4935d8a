// Looks at a NATS server as any client would, in the text protocol over a plain socket, and gives JetStream
// orders. Blocking; stays in its test.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

class NatsReader {
 public:
  using Json = nlohmann::json;

  struct Arrived {
    std::string subject, headers, payload;
  };

  /// `login`: members of CONNECT, as {"user": ..., "pass": ...}. Throws when the server is not there or
  /// refuses.
  explicit NatsReader(int port, const Json& login = Json::object());
  NatsReader(const NatsReader&) = delete;
  NatsReader& operator=(const NatsReader&) = delete;
  ~NatsReader();

  /// A request to "$JS.API." + `what`; throws with the server's words when it is refused.
  Json api(const std::string& what, const Json& body = Json::object());
  /// A stream in a file unless `more` says otherwise.
  void create_stream(const std::string& name, const std::vector<std::string>& subjects,
                     const Json& more = Json::object());
  void delete_streams();

  /// Every message of every stream, stream by stream, in the streams' order.
  std::vector<Received> streams();
  std::vector<Received> stream(const std::string& name);

 private:
  void send(const std::string& text);
  std::string request(const std::string& what, const Json& body);
  void fill();
  std::string line();
  std::string bytes(std::size_t size);
  /// The next message for this client.
  Arrived next();

  int socket_ = -1;
  std::string unread_;
  std::size_t read_ = 0;
  int requests_ = 0;
};

}  // namespace outbox::test
