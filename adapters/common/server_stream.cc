#include "adapters/common/server_stream.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace outbox {

ServerStream::ServerStream(const ServerSettings& settings)
    : settings_(settings), connector_(settings.hosts, settings.default_port) {}

ServerStream::~ServerStream() {
  close();
}

void ServerStream::close() {
  connector_.close();
  tls_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void ServerStream::begin() {
  close();
  connector_.begin();
  phase_ = Phase::connecting;
  tls_wants_write_ = tls_wants_read_ = false;
  output_.clear();
  sent_ = 0;
}

Progress ServerStream::advance() {
  if (phase_ == Phase::connecting) {
    switch (connector_.advance()) {
      case Progress::waiting:
        return Progress::waiting;
      case Progress::failed:
        return failed(Fault::unavailable, connector_.error());
      case Progress::ready:
        break;
    }
    descriptor_ = connector_.take();
    if (!settings_.is_tls) {
      phase_ = Phase::ready;
      return Progress::ready;
    }
    auto tls = TlsStream::start(descriptor_, settings_, connector_.host());
    if (!tls) return failed(tls.error().fault, tls.error().text);
    tls_ = std::move(tls).value();
    phase_ = Phase::securing;
  }
  return phase_ == Phase::securing ? secure() : Progress::ready;
}

Progress ServerStream::secure() {
  const TlsStream::Progress progress = tls_->handshake();
  tls_wants_write_ = progress == TlsStream::Progress::wants_write;
  switch (progress) {
    case TlsStream::Progress::done:
      phase_ = Phase::ready;
      return Progress::ready;
    case TlsStream::Progress::wants_read:
    case TlsStream::Progress::wants_write:
      return Progress::waiting;
    case TlsStream::Progress::closed:
      return failed(Fault::unavailable, "the server closed the connection in the TLS handshake");
    case TlsStream::Progress::failed:
      return failed(tls_->error().fault, tls_->error().text);
  }
  return Progress::failed;
}

short ServerStream::events() const {
  switch (phase_) {
    case Phase::connecting:
      return connector_.events();
    case Phase::securing:
      return tls_wants_write_ ? POLLOUT : POLLIN;
    case Phase::ready:
      break;
  }
  const bool can_write = !output_.view().empty() && !tls_wants_read_;
  return tls_wants_write_ || can_write ? POLLIN | POLLOUT : POLLIN;
}

bool ServerStream::flush() {
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

bool ServerStream::receive(const std::function<bool(std::string_view)>& use) {
  char block[64 << 10];
  for (;;) {
    std::size_t size = 0;
    switch (read(block, sizeof block, size)) {
      case Io::done:
        // Less than there was room for is all there is. TLS may hold back more.
        if (!use({block, size}) || (!tls_ && size < sizeof block)) return true;
        break;
      case Io::later:
        return true;
      case Io::broken:
        return false;
    }
  }
}

ServerStream::Io ServerStream::read(char* to, std::size_t size_max, std::size_t& size) {
  if (tls_) {
    const TlsStream::Progress progress = tls_->read(to, size_max, size);
    tls_wants_write_ = progress == TlsStream::Progress::wants_write;
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

ServerStream::Io ServerStream::write(std::string_view bytes, std::size_t& size) {
  if (tls_) {
    const TlsStream::Progress progress = tls_->write(bytes, size);
    tls_wants_read_ = progress == TlsStream::Progress::wants_read;
    return progress_of(progress);
  }
  const ssize_t result = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) return Io::later;
  if (result < 0) return broken(std::strerror(errno));
  size = static_cast<std::size_t>(result);
  return Io::done;
}

ServerStream::Io ServerStream::progress_of(TlsStream::Progress progress) {
  switch (progress) {
    case TlsStream::Progress::done:
      return Io::done;
    case TlsStream::Progress::wants_read:
    case TlsStream::Progress::wants_write:
      return Io::later;
    case TlsStream::Progress::closed:
      return broken("the server closed the connection");
    case TlsStream::Progress::failed:
      return broken(tls_->error().text.c_str());
  }
  return Io::broken;
}

ServerStream::Io ServerStream::broken(const char* what) {
  failed(Fault::unavailable, what);
  return Io::broken;
}

Progress ServerStream::failed(Fault fault, std::string what) {
  fault_ = fault;
  what_ = std::move(what);
  return Progress::failed;
}

}  // namespace outbox
