// The routes that the database knows, configured or not.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <thread>

#include "adapters/common/owner.h"
#include "cli/subcommand.h"
#include "cli/text.h"
#include "config/checks.h"

namespace outbox::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ListOptions : CommonOptions {
  bool json = false;
};

/// What the database knows of one route.
struct KnownRoute {
  std::string name;
  int shards = 0;
  std::set<std::string> owners;
  bool paused = false;
  bool is_configured = false;
  std::int64_t pending = 0;
  Duration oldest_age{};
  std::int64_t held = 0;
};

bool is_configured(const Config& config, const std::string& route) {
  return std::ranges::any_of(config.routes, [&](const RouteConfig& each) { return each.name == route; });
}

Result<std::vector<KnownRoute>> known_routes(Admin& admin, const Config& config) {
  const auto marks = admin.routes();
  if (!marks) return marks.error();
  std::vector<KnownRoute> routes;
  for (const RouteShard& mark : *marks) {
    if (routes.empty() || routes.back().name != mark.route) routes.emplace_back().name = mark.route;
    KnownRoute& route = routes.back();
    ++route.shards;
    route.paused |= mark.paused;
    if (!mark.owner.empty()) route.owners.insert(mark.owner);
  }
  for (KnownRoute& route : routes) {
    route.is_configured = is_configured(config, route.name);
    const auto backlog = admin.backlog(route.name);
    if (!backlog) return backlog.error();
    route.pending = backlog->pending;
    route.oldest_age = backlog->oldest_age;
    const auto held = admin.held_counts(route.name);
    if (!held) return held.error();
    for (const auto& [state, rows] : *held) route.held += rows;
  }
  return routes;
}

std::string joined(const std::set<std::string>& owners) {
  std::string text;
  for (const std::string& owner : owners) text += (text.empty() ? "" : ", ") + owner;
  return text.empty() ? "-" : text;
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

Json json_of(const std::vector<KnownRoute>& routes) {
  Json list = Json::array();
  for (const KnownRoute& route : routes)
    list.push_back({{"name", route.name},
                    {"configured", route.is_configured},
                    {"owners", route.owners},
                    {"shards", route.shards},
                    {"paused", route.paused},
                    {"pending", route.pending},
                    {"oldest_pending_age_seconds", seconds(route.oldest_age)},
                    {"held", route.held}});
  return {{"routes", std::move(list)}};
}

int list(const Context& context, const ListOptions& options) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());
  const auto routes = known_routes(**database, *config);
  if (!routes) return fail(context, routes.error());
  if (options.json) {
    context.wiring.out << json_of(*routes).dump(2) << "\n";
    return exit_code::done;
  }
  std::vector<std::vector<std::string>> rows;
  for (const KnownRoute& route : *routes)
    rows.push_back({route.name, route.is_configured ? "yes" : "no", std::to_string(route.shards),
                    joined(route.owners), std::to_string(route.pending),
                    route.pending > 0 ? age_text(seconds(route.oldest_age)) : "-", std::to_string(route.held),
                    route.paused ? "paused" : ""});
  context.wiring.out << table({"ROUTE", "CONFIGURED", "SHARDS", "LEASE", "PENDING", "OLDEST", "HELD", ""},
                              rows);
  return exit_code::done;
}

struct DropOptions : CommonOptions {
  std::string route;
  bool dry_run = false;
};

/// Those who hold a lease of it, after a whole lease in which a living one would have moved its beat.
Result<std::vector<RouteShard>> idle_holders(Admin& admin, const Context& context, const Config& config,
                                             const std::string& route) {
  const auto marks = admin.routes();
  if (!marks) return marks.error();
  std::vector<RouteShard> holders;
  for (const RouteShard& mark : *marks)
    if (mark.route == route && !mark.owner.empty() && !provably_gone(mark.owner)) holders.push_back(mark);
  if (holders.empty()) return holders;
  context.wiring.err << "waiting for " << age_text(seconds(config.lease)) << ": does "
                     << printable(holders.front().owner) << " live, which holds its lease?\n";
  std::this_thread::sleep_for(config.lease);
  return holders;
}

int drop(const Context& context, const DropOptions& options) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());
  auto idle = idle_holders(**database, context, *config, options.route);
  if (!idle) return fail(context, idle.error());
  const auto backlog = (*database)->backlog(options.route);
  if (!backlog) return fail(context, backlog.error());
  const auto held = (*database)->drop_route(options.route, *idle, options.dry_run, this_actor());
  if (!held) return fail(context, held.error());
  std::ostream& out = context.wiring.out;
  out << "route " << printable(options.route) << ": " << backlog->pending << " rows that it has not sent, "
      << held->matched << " that it holds; ";
  if (options.dry_run)
    out << "nothing was changed (--dry-run)\n";
  else
    out << "it is dropped, and they are not delivered by it\n";
  return exit_code::done;
}

}  // namespace

void add_route(Subcommand app, Context& context) {
  auto route = app.add_command("route", "The routes that the database knows, configured or not");
  route.require_command();

  auto listing = route.add_command("list", "Where each route stands, and who holds its lease");
  auto list_options = std::make_shared<ListOptions>();
  add_config_options(listing, *list_options);
  add_database_option(listing, *list_options);
  listing.add_flag("--json", list_options->json, "As JSON");
  on_run(listing, context, list_options, list);

  auto dropping = route.add_command("drop", "Forgets a route that is given up");
  auto drop_options = std::make_shared<DropOptions>();
  add_config_options(dropping, *drop_options);
  add_database_option(dropping, *drop_options);
  dropping.add_option("name", drop_options->route, "The route").type_name("NAME").required();
  dropping.add_flag("--dry-run", drop_options->dry_run, "Only count the rows");
  dropping.footer(
      "A route that nobody is configured for keeps every row that it has not sent from being removed. "
      "Dropping it is "
      "refused while a relay holds its lease. Rows that no route takes stay held. The change is recorded in "
      "outbox_audit.");
  on_run(dropping, context, drop_options, drop);
}

}  // namespace outbox::cli
