#include "http/metrics_text.h"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include "tests/unit/status_sample.h"

using namespace outbox;
using namespace std::chrono_literals;
using outbox::test::fresh_status;

namespace {

using Samples = std::map<std::string, double>;

/// The family that a sample's name belongs to.
std::string family_of(const std::string& name, const std::map<std::string, std::string>& types) {
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string base = name.substr(0, name.size() - suffix.size());
    if (const auto found = types.find(base); found != types.end() && found->second == "histogram")
      return base;
  }
  return name;
}

/// Reads text format 0.0.4 and throws on what Prometheus would refuse, or would take and misunderstand.
Samples parsed(const std::string& text) {
  static const std::regex type_line("# TYPE ([a-z_]+) (counter|gauge|histogram)");
  static const std::regex help_line("# HELP ([a-z_]+) [^\\\\]+");
  static const std::regex sample_line(
      "([a-z_]+)(\\{[a-z]+=\"(?:[^\"\\\\]|\\\\[\\\\n\"])*\"(?:,[a-z]+=\"(?:[^\"\\\\]|\\\\[\\\\n\"])*\")*\\})?"
      " (\\S+)");
  if (!text.ends_with('\n')) throw std::runtime_error("the last line has no end");
  Samples samples;
  std::map<std::string, std::string> types;
  std::set<std::string> helped;
  std::string current;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, help_line)) {
      if (!helped.insert(match[1]).second) throw std::runtime_error("a second HELP: " + line);
    } else if (std::regex_match(line, match, type_line)) {
      current = match[1];
      if (!helped.contains(current)) throw std::runtime_error("TYPE without HELP: " + line);
      if (!types.emplace(match[1], match[2]).second) throw std::runtime_error("a second TYPE: " + line);
    } else if (std::regex_match(line, match, sample_line)) {
      if (family_of(match[1], types) != current) throw std::runtime_error("outside of its family: " + line);
      if (types.at(current) == "counter" && !current.ends_with("_total"))
        throw std::runtime_error("a counter without _total: " + line);
      const std::string value = match[3];
      const double number = value == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(value);
      if (!samples.emplace(match[1].str() + match[2].str(), number).second)
        throw std::runtime_error("twice: " + line);
    } else {
      throw std::runtime_error("not a line of the format: " + line);
    }
  }
  return samples;
}

Samples metrics(const Status& status) {
  return parsed(metrics_text(status, process_usage()));
}

}  // namespace

TEST_CASE("every series of the contract is there from the start with its zero") {
  const Samples samples = metrics(fresh_status());
  for (const char* name : {"outbox_oldest_pending_age_seconds{route=\"orders\"}",
                           "outbox_pending_messages{route=\"orders\"}",
                           "outbox_held_messages{route=\"orders\",state=\"retrying\"}",
                           "outbox_held_messages{route=\"orders\",state=\"blocked\"}",
                           "outbox_held_messages{route=\"orders\",state=\"scheduled\"}",
                           "outbox_held_messages{route=\"orders\",state=\"dead\"}",
                           "outbox_held_messages{route=\"orders\",state=\"unrouted\"}",
                           "outbox_oldest_held_age_seconds{route=\"orders\",state=\"retrying\"}",
                           "outbox_oldest_held_age_seconds{route=\"orders\",state=\"unrouted\"}",
                           "outbox_duplicates_reported_total{route=\"orders\"}",
                           "outbox_sent_total{route=\"orders\"}",
                           "outbox_sent_bytes_total{route=\"orders\"}",
                           "outbox_publish_failures_total{route=\"orders\",verdict=\"retry\"}",
                           "outbox_publish_failures_total{route=\"orders\",verdict=\"rejected\"}",
                           "outbox_publish_failures_total{route=\"orders\",verdict=\"unavailable\"}",
                           "outbox_publish_failures_total{route=\"orders\",verdict=\"misconfigured\"}",
                           "outbox_publish_failures_total{route=\"orders\",verdict=\"in_doubt\"}",
                           "outbox_dead_total{route=\"orders\"}",
                           "outbox_delivery_seconds_count{route=\"orders\"}",
                           "outbox_delivery_seconds_sum{route=\"orders\"}",
                           "outbox_delivery_seconds_bucket{route=\"orders\",le=\"0.001\"}",
                           "outbox_delivery_seconds_bucket{route=\"orders\",le=\"+Inf\"}",
                           "outbox_publish_seconds_count{route=\"orders\"}",
                           "outbox_read_seconds_count",
                           "outbox_read_seconds_bucket{le=\"+Inf\"}",
                           "outbox_settle_seconds_count",
                           "outbox_inflight_messages{route=\"orders\"}",
                           "outbox_paused{route=\"orders\"}",
                           "outbox_connected{route=\"orders\"}",
                           "outbox_lease_epoch{route=\"orders\",shard=\"0\"}",
                           "outbox_lease_lost_total",
                           "outbox_reconnects_total{what=\"broker\"}",
                           "outbox_reconnects_total{what=\"database\"}",
                           "outbox_wakeups_total{source=\"notify\"}",
                           "outbox_wakeups_total{source=\"poll\"}",
                           "outbox_unattended_routes",
                           "outbox_retention_removed_total",
                           "outbox_retention_lag_seconds",
                           "outbox_unrouted_total"}) {
    CAPTURE(name);
    REQUIRE(samples.contains(name));
    CHECK(samples.at(name) == 0);
  }
  CHECK(samples.at("outbox_build_info{version=\"1.2.3\"}") == 1);
  CHECK(samples.at("outbox_config_reload_success") == 1);
}

