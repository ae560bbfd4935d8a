#include "adapters/brokers/nats/nats_settings.h"

#include <array>

#include "adapters/brokers/nats/nats_subject.h"
#include "adapters/common/settings.h"

namespace outbox {
namespace {

using Kind = SettingSpec::Kind;

constexpr std::array specs = {
    SettingSpec{
        .key = "creds_file",
        .fallback = "",
        .doc = "file with the user's JWT and nkey seed, as `nsc` writes it; instead of a user in the URL"},
    SettingSpec{
        .key = "inbox_prefix",
        .fallback = "_INBOX",
        .doc = "subject under which acknowledgements are awaited; the user must be allowed to subscribe to "
               "<inbox_prefix>.>"},
    SettingSpec{.key = "timeout",
                .kind = Kind::duration,
                .fallback = "10s",
                .doc = "time without an acknowledgement after which the connection is given up"},
    SettingSpec{.key = "connect_timeout",
                .kind = Kind::duration,
                .fallback = "5s",
                .doc = "time for connecting, TLS and login together; several hosts share it"},
    SettingSpec{.key = "ca_file",
                .fallback = "",
                .doc = "TLS: certificates that are trusted beside the system's, PEM"},
    SettingSpec{.key = "cert_file", .fallback = "", .doc = "TLS: the relay's own certificate, PEM"},
    SettingSpec{.key = "key_file", .fallback = "", .doc = "TLS: the key of cert_file, PEM"},
    SettingSpec{.key = "server_name",
                .fallback = "",
                .doc = "TLS: name that the server's certificate must carry; default: the URL's host"},
};

Error bad(const std::string& what) {
  return {Fault::misconfigured, "nats: " + what};
}

}  // namespace

std::span<const SettingSpec> nats_setting_specs() {
  return specs;
}

std::string nats_endpoint(const Url::Host& host) {
  const bool is_ipv6 = host.name.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host.name + "]" : host.name) + ":" + std::to_string(host.port.value_or(4222));
}

Result<NatsSettings> parse_nats_settings(const BrokerTarget& target) {
  auto url = parse_url(target.url);
  if (!url) return bad(url.error().text);
  if (url->hosts.empty() || url->hosts.front().name.empty())
    return bad("the URL names no host; write nats://localhost:4222");
  if (!url->path.empty()) return bad("the URL takes no path: a row's topic is its subject");
  if (!url->query.empty())
    return bad("the URL takes no parameters ('" + url->query.front().first +
               "'); put settings under [route.nats]");

  NatsSettings settings;
  settings.is_tls = url->scheme == "tls";
  settings.hosts = std::move(url->hosts);
  settings.user = std::move(url->user);
  settings.password = std::move(url->password);
  settings.creds_file = setting<std::string>(target.settings, "creds_file");
  settings.inbox_prefix = setting<std::string>(target.settings, "inbox_prefix");
  settings.timeout = setting<Duration>(target.settings, "timeout");
  settings.connect_timeout = setting<Duration>(target.settings, "connect_timeout");
  settings.ca_file = setting<std::string>(target.settings, "ca_file");
  settings.cert_file = setting<std::string>(target.settings, "cert_file");
  settings.key_file = setting<std::string>(target.settings, "key_file");
  settings.server_name = setting<std::string>(target.settings, "server_name");
  if (settings.cert_file.empty() != settings.key_file.empty())
    return bad("cert_file and key_file belong together: give both or none");
  if (settings.user.empty() && !settings.password.empty())
    return bad("the URL has a password but no user; a token is written nats://token@host");
  if (!settings.user.empty() && !settings.creds_file.empty())
    return bad("the URL has a user and creds_file another: give one of them");
  if (const std::string fault = nats_subject_fault(settings.inbox_prefix + ".x");
      !fault.empty() || settings.inbox_prefix.size() > 200)
    return bad("inbox_prefix is no subject, or longer than 200 bytes");
  return settings;
}

}  // namespace outbox
