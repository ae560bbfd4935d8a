#include <doctest/doctest.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {
namespace {

using std::chrono::steady_clock;

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

Session Driver::connect() {
  session_.reset();
  broker_.connect();
  return session(std::chrono::seconds(10));
}

void Driver::submit(std::span<const Submission> messages) {
  open_ += messages.size();
  broker_.submit(messages);
}

bool Driver::poll() {
  Answers answers;
  broker_.poll(std::chrono::milliseconds(100), answers);
  REQUIRE_MESSAGE(answers.deliveries.size() <= open_, "more deliveries than messages were submitted");
  open_ -= answers.deliveries.size();
  std::ranges::move(answers.deliveries, std::back_inserter(deliveries_));
  if (!answers.session) return false;
  session_ = answers.session;
  is_up_ = session_->state == Session::State::up;
  if (!is_up_) REQUIRE_MESSAGE(open_ == 0, "a session that ended owes deliveries");
  return true;
}

std::vector<Delivery> Driver::deliveries(std::chrono::milliseconds deadline) {
  const auto end = steady_clock::now() + deadline;
  while (open_ > 0) {
    REQUIRE_MESSAGE(steady_clock::now() < end, open_, " messages without a delivery");
    poll();
  }
  return std::exchange(deliveries_, {});
}

Session Driver::session(std::chrono::milliseconds deadline) {
  const auto end = steady_clock::now() + deadline;
  while (!session_) {
    REQUIRE_MESSAGE(steady_clock::now() < end, "the session does not change");
    poll();
  }
  return *std::exchange(session_, std::nullopt);
}

std::vector<Delivery> Driver::publish(const Rows& rows, std::int64_t first) {
  if (!is_up_) {
    const Session session = connect();
    REQUIRE_MESSAGE(session.state == Session::State::up, session.reason);
  }
  submit(rows.submissions(first));
  return deliveries();
}

std::size_t count(const std::vector<Delivery>& deliveries, Verdict verdict) {
  return static_cast<std::size_t>(std::ranges::count_if(
      deliveries, [=](const Delivery& delivery) { return delivery.verdict == verdict; }));
}

Delivery delivery_of(const std::vector<Delivery>& deliveries, std::int64_t number) {
  const auto is_it = [=](const Delivery& delivery) { return delivery.ticket == static_cast<Ticket>(number); };
  REQUIRE(std::ranges::count_if(deliveries, is_it) == 1);
  return *std::ranges::find_if(deliveries, is_it);
}

}  // namespace outbox::test
