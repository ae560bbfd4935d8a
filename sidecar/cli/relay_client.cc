#include "cli/relay_client.h"

#include "base/address.h"

namespace outbox::cli {
namespace {

/// Where a relay that listens there is reached from this machine.
std::string reachable(const std::string& host) {
  if (host.empty() || host == "0.0.0.0") return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

}  // namespace

Result<HttpReply> ask_relay(const Config& config, const std::string& path) {
  const auto address = parse_listen(config.http_listen);
  if (!address) return Error{Fault::refused, "http.listen is off: a relay cannot be asked"};
  if (address->port == 0)
    return Error{Fault::refused, "http.listen has port 0: only the relay's log tells where it listens"};
  auto reply = http_get(reachable(address->host), address->port, path, config.http_token);
  if (!reply) return Error{Fault::unavailable, "no relay answers at " + config.http_listen};
  return reply;
}

}  // namespace outbox::cli
