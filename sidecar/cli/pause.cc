#include <algorithm>
#include <ostream>
#include <set>

#include "cli/command.h"
#include "config/suggest.h"

namespace outbox::cli {
namespace {

struct PauseOptions : CommonOptions {
  std::string route;
};

int set_paused(const Context& context, const PauseOptions& options, bool paused) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto admin = open_admin(context, *config);
  if (!admin) return fail(context, admin.error());

  const auto marks = (*admin)->routes();
  if (!marks) return fail(context, marks.error());
  std::set<std::string> routes;
  for (const RouteShard& mark : *marks) routes.insert(mark.route);
  for (const RouteConfig& route : config->routes) routes.insert(route.name);
  if (!options.route.empty() && !routes.contains(options.route))
    return fail(context, {Fault::refused, "there is no route " + options.route +
                                              suggestion(options.route, {routes.begin(), routes.end()})});
  if (routes.empty())
    return fail(context, {Fault::refused, "there is no route yet: no relay has run on this database"});

  for (const std::string& route : routes) {
    if (!options.route.empty() && route != options.route) continue;
    if (const auto done = (*admin)->set_paused(route, paused); !done) return fail(context, done.error());
    context.wiring.out << route << (paused ? " paused" : " resumed") << "\n";
  }
  return exit_code::done;
}

void add(CLI::App& app, Context& context, const std::string& name, const std::string& description,
         bool paused) {
  auto* command = app.add_subcommand(name, description);
  auto options = std::make_shared<PauseOptions>();
  add_config_options(*command, *options);
  add_database_option(*command, *options);
  command->add_option("--route", options->route, "The route (default: every route)")->type_name("NAME");
  command->callback([&context, options, paused] {
    context.action = [&context, options, paused] { return set_paused(context, *options, paused); };
  });
}

}  // namespace

void add_pause(CLI::App& app, Context& context) {
  add(app, context, "pause", "Stops publishing; kept in the database, survives a restart", true);
}

void add_resume(CLI::App& app, Context& context) {
  add(app, context, "resume", "Publishes again after a pause", false);
}

}  // namespace outbox::cli
