#include "adapters/brokers/amqp/amqp_settings.h"

#include <array>
#include <chrono>

#include "adapters/common/settings.h"

namespace outbox {
namespace {

using Kind = SettingSpec::Kind;

constexpr std::array specs = {
    SettingSpec{.key = "exchange",
                .fallback = "",
                .doc = "exchange that is published to, with the topic as routing key; default: the default "
                       "exchange, which has a topic's messages go to the queue of the same name"},
    SettingSpec{.key = "heartbeat",
                .kind = Kind::duration,
                .fallback = "30s",
                .doc = "time between signs of life, whole seconds; a server that is silent for twice as long "
                       "is given up; 0s: none"},
    SettingSpec{.key = "timeout",
                .kind = Kind::duration,
                .fallback = "10s",
                .doc = "time for which the oldest message may wait for its confirm until the connection is "
                       "given up"},
    SettingSpec{.key = "connect_timeout",
                .kind = Kind::duration,
                .fallback = "5s",
                .doc = "time for connecting, TLS and login together"},
    SettingSpec{.key = "ca_file",
                .fallback = "",
                .doc = "amqps: certificates that are trusted, PEM; default: the system's"},
    SettingSpec{.key = "cert_file", .fallback = "", .doc = "amqps: the relay's own certificate, PEM"},
    SettingSpec{.key = "key_file", .fallback = "", .doc = "amqps: the key of cert_file, PEM"},
    SettingSpec{.key = "server_name",
                .fallback = "",
                .doc = "amqps: name that the server's certificate must carry; default: the URL's host"},
};

Error bad(const std::string& what) {
  return {Fault::misconfigured, "amqp: " + what};
}

std::string fault_of(const AmqpSettings& settings) {
  if (settings.virtual_host.size() > short_string_max) return "the virtual host's name is too long";
  if (settings.exchange.size() > short_string_max) return "the exchange's name is too long";
  if (settings.user.empty() && !settings.password.empty()) return "the URL names a password but no user";
  if (settings.cert_file.empty() != settings.key_file.empty())
    return "cert_file and key_file belong together: give both or none";
  if (settings.heartbeat % std::chrono::seconds(1) != Duration::zero() ||
      settings.heartbeat > std::chrono::seconds(0xFFFF))
    return "heartbeat must be whole seconds, at most 65535s";
  return {};
}

}  // namespace

std::span<const SettingSpec> amqp_setting_specs() {
  return specs;
}

Result<AmqpSettings> parse_amqp_settings(const BrokerTarget& target) {
  auto url = parse_url(target.url);
  if (!url) return bad(url.error().text);
  if (url->hosts.empty() || url->hosts.front().name.empty())
    return bad("the URL names no host; write amqp://user:password@localhost:5672");
  if (!url->query.empty())
    return bad("the URL takes no parameters ('" + url->query.front().first +
               "'); put settings under [route.amqp]");

  AmqpSettings settings;
  settings.is_tls = url->scheme == "amqps";
  settings.hosts = std::move(url->hosts);
  settings.user = std::move(url->user);
  settings.password = std::move(url->password);
  settings.virtual_host = url->path.empty() ? "/" : std::move(url->path);
  settings.exchange = setting<std::string>(target.settings, "exchange");
  settings.heartbeat = setting<Duration>(target.settings, "heartbeat");
  settings.timeout = setting<Duration>(target.settings, "timeout");
  settings.connect_timeout = setting<Duration>(target.settings, "connect_timeout");
  settings.ca_file = setting<std::string>(target.settings, "ca_file");
  settings.cert_file = setting<std::string>(target.settings, "cert_file");
  settings.key_file = setting<std::string>(target.settings, "key_file");
  settings.server_name = setting<std::string>(target.settings, "server_name");
  if (const std::string fault = fault_of(settings); !fault.empty()) return bad(fault);
  // RabbitMQ's own default: it lets guest in from the server's own machine only.
  if (settings.user.empty() && settings.cert_file.empty()) settings.user = settings.password = "guest";
  return settings;
}

}  // namespace outbox
