#include "adapters/brokers/amqp/amqp_stream.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace outbox {
namespace {

void set_option(int descriptor, int level, int name, int value) {
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

bool is_ready(int descriptor, short events) {
  pollfd socket{descriptor, events, 0};
  return ::poll(&socket, 1, 0) > 0;
}

/// An idle session to a host that has vanished is noticed within a minute, heartbeats or not.
void set_options(int descriptor) {
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

struct AmqpStream::Address {
  std::string host, endpoint;
  int family = 0;
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

AmqpStream::AmqpStream(const AmqpSettings& settings) : settings_(settings) {}

AmqpStream::~AmqpStream() {
  close();
}

void AmqpStream::close() {
  tls_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void AmqpStream::begin() {
  close();
  phase_ = Phase::resolving;
  addresses_.clear();
  next_address_ = 0;
  tls_wants_write_ = tls_wants_read_ = false;
  output_.clear();
  sent_ = 0;
}

AmqpStream::Progress AmqpStream::advance() {
  if (phase_ == Phase::resolving) {
    if (!resolve()) return Progress::failed;
    phase_ = Phase::connecting;
  }
  while (phase_ == Phase::connecting) {
    if (descriptor_ < 0 && !try_next_address()) return Progress::failed;
    if (descriptor_ < 0) continue;
    if (!is_ready(descriptor_, POLLOUT)) return Progress::waiting;
    if (!finish_connecting()) continue;
    if (!settings_.is_tls) {
      phase_ = Phase::ready;
      break;
    }
    auto tls = AmqpTls::start(descriptor_, settings_, host_);
    if (!tls) return failed(tls.error().fault, tls.error().text);
    tls_ = std::move(tls).value();
    phase_ = Phase::securing;
  }
  return phase_ == Phase::securing ? secure() : Progress::ready;
}

/// getaddrinfo() may block when a name has to be looked up: poll() is where an adapter may.
bool AmqpStream::resolve() {
  for (const Url::Host& host : settings_.hosts) {
    const std::string port = std::to_string(host.port.value_or(settings_.is_tls ? 5671 : 5672));
    endpoint_ = host.name + ":" + port;
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.name.c_str(), port.c_str(), &wanted, &found); error != 0) {
      failed(Fault::unavailable, std::string("the host's name cannot be resolved: ") + ::gai_strerror(error));
      continue;
    }
    for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
      Address& address =
          addresses_.emplace_back(Address{host.name, endpoint_, entry->ai_family, {}, entry->ai_addrlen});
      std::memcpy(&address.bytes, entry->ai_addr, entry->ai_addrlen);
    }
    ::freeaddrinfo(found);
  }
  if (addresses_.empty()) return false;
  // A host that takes connections and does no more must not be the first one for ever.
  const auto first = static_cast<std::ptrdiff_t>(attempts_++ % addresses_.size());
  std::rotate(addresses_.begin(), addresses_.begin() + first, addresses_.end());
  return true;
}

/// False: there is none left; the error is the last one's.
bool AmqpStream::try_next_address() {
  if (next_address_ == addresses_.size()) return false;
  const Address& address = addresses_[next_address_++];
  host_ = address.host;
  endpoint_ = address.endpoint;
  descriptor_ = ::socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ >= 0 &&
      (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0 ||
       errno == EINPROGRESS))
    return true;
  failed(Fault::unavailable, std::strerror(errno));
  close();
  return true;
}

bool AmqpStream::finish_connecting() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    failed(Fault::unavailable, std::strerror(error));
    close();
    return false;
  }
  set_options(descriptor_);
  return true;
}

AmqpStream::Progress AmqpStream::secure() {
  const AmqpTls::Progress progress = tls_->handshake();
  tls_wants_write_ = progress == AmqpTls::Progress::wants_write;
  switch (progress) {
    case AmqpTls::Progress::done:
      phase_ = Phase::ready;
      return Progress::ready;
    case AmqpTls::Progress::wants_read:
    case AmqpTls::Progress::wants_write:
      return Progress::waiting;
    case AmqpTls::Progress::closed:
      return failed(Fault::unavailable, "the server closed the connection in the TLS handshake");
    case AmqpTls::Progress::failed:
      return failed(tls_->error().fault, tls_->error().text);
  }
  return Progress::failed;
}

short AmqpStream::events() const {
  switch (phase_) {
    case Phase::resolving:
      return 0;
    case Phase::connecting:
      return POLLOUT;
    case Phase::securing:
      return tls_wants_write_ ? POLLOUT : POLLIN;
    case Phase::ready:
      break;
  }
  const bool can_write = !output_.view().empty() && !tls_wants_read_;
  return tls_wants_write_ || can_write ? POLLIN | POLLOUT : POLLIN;
}

bool AmqpStream::flush() {
  while (!output_.view().empty()) {
    std::size_t size = 0;
    switch (write(output_.view(), size)) {
      case Io::done:
        output_.consume(size);
        sent_ += size;
        break;
      case Io::later:
        return true;
      case Io::broken:
        return false;
    }
  }
  return true;
}

bool AmqpStream::receive(const std::function<bool(std::string_view)>& use) {
  char block[64 << 10];
  for (;;) {
    std::size_t size = 0;
    switch (read(block, sizeof block, size)) {
      case Io::done:
        if (!use({block, size})) return true;
        break;
      case Io::later:
        return true;
      case Io::broken:
        return false;
    }
  }
}

AmqpStream::Io AmqpStream::read(char* to, std::size_t size_max, std::size_t& size) {
  if (tls_) {
    const AmqpTls::Progress progress = tls_->read(to, size_max, size);
    tls_wants_write_ = progress == AmqpTls::Progress::wants_write;
    tls_wants_read_ = false;
    return progress_of(progress);
  }
  const ssize_t result = ::recv(descriptor_, to, size_max, 0);
  if (result == 0) return broken("the server closed the connection");
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) return Io::later;
  if (result < 0) return broken(std::strerror(errno));
  size = static_cast<std::size_t>(result);
  return Io::done;
}

AmqpStream::Io AmqpStream::write(std::string_view bytes, std::size_t& size) {
  if (tls_) {
    const AmqpTls::Progress progress = tls_->write(bytes, size);
    tls_wants_read_ = progress == AmqpTls::Progress::wants_read;
    return progress_of(progress);
  }
  const ssize_t result = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) return Io::later;
  if (result < 0) return broken(std::strerror(errno));
  size = static_cast<std::size_t>(result);
  return Io::done;
}

AmqpStream::Io AmqpStream::progress_of(AmqpTls::Progress progress) {
  switch (progress) {
    case AmqpTls::Progress::done:
      return Io::done;
    case AmqpTls::Progress::wants_read:
    case AmqpTls::Progress::wants_write:
      return Io::later;
    case AmqpTls::Progress::closed:
      return broken("the server closed the connection");
    case AmqpTls::Progress::failed:
      return broken(tls_->error().text.c_str());
  }
  return Io::broken;
}

AmqpStream::Io AmqpStream::broken(const char* what) {
  failed(Fault::unavailable, what);
  return Io::broken;
}

AmqpStream::Progress AmqpStream::failed(Fault fault, std::string what) {
  fault_ = fault;
  what_ = std::move(what);
  return Progress::failed;
}

}  // namespace outbox
