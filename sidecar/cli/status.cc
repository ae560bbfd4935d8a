#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "base/address.h"
#include "base/json_text.h"
#include "cli/known_route.h"
#include "cli/subcommand.h"
#include "core/url.h"
#include "http/client.h"
#include "http/operator_json.h"

namespace outbox::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t blocked_keys_max = 20;
constexpr std::size_t waiting_topics_max = 10;

/// Where a relay that listens there is reached from this machine.
std::string reachable(const std::string& host) {
  if (host.empty() || host == "0.0.0.0") return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

/// GET `path` at http.listen, with http.token if there is one. Errors: unavailable, nobody answers; refused,
/// HTTP is turned off or its port is not fixed.
Result<HttpReply> ask_relay(const Config& config, const std::string& path) {
  const auto address = parse_listen(config.http_listen);
  if (!address) return Error{Fault::refused, "http.listen is off: a relay cannot be asked"};
  if (address->port == 0)
    return Error{Fault::refused, "http.listen has port 0: only the relay's log tells where it listens"};
  auto reply = http_get(reachable(address->host), address->port, path, config.http_token);
  if (!reply) return Error{Fault::unavailable, "no relay answers at " + config.http_listen};
  return reply;
}

struct StatusOptions : CommonOptions {
  bool json = false;
};

bool healthy(const Json& status) {
  const auto state = status.value("state", "");
  return state == "running" || state == "paused" || state == "draining";
}

/// One route as far as the database knows it.
Result<Json> route_of_database(Admin& admin, const std::string& name, const std::vector<RouteShard>& marks) {
  const auto known = known_route(admin, name, marks);
  if (!known) return known.error();
  const auto keys = admin.blocked_keys(name, blocked_keys_max);
  if (!keys) return keys.error();
  const auto topics = admin.waiting_topics(name, waiting_topics_max);
  if (!topics) return topics.error();
  Json reasons = Json::array(), leases = Json::array(), held = Json::object(), blocked = Json::array();
  if (!known->is_leased()) reasons.push_back("no relay holds its lease");
  for (const WaitingTopic& topic : *topics) reasons.push_back(reason_of(topic_status(topic)));
  for (const RouteShard& mark : known->marks)
    leases.push_back({{"shard", mark.shard}, {"owner", mark.owner}, {"epoch", mark.epoch}, {"mine", false}});
  for (const auto& [state, count] : known->held) held[std::string(name_of(state))] = count.rows;
  for (const BlockedKey& key : *keys) blocked.push_back(blocked_key_json(blocked_key_status(key)));
  return Json{{"name", name},
              {"state", known->is_paused()   ? "paused"
                        : known->is_leased() ? "leased"
                                             : "unattended"},
              {"reasons", std::move(reasons)},
              {"pending", known->backlog.pending},
              {"pending_exact", true},
              {"oldest_pending_age_seconds", known->oldest_waiting_seconds()},
              {"leases", std::move(leases)},
              {"held", std::move(held)},
              {"blocked_keys", std::move(blocked)}};
}

/// What /status says, as far as the database knows it.
Result<Json> status_of_database(const Context& context, const Config& config, const std::string& why) {
  const auto admin = open_admin(context, config);
  if (!admin) return admin.error();
  const auto marks = (*admin)->routes();
  if (!marks) return marks.error();
  std::set<std::string> names;
  for (const RouteShard& mark : *marks) names.insert(mark.route);
  for (const RouteConfig& route : config.routes) names.insert(route.name);

  Json reasons = Json::array({why + "; this is what the database says"});
  Json routes = Json::array();
  bool attended = !names.empty();
  for (const std::string& name : names) {
    auto route = route_of_database(**admin, name, *marks);
    if (!route) return route.error();
    attended &= (*route)["state"] != "unattended";
    routes.push_back(std::move(*route));
  }
  if (names.empty()) reasons.push_back("no relay has run on this database yet");
  return Json{{"version", nullptr},
              {"instance", nullptr},
              {"state", attended ? "unknown" : "degraded"},
              {"reasons", reasons},
              {"database",
               {{"kind", store_adapter(context, config).name},
                {"url", redacted(config.database_url)},
                {"connected", true}}},
              {"routes", routes}};
}

int show(const Context& context, const StatusOptions& options, const Json& status) {
  if (options.json)
    context.wiring.out << json_text(status);
  else
    context.wiring.out << status_text(status);
  return healthy(status) || status.value("state", "") == "unknown" ? exit_code::done : exit_code::failed;
}

int status(const Context& context, const StatusOptions& options) {
  const auto config = configure(context, options, Need::nothing);
  if (!config) return exit_code::configuration;
  const auto answer = ask_relay(*config, "/status");
  if (!answer) {
    if (config->database_url.empty()) return fail(context, answer.error());
    const auto known = status_of_database(context, *config, answer.error().text);
    if (known) return show(context, options, *known);
    fail(context, answer.error());
    return fail(context, known.error());
  }
  if (answer->status == 401)
    return fail(context, {Fault::refused, "the relay at " + config->http_listen +
                                              " wants its token: give http.token, or OUTBOXD_HTTP_TOKEN"});
  const auto parsed = read_json<Json>(answer->body);
  if (answer->status != 200 || !parsed.is_object() || !parsed.contains("state"))
    return fail(context, {Fault::refused, "what answers at " + config->http_listen + " is no outboxd (HTTP " +
                                              std::to_string(answer->status) + ")"});
  return show(context, options, parsed);
}

struct HealthcheckOptions : CommonOptions {
  bool ready = false;
};

int healthcheck(const Context& context, const HealthcheckOptions& options) {
  const auto config = configure(context, options, Need::nothing);
  if (!config) return exit_code::configuration;
  const auto answer = ask_relay(*config, options.ready ? "/readyz" : "/livez");
  if (!answer) return fail(context, answer.error());
  if (answer->status == 200) return exit_code::done;
  context.wiring.err << "outboxd: the relay at " << config->http_listen << " answers " << answer->status
                     << ": " << printable(answer->body.substr(0, 1000)) << "\n";
  return exit_code::failed;
}

}  // namespace

void add_status(Subcommand app, Context& context) {
  auto command =
      app.add_command("status", "What the relay says of itself; without one, what the database says");
  auto options = std::make_shared<StatusOptions>();
  add_config_options(command, *options);
  add_database_option(command, *options);
  add_listen_option(command, *options);
  command.add_flag("--json", options->json, "As JSON");
  command.footer("Exit code: 0 healthy, 1 degraded, 69 neither relay nor database can be reached.");
  on_run(command, context, options, status);
}

void add_healthcheck(Subcommand app, Context& context) {
  auto command = app.add_command(
      "healthcheck", "Whether the relay of this machine is alive: for container images without curl");
  auto options = std::make_shared<HealthcheckOptions>();
  add_config_options(command, *options);
  add_listen_option(command, *options);
  command.add_flag("--ready", options->ready, "Whether it is ready, instead of alive");
  on_run(command, context, options, healthcheck);
}

}  // namespace outbox::cli
