#include "adapters/brokers/amqp/amqp_settings.h"

#include <array>
#include <chrono>

#include "adapters/common/server_settings.h"
#include "adapters/common/settings.h"

namespace outbox {
namespace {

using Kind = SettingSpec::Kind;

constexpr std::array specs = {
    SettingSpec{.key = "exchange",
                .fallback = "",
                .doc = "exchange that is published to, with the topic as routing key; default: the default "
                       "exchange, which has a topic's messages go to the queue of the same name"},
    SettingSpec{
        .key = "attribute_prefix",
        .kind = Kind::choice,
        .fallback = "cloudEvents_",
        .choices = "cloudEvents_|ce-",
        .doc = "what headers with CloudEvents attributes begin with: as CloudEvents' binding for AMQP 1.0 "
               "has it, or as readers of RabbitMQ's own AMQP do (Knative, Python's cloudevents)"},
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
    connect_timeout_spec,
    ca_file_spec,
    cert_file_spec,
    key_file_spec,
    server_name_spec,
};

std::string fault_of(const AmqpSettings& settings) {
  if (settings.virtual_host.size() > short_string_max) return "the virtual host's name is too long";
  if (settings.exchange.size() > short_string_max) return "the exchange's name is too long";
  if (settings.user.empty() && !settings.password.empty()) return "the URL names a password but no user";
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
  AmqpSettings settings;
  auto path = read_server(target, amqp_server, settings);
  if (!path) return path.error();
  settings.virtual_host = path->empty() ? "/" : std::move(*path);
  settings.exchange = setting<std::string>(target.settings, "exchange");
  settings.attribute_prefix = setting<std::string>(target.settings, "attribute_prefix");
  settings.heartbeat = setting<Duration>(target.settings, "heartbeat");
  if (const std::string fault = fault_of(settings); !fault.empty()) return amqp_server.misconfigured(fault);
  // RabbitMQ's own default: it lets guest in from the server's own machine only.
  if (settings.user.empty() && settings.cert_file.empty()) settings.user = settings.password = "guest";
  return settings;
}

}  // namespace outbox
