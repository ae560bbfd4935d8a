// The HTTP server: probes, status, metrics, dashboard, and what operators do. Owned by main; its one thread
// is its own.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "core/status.h"
#include "http/administration.h"
#include "http/connections.h"

namespace outbox {

class HttpServer {
 public:
  /// Listens on "host:port" (port 0: the system chooses) and serves until stop(). On another address than
  /// loopback a token is required, and /, /status and /metrics ask for it. What is under /v1 asks for it
  /// wherever there is one. `source` must outlive the server. Errors: misconfigured (address, missing token);
  /// unavailable (the port is in use).
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(const std::string& listen,
                                                                 const std::string& token,
                                                                 const StatusSource& source,
                                                                 const HttpLimits& limits = {},
                                                                 Administration administration = {});

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  /// As stop().
  ~HttpServer();

  [[nodiscard]] int port() const;

  /// Closes the port and every connection; returns when the thread has ended. A second call does nothing.
  void stop();

 private:
  struct Serving;
  explicit HttpServer(std::unique_ptr<Serving> serving);

  std::unique_ptr<Serving> serving_;
  int port_;
};

}  // namespace outbox
