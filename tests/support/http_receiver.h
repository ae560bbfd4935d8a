// A private webhook receiver, which writes down every request before it answers as it was told.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/server.h"

namespace outbox::test {

/// What requests to a path are answered with.
struct WebhookRule {
  std::string path = "/";  ///< all that begin with it
  int status = 204;
  std::map<std::string, std::string> headers = {};
  std::chrono::milliseconds delay{0};
  /// "whole", "hangs", "cuts" (without an answer), "half head", "half body", "endless"
  std::string way = "whole";
  std::string body = {};
  std::string method = "POST";
};

struct WebhookOptions {
  std::string authorization = {};  ///< what a POST must say to be let in; empty: nothing
  std::size_t body_max = 0;        ///< beyond it 413; 0: none
  std::string certificate = {};    ///< PEM; not empty: TLS
  std::string key = {};
  std::string client_authority = {};  ///< not empty: clients must show a certificate of it
};

struct WebhookRequest {
  std::string method, path;  ///< as on the wire
  int status = 0;            ///< of the answer that it was to get
  int connection = 0;        ///< its number, from 1
  int parallel = 0;          ///< how many requests were being answered, this one included
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// The header's value; empty when there is none. `name` in lower case.
  [[nodiscard]] std::string header(const std::string& name) const;
};

class WebhookServer : public Server {
 public:
  explicit WebhookServer(const WebhookOptions& options = {});

  /// From now on; the first rule that fits counts. Without one: 204 at once.
  void answers(const std::vector<WebhookRule>& rules);

  /// Every request so far with this method, in the order of arrival.
  [[nodiscard]] std::vector<WebhookRequest> requests(const std::string& method = "POST") const;
  /// Forgets them.
  void forget();
};

/// nghttpx: HTTP/2 over TLS before a server that speaks HTTP/1.1.
class Http2Proxy {
 public:
  Http2Proxy(int server_port, const std::string& certificate, const std::string& key);
  [[nodiscard]] int port() const { return port_; }

 private:
  int port_;
  Process process_;
};

}  // namespace outbox::test
