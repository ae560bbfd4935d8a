// Ways to a server: the addresses of its hosts in turn, and a connection to the first that takes one. Belongs
// to one connection and its thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/look_up.h"
#include "core/url.h"

namespace outbox {

/// How far connecting is; after `waiting` it goes on when the descriptor is ready for what it waits for.
enum class Progress { waiting, ready, failed };

struct Address {
  std::string host;      ///< as the URL has it
  std::string endpoint;  ///< "host:port"
  int port = 0;
  SocketAddress socket;
};

class Addresses {
 public:
  /// `hosts` must outlive it.
  Addresses(const std::vector<Url::Host>& hosts, int default_port)
      : hosts_(hosts), default_port_(default_port) {}

  /// The next next() looks up the names anew and begins with another address than the last time: a host that
  /// takes connections and does no more, or a replica, must not be the first one for ever.
  void begin() {
    is_resolved_ = false;
    look_up_.reset();
  }

  /// ready: `address` is the next one. waiting: names are being looked up, descriptor() becomes readable.
  /// failed: there is none left, or none at all, and `error` tells why.
  Progress next(const Address*& address, std::string& error);
  [[nodiscard]] int descriptor() const { return look_up_ ? look_up_->descriptor() : -1; }

  /// "host:port" of the address in use; while names are looked up, of the first host, which it says.
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

 private:
  bool resolve(std::string& error);

  const std::vector<Url::Host>& hosts_;
  const int default_port_;
  bool is_resolved_ = false;
  std::optional<LookUp> look_up_;
  std::vector<Address> all_;
  std::size_t next_ = 0;
  unsigned attempts_ = 0;
  std::string endpoint_;
};

class TcpConnector {
 public:
  /// `hosts` must outlive the connector.
  TcpConnector(const std::vector<Url::Host>& hosts, int default_port) : addresses_(hosts, default_port) {}
  TcpConnector(const TcpConnector&) = delete;
  TcpConnector& operator=(const TcpConnector&) = delete;
  ~TcpConnector() { close(); }

  /// close(); the next advance() begins anew. All addresses are tried before it fails.
  void begin();

  /// Drops what is under way.
  void close();

  /// Never waits. After `waiting` call it again when descriptor() is ready for events().
  Progress advance();

  /// -1 when nothing is under way.
  [[nodiscard]] int descriptor() const { return is_looking_up_ ? addresses_.descriptor() : descriptor_; }
  [[nodiscard]] short events() const;

  /// After `ready`, once: the socket, which is the caller's from then on. It does not block, sends without
  /// delay, and notices within a minute of idleness that its peer's host has vanished.
  int take();

  /// As the URL has it, of the address in use.
  [[nodiscard]] const std::string& host() const { return host_; }
  /// "host:port" of the address in use.
  [[nodiscard]] const std::string& endpoint() const { return addresses_.endpoint(); }
  /// After `failed`: why the last address did.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  Progress try_next_address();

  Addresses addresses_;
  bool is_looking_up_ = false;
  int descriptor_ = -1;
  std::string host_, error_;
};

/// An error of connect() that has come since for a socket that does not block; empty: connected.
std::string connect_error(int descriptor);

/// Whether poll() finds one of these events now.
bool is_ready(int descriptor, short events);

/// An idle session to a host that has vanished is noticed within a minute.
void keep_alive(int descriptor);

}  // namespace outbox
