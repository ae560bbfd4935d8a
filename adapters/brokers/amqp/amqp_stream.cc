#include "adapters/brokers/amqp/amqp_stream.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace outbox {
AmqpStream::AmqpStream(const AmqpSettings& settings)
    : settings_(settings), connector_(settings.hosts, settings.is_tls ? 5671 : 5672) {}

AmqpStream::~AmqpStream() {
  close();
}

void AmqpStream::close() {
  connector_.close();
  tls_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void AmqpStream::begin() {
  close();
  connector_.begin();
  phase_ = Phase::connecting;
  tls_wants_write_ = tls_wants_read_ = false;
  output_.clear();
  sent_ = 0;
}

AmqpStream::Progress AmqpStream::advance() {
  if (phase_ == Phase::connecting) {
    switch (connector_.advance()) {
      case TcpConnector::Progress::waiting:
        return Progress::waiting;
      case TcpConnector::Progress::failed:
        return failed(Fault::unavailable, connector_.error());
      case TcpConnector::Progress::connected:
        break;
    }
    descriptor_ = connector_.take();
    if (!settings_.is_tls) {
      phase_ = Phase::ready;
      return Progress::ready;
    }
    auto tls = AmqpTls::start(descriptor_, settings_, connector_.host());
    if (!tls) return failed(tls.error().fault, tls.error().text);
    tls_ = std::move(tls).value();
    phase_ = Phase::securing;
  }
  return phase_ == Phase::securing ? secure() : Progress::ready;
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