TEST_CASE("the process's own figures are plausible") {
  const Samples samples = metrics(fresh_status());
  CHECK(samples.at("process_resident_memory_bytes") > 1e6);
  CHECK(samples.at("process_virtual_memory_bytes") >= samples.at("process_resident_memory_bytes"));
  CHECK(samples.at("process_open_fds") >= 3);
  CHECK(samples.at("process_max_fds") >= samples.at("process_open_fds"));
  CHECK(samples.at("process_threads") >= 1);
  CHECK(samples.at("process_cpu_seconds_total") >= 0);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(samples.at("process_start_time_seconds") <= now + 2);
  CHECK(samples.at("process_start_time_seconds") > now - 3600);
}

TEST_CASE("histograms are cumulated, and those of the relay are the sum of its routes'") {
  Status status = fresh_status();
  status.routes.push_back(status.routes[0]);
  status.routes[1].name = "carts";
  status.routes[0].delivery.add(3ms);
  status.routes[0].delivery.add(7200s, 2);
  status.routes[0].read.add(2s);
  status.routes[1].read.add(4s);
  const Samples samples = metrics(status);
  CHECK(samples.at("outbox_delivery_seconds_bucket{route=\"orders\",le=\"0.0025\"}") == 0);
  CHECK(samples.at("outbox_delivery_seconds_bucket{route=\"orders\",le=\"0.005\"}") == 1);
  CHECK(samples.at("outbox_delivery_seconds_bucket{route=\"orders\",le=\"3600\"}") == 1);
  CHECK(samples.at("outbox_delivery_seconds_bucket{route=\"orders\",le=\"+Inf\"}") == 3);
  CHECK(samples.at("outbox_delivery_seconds_count{route=\"orders\"}") == 3);
  CHECK(samples.at("outbox_delivery_seconds_sum{route=\"orders\"}") == doctest::Approx(14400.003));
  CHECK(samples.at("outbox_delivery_seconds_count{route=\"carts\"}") == 0);
  CHECK(samples.at("outbox_read_seconds_count") == 2);
  CHECK(samples.at("outbox_read_seconds_sum") == doctest::Approx(6.0));
}

TEST_CASE("values appear under their labels") {
  Status status = fresh_status();
  RouteStatus& route = status.routes[0];
  route.state = RouteState::paused;
  route.connected = true;
  route.sent_total = 9'007'199'254'740'993u;
  route.failures[static_cast<std::size_t>(Verdict::unavailable)] = 4;
  route.held["dead"] = 2;
  route.wakeups_notified_total = 8;
  route.leases = {{0, "a", 3, true}, {1, "b", 5, false}};
  const Samples samples = metrics(status);
  CHECK(samples.at("outbox_paused{route=\"orders\"}") == 1);
  CHECK(samples.at("outbox_connected{route=\"orders\"}") == 1);
  CHECK(samples.at("outbox_publish_failures_total{route=\"orders\",verdict=\"unavailable\"}") == 4);
  CHECK(samples.at("outbox_held_messages{route=\"orders\",state=\"dead\"}") == 2);
  CHECK(samples.at("outbox_wakeups_total{source=\"notify\"}") == 8);
  CHECK(samples.at("outbox_lease_epoch{route=\"orders\",shard=\"1\"}") == 5);
  CHECK(metrics_text(status, {}).find("outbox_sent_total{route=\"orders\"} 9007199254740993\n") !=
        std::string::npos);
}

TEST_CASE("a label's value is escaped and changes nothing else") {
  Status status = fresh_status();
  status.routes[0].name = "a\"b\\c\nd} 1";
  const Samples samples = metrics(status);
  CHECK(samples.contains("outbox_sent_total{route=\"a\\\"b\\\\c\\nd} 1\"}"));
}
