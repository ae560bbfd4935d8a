#include "base/address.h"

#include <netdb.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace outbox {

std::optional<ListenAddress> parse_listen(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_number<int>(text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if ((bracketed && host.empty()) || bracketed != (host.find(':') != std::string_view::npos))
    return std::nullopt;
  if (!std::ranges::all_of(host, [](char c) { return is_alphanumeric(c, "_.-:%"); })) return std::nullopt;
  return ListenAddress{std::string(host), *port};
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  // A name such as 127.example.org is resolved by others: digits and dots only.
  return host.starts_with("127.") &&
         std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; });
}

std::string SocketAddress::host() const {
  std::array<char, NI_MAXHOST> text{};
  const int failed = ::getnameinfo(get(), size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return failed == 0 ? text.data() : "unknown";
}

bool is_number(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &wanted, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

Result<std::vector<SocketAddress>> look_up(const char* host, int port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(host, std::to_string(port).c_str(), &wanted, &found); failed != 0)
    return Error{Fault::unavailable, ::gai_strerror(failed)};
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.bytes, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace outbox
