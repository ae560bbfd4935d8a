#include "tests/support/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/support/eventually.h"

namespace outbox::test {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

int listen_at(int& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // the port of one before
  sockaddr_in address = loopback(port);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 64) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("nobody can listen at port " + std::to_string(port));
  port = ntohs(address.sin_port);
  return listener;
}

Socket::Socket(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = loopback(port);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(socket_);
    throw std::runtime_error("nobody listens at port " + std::to_string(port));
  }
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Socket::~Socket() {
  ::close(socket_);
}

void Socket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("the connection is over");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool Socket::receive(std::chrono::milliseconds time) {
  pollfd descriptor{socket_, POLLIN, 0};
  if (::poll(&descriptor, 1, static_cast<int>(time.count())) <= 0) return false;
  std::array<char, 1 << 16> bytes;
  const ssize_t received = ::recv(socket_, bytes.data(), bytes.size(), 0);
  if (received <= 0) throw std::runtime_error("the connection is over");
  input.append(bytes.data(), static_cast<std::size_t>(received));
  return true;
}

void Socket::receive_until(std::size_t bytes) {
  while (input.size() < bytes)
    if (!receive(patience)) throw std::runtime_error("the server does not answer");
}

int abandoned_connections(int port) {
  // include/net/tcp_states.h
  constexpr unsigned fin_wait_1 = 4, fin_wait_2 = 5, close_wait = 8, closing = 11;
  const auto server = static_cast<unsigned>(port);
  int count = 0;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      unsigned local = 0, remote = 0, state = 0;
      if (std::sscanf(line.c_str(), "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x", &local, &remote, &state) != 3)
        continue;
      const bool is_leaving = state == fin_wait_1 || state == fin_wait_2 || state == closing;
      count += (local == server && state == close_wait) || (remote == server && is_leaving);
    }
  }
  return count;
}

}  // namespace outbox::test
