#include "http/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/address.h"

namespace outbox {
namespace {

constexpr int waiting_max = 128;

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

Result<Listener> listen_on(const std::string& text) {
  const auto wanted = parse_listen(text);
  if (!wanted)
    return Error{Fault::misconfigured,
                 "http.listen: \"" + text + "\" is not an address; write host:port, [::1]:port or :port"};
  const auto found = look_up(wanted->host.empty() ? nullptr : wanted->host.c_str(), wanted->port);
  if (!found)
    return Error{Fault::misconfigured,
                 "http.listen: \"" + wanted->host + "\" was not found: " + found.error().text};
  const SocketAddress& address = found.value().front();
  Listener listener(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                    is_loopback(address.host()));
  if (listener.socket() < 0) return cannot_listen(text, errno);
  // SO_REUSEADDR lets a restart take the port over from connections that linger. Never SO_REUSEPORT: with it
  // a second relay would share the port, and probes would reach now one, now the other.
  const int on = 1;
  ::setsockopt(listener.socket(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.socket(), address.get(), address.size) != 0 ||
      ::listen(listener.socket(), waiting_max) != 0)
    return cannot_listen(text, errno);
  return Result<Listener>(std::move(listener));
}

}  // namespace outbox
