#include <algorithm>
#include <ostream>
#include <set>

#include "adapters/common/owner.h"
#include "cli/privacy.h"
#include "cli/subcommand.h"
#include "cli/text.h"
#include "config/value.h"
#include "core/status.h"
#include "core/topics.h"
#include "core/url.h"

namespace outbox::cli {
namespace {

constexpr std::size_t waiting_topics_max = 100;

struct CheckOptions : CommonOptions {
  bool defaults = false;
  std::string timeout = "5s";
};

/// Prints findings, one line each, and keeps the worst for the exit code.
class Report {
 public:
  explicit Report(std::ostream& out) : out_(out) {}

  void ok(const std::string& what) { line("ok", what, ""); }

  void add(const std::string& subject, const Finding& finding) {
    const std::string what = subject + ": " + finding.what;
    switch (finding.level) {
      case Finding::Level::ok:
        return line("ok", what, "");
      case Finding::Level::warning:
        return line("warning", what, finding.fix);
      case Finding::Level::fault:
        return fault(Fault::misconfigured, what, finding.fix);
    }
  }

  void fault(Fault fault, const std::string& what, const std::string& fix) {
    line("fault", what, fix);
    code_ = std::max(code_, exit_code::of(fault));  // configuration over unavailable over failed
  }

  [[nodiscard]] int code() const { return code_; }

 private:
  void line(std::string_view level, const std::string& what, const std::string& fix) {
    out_ << level << std::string(9 - level.size(), ' ') << printable(what);
    if (!fix.empty()) out_ << "; fix: " << printable(fix);
    out_ << "\n" << std::flush;  // a broker may take seconds: what is known stands there already
  }

