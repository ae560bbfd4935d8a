// The routes that the database knows, configured or not.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <thread>

#include "adapters/common/owner.h"
#include "cli/known_route.h"
#include "cli/subcommand.h"
#include "cli/text.h"
#include "http/operator_json.h"

namespace outbox::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration look_interval = std::chrono::milliseconds(250);

struct ListOptions : CommonOptions {
  bool json = false;
};

bool is_configured(const Config& config, const std::string& route) {
  return std::ranges::any_of(config.routes, [&](const RouteConfig& each) { return each.name == route; });
}

std::set<std::string> owners_of(const KnownRoute& route) {
  std::set<std::string> owners;
  for (const RouteShard& mark : route.marks)
    if (!mark.owner.empty()) owners.insert(mark.owner);
  return owners;
}

std::int64_t held_rows(const KnownRoute& route) {
  std::int64_t rows = 0;
  for (const auto& [state, count] : route.held) rows += count.rows;
  return rows;
}

std::string joined(const std::set<std::string>& owners) {
  std::string text;
  for (const std::string& owner : owners) text += (text.empty() ? "" : ", ") + owner;
  return text.empty() ? "-" : text;
}

Json json_of(const KnownRoute& route, bool configured) {
  return {{"name", route.name},
          {"configured", configured},
          {"owners", owners_of(route)},
          {"shards", route.marks.size()},
          {"paused", route.is_paused()},
          {"pending", route.backlog.pending},
          {"oldest_pending_age_seconds", route.oldest_waiting_seconds()},
          {"held", held_rows(route)}};
}

std::vector<std::string> cells_of(const KnownRoute& route, bool configured) {
  return {route.name,
          configured ? "yes" : "no",
          std::to_string(route.marks.size()),
          joined(owners_of(route)),
          std::to_string(route.backlog.pending),
          route.oldest_waiting_seconds() > 0 ? age_text(route.oldest_waiting_seconds()) : "-",
          std::to_string(held_rows(route)),
          route.is_paused() ? "paused" : ""};
}

int list(const Context& context, const ListOptions& options) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());
  const auto marks = (*database)->routes();
  if (!marks) return fail(context, marks.error());
  std::set<std::string> shown_routes;
  Json shown = {{"routes", Json::array()}};
  std::vector<std::vector<std::string>> rows;
  for (const RouteShard& mark : *marks) {
    if (!shown_routes.insert(mark.route).second) continue;
    const auto route = known_route(**database, mark.route, *marks);
    if (!route) return fail(context, route.error());
    const bool configured = is_configured(*config, mark.route);
    shown["routes"].push_back(json_of(*route, configured));
    rows.push_back(cells_of(*route, configured));
  }
  if (options.json)
    context.wiring.out << json_text(shown);
  else
    context.wiring.out << table({"ROUTE", "CONFIGURED", "SHARDS", "LEASE", "PENDING", "OLDEST", "HELD", ""},
                                rows);
  return exit_code::done;
}

struct DropOptions : CommonOptions {
  std::string route;
  bool dry_run = false;
};

/// The marks of the route whose owner may live.
Result<std::vector<RouteShard>> holders_of(Admin& admin, const std::string& route) {
  auto marks = admin.routes();
  if (!marks) return marks.error();
  std::erase_if(*marks, [&](const RouteShard& mark) { return mark.route != route || !may_live(mark.owner); });
  return marks;
}

/// Those of them who have done nothing for a lease, in which one that lives would have moved its beat.
/// Whoever moves it ends the watch.
Result<std::vector<RouteShard>> idle_holders(Admin& admin, const Context& context, const Config& config,
                                             const std::string& route) {
  auto seen = holders_of(admin, route);
  if (!seen || seen->empty()) return seen;
  context.wiring.err << "watching for " << age_text(in_seconds(config.lease)) << ": does "
                     << printable(seen->front().owner) << " live, which holds its lease?\n";
  const auto beats = [](const std::vector<RouteShard>& marks) {
    std::int64_t sum = 0;
    for (const RouteShard& mark : marks) sum += mark.beat;
    return sum;
  };
  for (const Instant end = now() + config.lease; now() < end;) {
    std::this_thread::sleep_for(std::min(look_interval, end - now()));
    const auto later = holders_of(admin, route);
    if (!later) return later;
    if (beats(*later) != beats(*seen)) break;
  }
  return seen;
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
