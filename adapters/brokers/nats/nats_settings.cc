#include "adapters/brokers/nats/nats_settings.h"

#include <array>

#include "adapters/brokers/nats/nats_subject.h"
#include "adapters/common/server_settings.h"
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
    cert_file_spec,
    key_file_spec,
    server_name_spec,
};

}  // namespace

std::span<const SettingSpec> nats_setting_specs() {
  return specs;
}

std::string nats_endpoint(const Url::Host& host) {
  return endpoint_of(host, nats_server.port);
}

Result<NatsSettings> parse_nats_settings(const BrokerTarget& target) {
  NatsSettings settings;
  const auto path = read_server(target, nats_server, settings);
  if (!path) return path.error();
  if (!path->empty()) return nats_server.misconfigured("the URL takes no path: a row's topic is its subject");
  settings.creds_file = setting<std::string>(target.settings, "creds_file");
  settings.inbox_prefix = setting<std::string>(target.settings, "inbox_prefix");
  if (settings.user.empty() && !settings.password.empty())
    return nats_server.misconfigured(
        "the URL has a password but no user; a token is written nats://token@host");
  if (!settings.user.empty() && !settings.creds_file.empty())
    return nats_server.misconfigured("the URL has a user and creds_file another: give one of them");
  if (const std::string fault = nats_subject_fault(settings.inbox_prefix + ".x");
      !fault.empty() || settings.inbox_prefix.size() > 200)
    return nats_server.misconfigured("inbox_prefix is no subject, or longer than 200 bytes");
  return settings;
}

}  // namespace outbox
