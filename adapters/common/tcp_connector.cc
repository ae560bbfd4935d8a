#include "adapters/common/tcp_connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/address.h"

namespace outbox {
namespace {

void set_option(int descriptor, int level, int name, int value) {
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

}  // namespace

const Address* Addresses::next(std::string& error) {
  if (!is_resolved_) resolve(error);
  if (next_ == all_.size()) return nullptr;
  const Address& address = all_[next_++];
  endpoint_ = address.endpoint;
  return &address;
}

void Addresses::resolve(std::string& error) {
  all_.clear();
  next_ = 0;
  for (const Url::Host& host : hosts_) {
    const int port = host.port.value_or(default_port_);
    endpoint_ = endpoint_of(host, default_port_);
    const auto found = look_up(host.name.c_str(), port);
    if (!found) {
      error = "the host's name cannot be resolved: " + found.error().text;
      continue;
    }
    for (const SocketAddress& socket : *found) all_.push_back({host.name, endpoint_, port, socket});
  }
  if (all_.empty()) return;
  std::ranges::rotate(all_, all_.begin() + static_cast<std::ptrdiff_t>(attempts_++ % all_.size()));
  is_resolved_ = true;
}

void TcpConnector::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void TcpConnector::begin() {
  close();
  addresses_.begin();
}

int TcpConnector::take() {
  set_option(descriptor_, IPPROTO_TCP, TCP_NODELAY, 1);
  keep_alive(descriptor_);
  return std::exchange(descriptor_, -1);
}

Progress TcpConnector::advance() {
  for (;;) {
    if (descriptor_ < 0 && !try_next_address()) return Progress::failed;
    if (descriptor_ < 0) continue;
    if (!is_ready(descriptor_, POLLOUT)) return Progress::waiting;
    std::string error = connect_error(descriptor_);
    if (error.empty()) return Progress::ready;
    error_ = std::move(error);
    close();
  }
}

/// False: there is none left; the error is the last one's.
bool TcpConnector::try_next_address() {
  const Address* const address = addresses_.next(error_);
  if (!address) return false;
  host_ = address->host;
  const SocketAddress& socket = address->socket;
  descriptor_ = ::socket(socket.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ >= 0 && (::connect(descriptor_, socket.get(), socket.size) == 0 || errno == EINPROGRESS))
    return true;
  error_ = std::strerror(errno);
  close();
  return true;
}

std::string connect_error(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? "" : std::strerror(error);
}

bool is_ready(int descriptor, short events) {
  pollfd socket{descriptor, events, 0};
  return ::poll(&socket, 1, 0) > 0;
}

void keep_alive(int descriptor) {
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace outbox
