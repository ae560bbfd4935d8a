#include <ostream>
#include <set>

#include "cli/subcommand.h"
#include "config/checks.h"

namespace outbox::cli {
namespace {

struct PauseOptions : CommonOptions {
  std::string route;
};

/// The routes to change: the one that is named, or all that have a mark.
Result<std::set<std::string>> chosen_routes(Admin& admin, const PauseOptions& options) {
  const auto marks = admin.routes();
  if (!marks) return marks.error();
  std::set<std::string> routes;
  for (const RouteShard& mark : *marks) routes.insert(mark.route);
  if (routes.empty())
    return Error{Fault::refused, "there is no route yet: no relay has run on this database"};
  if (options.route.empty()) return routes;
  if (!routes.contains(options.route))
    return Error{Fault::refused, "there is no route " + options.route +
                                     suggestion(options.route, {routes.begin(), routes.end()}) +
                                     "; a route is there once a relay has run it"};
  return std::set<std::string>{options.route};
}

int set_paused(const Context& context, const PauseOptions& options, bool paused) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());
  const auto routes = chosen_routes(**database, options);
  if (!routes) return fail(context, routes.error());
  for (const std::string& route : *routes) {
    if (const auto done = (*database)->set_paused(route, paused, this_actor()); !done)
      return fail(context, done.error());
    context.wiring.out << printable(route) << (paused ? " paused" : " resumed") << "\n";
  }
  return exit_code::done;
}

void add(Subcommand app, Context& context, const std::string& name, const std::string& description,
         bool paused) {
  auto command = app.add_command(name, description);
  auto options = std::make_shared<PauseOptions>();
  add_config_options(command, *options);
  add_database_option(command, *options);
  command.add_option("--route", options->route, "The route (default: every route)").type_name("NAME");
  on_run(command, context, options,
         [paused](const Context& at, const PauseOptions& with) { return set_paused(at, with, paused); });
}

}  // namespace

void add_pause(Subcommand app, Context& context) {
  add(app, context, "pause", "Stops publishing; kept in the database, survives a restart", true);
}

void add_resume(Subcommand app, Context& context) {
  add(app, context, "resume", "Publishes again after a pause", false);
}

}  // namespace outbox::cli
