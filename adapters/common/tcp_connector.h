// Connects to one of several hosts, address by address; never waits but for a name to be looked up. Belongs
// to one connection and its thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/url.h"

namespace outbox {

class TcpConnector {
 public:
  enum class Progress { waiting, connected, failed };

  /// `hosts` must outlive the connector.
  TcpConnector(const std::vector<Url::Host>& hosts, int default_port);
  TcpConnector(const TcpConnector&) = delete;
  TcpConnector& operator=(const TcpConnector&) = delete;
  ~TcpConnector();

  /// close(); the next advance() looks up the names anew and begins with another address than the last time.
  /// All are tried before it fails.
  void begin();

  /// Drops what is under way.
  void close();

  /// After `waiting` call it again when descriptor() can be written to.
  Progress advance();

  /// -1 when nothing is under way.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// After `connected`, once: the socket, which is the caller's from then on. It does not block, sends
  /// without delay, and notices within a minute of idleness that its peer's host has vanished.
  int take();

  /// As the URL has it, of the address in use.
  [[nodiscard]] const std::string& host() const { return host_; }
  /// "host:port" of the address in use.
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  /// After `failed`: why the last address did.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Address;

  bool resolve();
  bool try_next_address();
  bool finish();

  const std::vector<Url::Host>& hosts_;
  const int default_port_;
  bool is_resolved_ = false;
  std::vector<Address> addresses_;
  std::size_t next_address_ = 0;
  unsigned attempts_ = 0;
  int descriptor_ = -1;
  std::string host_, endpoint_, error_;
};

}  // namespace outbox
