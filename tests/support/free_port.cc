#include "tests/support/free_port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>

#include "tests/support/socket.h"

namespace outbox::test {
namespace {

// Below the ports that systems give to whoever asks for any (32768 and up): nobody gets one of these by
// chance, neither before its server starts nor while that is down.
constexpr int first_port = 20000, port_count = 12000;

/// Against the other tests that run: an abstract socket of the port's name, kept until this process ends.
bool reserve(int port) {
  const std::string name = "outboxd-test-port-" + std::to_string(port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());  // the leading NUL makes it abstract
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;
  ::close(socket);
  return false;
}

bool is_free(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return bound;
}

}  // namespace

int free_port() {
  std::random_device random;
  for (int attempt = 0; attempt < port_count; ++attempt) {
    const int port = first_port + static_cast<int>(random() % port_count);
    if (reserve(port) && is_free(port)) return port;
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

bool is_listening(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return connected;
}

}  // namespace outbox::test