  std::ostream& out_;
  int code_ = exit_code::done;
};

/// Rows stay for a route that nobody runs, and nobody says so.
void check_unattended(Admin& admin, const Config& config, const std::string& subject, Report& report) {
  const auto marks = admin.routes();
  if (!marks) return;  // check() has said why
  std::set<std::string> attended;
  for (const RouteConfig& route : config.routes) attended.insert(route.name);
  for (const RouteShard& mark : *marks)
    if (may_live(mark.owner)) attended.insert(mark.route);
  for (const RouteShard& mark : *marks)
    if (attended.insert(mark.route).second)
      report.add(subject,
                 {Finding::Level::warning,
                  "route " + mark.route +
                      " is not configured here and no relay holds its lease: rows that it has not sent are "
                      "kept for it",
                  "if it is given up: outboxd route drop " + mark.route});
}

/// Rows wait, and the broker may be fine but for their topics.
void check_waiting_topics(Admin& admin, const Config& config, const std::string& subject, Report& report) {
  for (const RouteConfig& route : config.routes) {
    const auto topics = admin.waiting_topics(route.name, waiting_topics_max);
    if (!topics) return;  // check() has said why
    for (const WaitingTopic& topic : *topics)
      report.add(subject, {Finding::Level::warning,
                           "route " + route.name + ": " + reason_of(topic_status(topic)) +
                               ", the first one for " + age_text(in_seconds(topic.age)),
                           "mend it at the broker: they go out by themselves; or give them up: outboxd held "
                           "discard --route " +
                               route.name + " --topic TOPIC"});
  }
}

void check_database(const Context& context, const Config& config, Report& report) {
  const std::string subject = "database (" + redacted(config.database_url) + ")";
  const auto admin = open_admin(context, config);
  if (!admin) return report.fault(admin.error().fault, subject + ": " + admin.error().text, "");
  const auto findings = (*admin)->check();
  if (!findings)
    return report.fault(findings.error().fault, subject + ": " + findings.error().text,
                        "start the database, or correct database.url");
  for (const Finding& finding : *findings) report.add(subject, finding);
  if (const auto privacy = privacy_finding(config.database_url)) report.add(subject, *privacy);
  check_unattended(**admin, config, subject, report);
  check_waiting_topics(**admin, config, subject, report);
}

/// The session's first state, or `down` when the time is up.
Session connect(Broker& broker, Duration limit) {
  const Instant end = now() + limit;
  broker.connect();
  Answers answers;
  while (!answers.session) {
    const Duration left = end - now();
    if (left <= Duration::zero()) return {Session::State::down, "no answer within " + duration_text(limit)};
    broker.poll(left, answers);
  }
  return *answers.session;
}

/// The topics that are named in full, without a wildcard.
std::vector<std::string> full_names(const std::vector<std::string>& patterns) {
  std::vector<std::string> names;
  for (const std::string& pattern : patterns)
    if (pattern.find('*') == pattern.npos) names.push_back(pattern);
  return names;
}

/// `order.>` and the like take one topic that nobody writes to.
void check_patterns(const RouteConfig& route, const std::string& subject, Report& report) {
  for (const std::string& pattern : route.topics)
    if (const std::string_view foreign = foreign_wildcard(pattern); !foreign.empty())
      report.add(subject, {Finding::Level::warning,
                           "topics: in '" + pattern + "' the '" + std::string(foreign) +
                               "' stands for itself: only '*' is a wildcard, for any run of characters",
                           "write it with '*', as in 'order.*', or list the topics"});
}

void check_route(const Context& context, const Config& config, const RouteConfig& route, Duration limit,
                 Report& report) {
  const std::string subject = "route " + route.name + " (" + redacted(route.to) + ")";
  check_patterns(route, subject, report);
  if (const auto privacy = privacy_finding(route.to)) report.add(subject, *privacy);
  const BrokerAdapter* adapter = adapter_for(context.wiring.adapters.brokers, route.to);
  const BrokerTarget target{route.to, config.source, route.attributes, route.settings, true, config.shards};
  const auto broker = adapter->open(target);
  if (!broker) return report.fault(broker.error().fault, subject + ": " + broker.error().text, "");
  const Session session = connect(**broker, limit);
  switch (session.state) {
    case Session::State::up:
      report.ok(subject + ": connected");
      if (adapter->check)
        for (const Finding& finding : adapter->check(target, full_names(route.topics), limit))
          report.add(subject, finding);
      return;
    case Session::State::down:
      return report.fault(Fault::unavailable, subject + ": " + session.reason,
                          "start the broker, or correct the route's \"to\"");
    case Session::State::misconfigured:
      return report.fault(Fault::misconfigured, subject + ": " + session.reason,
                          "correct the route's \"to\", or the broker's permissions");
  }
}

int check(const Context& context, const CheckOptions& options) {
  if (options.defaults) {
    context.wiring.out << documented_defaults(context.wiring.adapters.brokers);
    return exit_code::done;
  }
  Report report(context.wiring.out);
  const Loaded loaded = load(context, options, Need::relay);
  for (const std::string& fault : loaded.faults) report.fault(Fault::misconfigured, fault, "");
  if (!loaded.faults.empty()) {
    context.wiring.err << "outboxd: the configuration is wrong; database and brokers were not tried\n";
    return report.code();
  }
  report.ok("configuration");
  check_database(context, loaded.config, report);
  for (const RouteConfig& route : loaded.config.routes)
    check_route(context, loaded.config, route, *parse_duration(options.timeout), report);
  return report.code();
}

std::string check_duration(const std::string& text) {
  return parse_duration(text) ? "" : "a duration is written as in 500ms, 5s, 1m";
}

}  // namespace

void add_check(Subcommand app, Context& context) {
  auto command = app.add_command("check", "Validates the configuration, tries the database and every broker");
  auto options = std::make_shared<CheckOptions>();
  add_config_options(command, *options);
  add_database_option(command, *options);
  command.add_option("--to", options->to, "Broker of the one route").type_name("URL");
  command.add_option("--timeout", options->timeout, "How long each broker may take")
      .type_name("DURATION")
      .shows_default()
      .check(check_duration);
  command.add_flag("--defaults", options->defaults,
                   "Print every key with its default and what it means, and do nothing else");
  on_run(command, context, options, check);
}

}  // namespace outbox::cli
