#include "config/keys.h"

#include <algorithm>
#include <array>

#include "config/checks.h"

namespace outbox {
namespace {

using Kind = Rule::Kind;

constexpr std::int64_t second = 1000, minute = 60 * second, hour = 60 * minute,
                       day = 24 * hour;  // in milliseconds

Rule text(std::string (*check)(std::string_view)) {
  return {.kind = Kind::text, .check = check};
}
Rule secret(std::string (*check)(std::string_view)) {
  return {.kind = Kind::text, .secret = true, .check = check};
}
Rule integer(std::int64_t min, std::int64_t max) {
  return {.kind = Kind::integer, .min = min, .max = max};
}
Rule duration(std::int64_t min, std::int64_t max) {
  return {.kind = Kind::duration, .min = min, .max = max};
}
Rule duration_or_none(std::int64_t min, std::int64_t max) {
  return {.kind = Kind::duration, .min = min, .max = max, .can_lack = true};
}
Rule choice(std::string_view choices) {
  return {.kind = Kind::choice, .choices = choices};
}

}  // namespace

std::span<const Key<Config>> config_keys() {
  static const std::array keys = std::to_array<Key<Config>>({
      {"database", "url", &Config::database_url, secret(nullptr), "",
       "where the outbox is: postgresql://user@host/database or sqlite:path; required"},
      {"outbox", "table", &Config::table, text(check_table), "\"outbox\"",
       "[schema.]name of the outbox table"},
      {"outbox", "retention", &Config::retention, duration(0, 3650 * day), "\"1h\"",
       "how long sent rows are kept for replay, the longest of all routes of the database; \"0s\": removed "
       "at once"},
      {"outbox", "dead_retention", &Config::dead_retention, duration_or_none(0, 3650 * day), "\"\"",
       "how long dead letters are kept after their last attempt; \"\": until an operator decides"},
      {"outbox", "texts_max", &Config::texts_max, integer(1024, 16 << 20), "65536",
       "bytes of a row's topic, key, type, content type and headers together; more make a dead letter"},
      {"relay", "window", &Config::window, integer(1, 1'000'000), "4096",
       "messages in flight per route; the most that a crash can repeat"},
      {"relay", "drain_timeout", &Config::drain_timeout, duration(0, hour), "\"10s\"",
       "how long a stopping relay waits for acknowledgements"},
      {"relay", "lease", &Config::lease, duration(second, hour), "\"10s\"",
       "how long a silent relay keeps its routes before another takes over"},
      {"relay", "shards", &Config::shards, integer(1, 64), "1",
       "parts, by hash of the key, that relays share a route in; the same for all of them"},
      {"relay", "source", &Config::source, text(check_source), "\"\"",
       "CloudEvents source; default: outboxd/<database name>"},
      {"retry", "attempts_max", &Config::attempts_max, integer(1, 1'000'000), "10",
       "attempts before a message becomes a dead letter; outages use none"},
      {"retry", "backoff_min", &Config::backoff_min, duration(1, day), "\"200ms\"",
       "pause after the first failure"},
      {"retry", "backoff_max", &Config::backoff_max, duration(1, day), "\"5m\"",
       "longest pause between attempts"},
      {"retry", "on_dead", &Config::block_on_dead, choice("continue|block"), "\"continue\"",
       "after a dead letter its key goes on, or waits for an operator (\"block\")"},
      {"retry", "held_max", &Config::held_max, integer(1, INT32_MAX), "200000",
       "held rows of a route; beyond them it stops reading until there are fewer"},
      {"http", "listen", &Config::http_listen, text(check_listen), "\"127.0.0.1:8477\"",
       "address of status, health and metrics; \"\": off; another than loopback needs a token"},
      {"http", "token", &Config::http_token, secret(check_token), "\"\"",
       "bearer token of the administration interface; without it there is none"},
      {"log", "format", &Config::log_format, choice("text|json"), "\"text\"",
       "how log lines are written on stderr"},
      {"log", "level", &Config::log_level, choice("debug|info|warning|error"), "\"info\"",
       "the least that is logged"},
  });
  return keys;
}

std::span<const Key<RouteConfig>> route_keys() {
  static const std::array keys = std::to_array<Key<RouteConfig>>({
      {"", "name", &RouteConfig::name, text(check_route_name), "\"main\"",
       "unique; the route's mark is kept under it"},
      {"", "to", &RouteConfig::to, secret(nullptr), "", "broker URL; required"},
      {"",
       "topics",
       &RouteConfig::topics,
       {.kind = Kind::list, .check = check_topic_pattern},
       "[\"*\"]",
       "patterns of the topics it takes; * stands for any run of characters"},
      {"", "start", &RouteConfig::start, choice("oldest|now"), "\"oldest\"",
       "where a new route begins: at the oldest retained row, or now"},
      {"", "headers", &RouteConfig::attributes, choice("full|minimal"), "\"full\"",
       "\"minimal\": only id and content type travel beside the row's own headers"},
  });
  return keys;
}

template <class Owner>
void assign(Owner& owner, const Key<Owner>& key, Value value) {
  const auto choice_index = [&] {
    const auto choices = choices_of(key.rule.choices);
    return std::ranges::find(choices, std::get<std::string>(value)) - choices.begin();
  };
  std::visit(
      [&](auto member) {
        auto& target = owner.*member;
        using Target = std::remove_reference_t<decltype(target)>;
        if constexpr (std::is_same_v<Target, int>)
          target = static_cast<int>(std::get<std::int64_t>(value));
        else if constexpr (std::is_same_v<Target, std::optional<Duration>>)
          target = std::holds_alternative<Duration>(value) ? Target(std::get<Duration>(value)) : std::nullopt;
        else if constexpr (std::is_enum_v<Target>)
          target = static_cast<Target>(choice_index());
        else if constexpr (std::is_same_v<Target, bool>)
          target = key.rule.kind == Kind::choice ? choice_index() != 0 : std::get<bool>(value);
        else
          target = std::get<Target>(std::move(value));
      },
      key.member);
}

template void assign(Config&, const Key<Config>&, Value);
template void assign(RouteConfig&, const Key<RouteConfig>&, Value);

std::string environment_name(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 'a' + 'A');
    else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
      c = '_';
  }
  return result;
}

}  // namespace outbox
