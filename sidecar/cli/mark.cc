#include <ostream>

#include "cli/command.h"
#include "cli/mark_place.h"

namespace outbox::cli {
namespace {

struct RebaseOptions : CommonOptions {
  std::string route;
  std::string from;
  bool dry_run = false;
};

std::string check_from(std::string& text) {
  return parse_mark_place(text) ? "" : "write oldest, now, a seq, or a time as in 2026-01-31T10:00:00Z";
}

int rebase(const Context& context, const RebaseOptions& options) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());
  const MarkPlace from = *parse_mark_place(options.from);
  const auto route = options.route.empty() ? std::nullopt : std::optional(options.route);
  const auto rows = (*database)->rebase(route, from, options.dry_run, this_actor());
  if (!rows) return fail(context, rows.error());
  std::ostream& out = context.wiring.out;
  out << (route ? "route " + *route : "every route") << ": " << rows->matched
      << (rows->matched == 1 ? " row lies" : " rows lie") << " behind " << described(from);
  if (options.dry_run)
    out << " and would go out; nothing was changed (--dry-run)\n";
  else
    out << " and will go out; the relay goes on with this database by itself\n";
  return exit_code::done;
}

void add_rebase(CLI::App& mark, Context& context) {
  auto* command = mark.add_subcommand("rebase", "Puts the mark where you say and vouches for this database");
  auto options = std::make_shared<RebaseOptions>();
  add_config_options(*command, *options);
  add_database_option(*command, *options);
  command
      ->add_option(
          "--from", options->from,
          "oldest: all retained rows go out, again too; now: none of those that are there; a seq or a "
          "time (created_at, RFC 3339): that row and what follows")
      ->type_name("oldest|now|SEQ|TIME")
      ->required()
      ->check(CLI::Validator(check_from, ""));
  command->add_option("--route", options->route, "The route (default: every route)")->type_name("NAME");
  command->add_flag("--dry-run", options->dry_run, "Only count the rows");
  command->footer(
      "For a database that was restored from a backup or moved to another server: the relay does not know "
      "what "
      "its brokers have got meanwhile, and waits for this decision. oldest repeats rather than loses; now "
      "skips what was not sent. The change is recorded in outbox_audit.");
  command->callback(
      [&context, options] { context.action = [&context, options] { return rebase(context, *options); }; });
}

}  // namespace

void add_mark(CLI::App& app, Context& context) {
  auto* mark =
      app.add_subcommand("mark", "Where a route stands in the outbox: decides after a restore or a move");
  mark->require_subcommand(1);
  add_rebase(*mark, context);
}

}  // namespace outbox::cli
