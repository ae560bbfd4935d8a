// Addresses of the network, as people write them and as sockets take them. Any thread.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace outbox {

struct ListenAddress {
  std::string host;  ///< IPv6 without brackets; empty: every address
  int port = 0;      ///< 0: any free one
};

/// "127.0.0.1:8477", "[::1]:8477", "localhost:0", ":8477".
std::optional<ListenAddress> parse_listen(std::string_view text);

/// Reached from this machine only.
bool is_loopback(std::string_view host);

struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  [[nodiscard]] int family() const { return bytes.ss_family; }
  /// In numbers, without the port; "unknown" when it has none.
  [[nodiscard]] std::string host() const;
};

/// An address in numbers, for which nobody has to be asked.
bool is_number(const std::string& host);

/// The addresses of a host for TCP, at least one. nullptr: every one of this machine, to listen on. Blocks
/// while a name is looked up: see look_up.h. Error: unavailable, with the system's words alone.
Result<std::vector<SocketAddress>> look_up(const char* host, int port);

}  // namespace outbox
