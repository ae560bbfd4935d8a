// A plain connection to a server on 127.0.0.1, for consumers that speak its protocol themselves. Stays in its
// thread.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <string>
#include <string_view>

namespace outbox::test {

class Socket {
 public:
  /// Throws when nobody listens.
  explicit Socket(int port);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  /// Throws when the connection is over.
  void send(std::string_view bytes);
  /// Appends what comes within this time to `input`; false: nothing. Throws when the connection is over.
  bool receive(std::chrono::milliseconds time);
  /// Received until `input` has so many bytes. Throws when they do not come.
  void receive_until(std::size_t bytes);

  std::string input;  ///< received and not yet taken

 private:
  int socket_;
};

sockaddr_in loopback(int port);

/// A non-blocking socket that listens there; 0: at a free port, which becomes `port`. Throws when it cannot.
int listen_at(int& port);

/// How many connections the server at this port has not yet read to their end, although their client is gone.
int abandoned_connections(int port);

}  // namespace outbox::test
