// Free of doctest, so that measurements can use it as well.
#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {
namespace {

Duration parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error == std::errc{} && unit == "ms") return std::chrono::milliseconds(count);
  if (error == std::errc{} && unit == "s") return std::chrono::seconds(count);
  if (error == std::errc{} && unit == "m") return std::chrono::minutes(count);
  throw std::runtime_error("a setting's default is no duration: " + std::string(text));
}

SettingValue default_value(const SettingSpec& spec) {
  switch (spec.kind) {
    case SettingSpec::Kind::text:
    case SettingSpec::Kind::choice:
      return std::string(spec.fallback);
    case SettingSpec::Kind::integer:
      return std::int64_t{std::stoll(std::string(spec.fallback))};
    case SettingSpec::Kind::boolean:
      return spec.fallback == "true";
    case SettingSpec::Kind::duration:
      return parse_duration(spec.fallback);
  }
  return {};
}

}  // namespace

void Received::add(std::string_view content_type_name, std::string_view prefix, const std::string& name,
                   std::string value) {
  if (name == content_type_name)
    content_type = std::move(value);
  else if (name.starts_with(prefix))
    attributes[name.substr(prefix.size())] = std::move(value);
  else
    headers[name] = std::move(value);
}

Settings default_settings(std::span<const SettingSpec> specs) {
  Settings settings;
  for (const SettingSpec& spec : specs) settings.emplace(spec.key, default_value(spec));
  return settings;
}

std::unique_ptr<Broker> open_broker(const BrokerAdapter& adapter, const std::string& url,
                                    const Settings& changed, Attributes attributes) {
  BrokerTarget target{url, "/tests", attributes, default_settings(adapter.settings)};
  for (const auto& [key, value] : changed) target.settings.at(key) = value;
  auto broker = adapter.open(target);
  if (!broker) throw std::runtime_error(broker.error().text);
  return std::move(broker).value();
}

std::size_t count(const std::vector<Delivery>& deliveries, Verdict verdict) {
  return static_cast<std::size_t>(std::ranges::count_if(
      deliveries, [=](const Delivery& delivery) { return delivery.verdict == verdict; }));
}

}  // namespace outbox::test
