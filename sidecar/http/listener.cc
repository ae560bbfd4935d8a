#include "http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

namespace outbox {
namespace {

constexpr int waiting_max = 128;

struct HostAndPort {
  std::string host;
  std::string port;
};

std::optional<HostAndPort> split(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  HostAndPort parts{address.substr(0, colon), address.substr(colon + 1)};
  if (parts.host.size() >= 2 && parts.host.front() == '[' && parts.host.back() == ']')
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  else if (parts.host.find(':') != std::string::npos)
    return std::nullopt;
  if (parts.host == "*") parts.host.clear();
  if (parts.port.empty() || parts.port.size() > 5) return std::nullopt;
  if (parts.port.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  if (std::stoi(parts.port) > 65535) return std::nullopt;
  return parts;
}

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr) >> 24) == 127;
  if (address->sa_family == AF_INET6)
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
  return false;
}

Error cannot_listen(const std::string& address, int reason) {
  std::string text = "http.listen: cannot listen on " + address + ": " + std::strerror(reason);
  if (reason == EADDRINUSE)
    text += "; another process has the port, perhaps another outboxd: stop it or set another http.listen";
  if (reason == EACCES) text += "; choose a port above 1023";
  return {Fault::unavailable, text};
}

}  // namespace

Listener::Listener(Listener&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), is_loopback_(other.is_loopback_) {}

Listener::~Listener() {
  if (socket_ >= 0) ::close(socket_);
}

int Listener::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

Result<Listener> listen_on(const std::string& address) {
  const auto parts = split(address);
  if (!parts)
    return Error{Fault::misconfigured,
                 "http.listen: \"" + address + "\" is not an address; write host:port, [::1]:port or :port"};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed =
      ::getaddrinfo(parts->host.empty() ? nullptr : parts->host.c_str(), parts->port.c_str(), &hints, &found);
  if (failed != 0)
    return Error{Fault::misconfigured,
                 "http.listen: \"" + parts->host + "\" was not found: " + ::gai_strerror(failed)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);

  Listener listener(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                    is_loopback(found->ai_addr));
  if (listener.socket() < 0) return cannot_listen(address, errno);
  // SO_REUSEADDR lets a restart take the port over from connections that linger. Never SO_REUSEPORT: with it
  // a second relay would share the port, and probes would reach now one, now the other.
  const int on = 1;
  ::setsockopt(listener.socket(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.socket(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(listener.socket(), waiting_max) != 0)
    return cannot_listen(address, errno);
  return Result<Listener>(std::move(listener));
}

}  // namespace outbox
