#include <ostream>

#include "cli/command.h"
#include "cli/mark_place.h"

namespace outbox::cli {
namespace {

struct ReplayOptions : CommonOptions {
  std::string route;
  std::string from;
  bool dry_run = false;
};

std::string check_from(std::string& text) {
  const auto place = parse_mark_place(text);
  if (place && place->kind != MarkPlace::Kind::now) return "";
  return "write a seq, a time as in 2026-01-31T10:00:00Z, or oldest";
}

int replay(const Context& context, const ReplayOptions& options) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());
  const MarkPlace from = *parse_mark_place(options.from);
  const auto rows = (*database)->replay(options.route, from, options.dry_run, this_actor());
  if (!rows) return fail(context, rows.error());
  std::ostream& out = context.wiring.out;
  out << "route " << options.route << ", from " << described(from) << " on: " << rows->matched
      << (rows->matched == 1 ? " retained row" : " retained rows");
  if (options.dry_run)
    out << " would go out again; nothing was changed (--dry-run)\n";
  else
    out << " go out again, in order and with the same ids; `outboxd status` shows how far it is\n";
  return exit_code::done;
}

}  // namespace

void add_replay(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("replay", "Delivers again what a route has sent, as far as it is retained");
  auto options = std::make_shared<ReplayOptions>();
  add_config_options(*command, *options);
  add_database_option(*command, *options);
  command->add_option("--route", options->route, "The route")->type_name("NAME")->required();
  command
      ->add_option("--from", options->from,
                   "The first row: its seq, a time (created_at, RFC 3339), or oldest")
      ->type_name("SEQ|TIME|oldest")
      ->required()
      ->check(CLI::Validator(check_from, ""));
  command->add_flag("--dry-run", options->dry_run, "Only count the rows");
  command->footer(
      "Rows that the route has not sent yet are never skipped. Consumers see the ids again that they have "
      "seen. "
      "How far back it can go: outbox.retention. The change is recorded in outbox_audit.");
  command->callback(
      [&context, options] { context.action = [&context, options] { return replay(context, *options); }; });
}

}  // namespace outbox::cli
