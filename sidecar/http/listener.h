// The listening socket of the HTTP server. Owned by whoever holds it; closed with it.
#pragma once

#include <string>

#include "base/result.h"

namespace outbox {

class Listener {
 public:
  Listener(int socket, bool is_loopback) : socket_(socket), is_loopback_(is_loopback) {}
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] int port() const;
  /// Whether only this host can connect.
  [[nodiscard]] bool is_loopback() const { return is_loopback_; }

 private:
  int socket_;
  bool is_loopback_;
};

/// Listens on "host:port", "[::1]:port" or ":port" (every address); port 0: the system chooses. The first
/// address of a name counts. Errors: misconfigured (the address cannot be read or found); unavailable (in
/// use, not permitted).
[[nodiscard]] Result<Listener> listen_on(const std::string& text);

}  // namespace outbox
