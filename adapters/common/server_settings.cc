#include "adapters/common/server_settings.h"

#include <algorithm>
#include <utility>

#include "adapters/common/settings.h"

namespace outbox {
Result<std::string> read_server(const BrokerTarget& target, const ServerKind& kind,
                                ServerSettings& settings) {
  auto url = parse_url(target.url);
  if (!url) return kind.misconfigured(url.error().text);
  if (url->hosts.empty() ||
      std::ranges::any_of(url->hosts, [](const Url::Host& host) { return host.name.empty(); }))
    return kind.misconfigured("the URL names no host; write " + std::string(kind.example_url));
  if (!url->query.empty())
    return kind.misconfigured(
        "the URL takes no parameters (what follows its '?'); put settings under [route." +
        std::string(kind.name) + "]");
  settings.is_tls = url->scheme == kind.tls_scheme;
  settings.hosts = std::move(url->hosts);
  settings.default_port = settings.is_tls ? kind.tls_port : kind.port;
  settings.user = std::move(url->user);
  settings.password = std::move(url->password);
  if (auto read = read_limits_and_files(target, kind, settings); !read) return read.error();
  return std::move(url->path);
}

Result<void> read_limits_and_files(const BrokerTarget& target, const ServerKind& kind,
                                   ServerSettings& settings) {
  settings.timeout = setting<Duration>(target.settings, "timeout");
  settings.connect_timeout = setting<Duration>(target.settings, "connect_timeout");
  settings.ca_file = setting<std::string>(target.settings, "ca_file");
  settings.cert_file = setting<std::string>(target.settings, "cert_file");
  settings.key_file = setting<std::string>(target.settings, "key_file");
  if (target.settings.contains("server_name"))
    settings.server_name = setting<std::string>(target.settings, "server_name");
  if (settings.cert_file.empty() != settings.key_file.empty())
    return kind.misconfigured("cert_file and key_file belong together: give both or none");
  return {};
}

}  // namespace outbox
