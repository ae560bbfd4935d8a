#include "cli/mark.h"

#include <ostream>

#include "base/text.h"
#include "base/timestamp.h"
#include "cli/subcommand.h"

namespace outbox::cli {
namespace {

struct RebaseOptions : CommonOptions {
  std::string route;
  std::string from;
  bool dry_run = false;
};

std::string check_rebase_from(const std::string& text) {
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

void add_rebase(Subcommand mark, Context& context) {
  auto command = mark.add_command("rebase", "Puts the mark where you say and vouches for this database");
  auto options = std::make_shared<RebaseOptions>();
  add_config_options(command, *options);
  add_database_option(command, *options);
  command
      .add_option(
          "--from", options->from,
          "oldest: all retained rows go out, again too; now: none of those that are there; a seq or a "
          "time (created_at, RFC 3339): that row and what follows")
      .type_name("oldest|now|SEQ|TIME")
      .required()
      .check(check_rebase_from);
  command.add_option("--route", options->route, "The route (default: every route)").type_name("NAME");
  command.add_flag("--dry-run", options->dry_run, "Only count the rows");
  command.footer(
      "For a database that was restored from a backup or moved to another server: the relay does not know "
      "what "
      "its brokers have got meanwhile, and waits for this decision. oldest repeats rather than loses; now "
      "skips what was not sent. The change is recorded in outbox_audit.");
  on_run(command, context, options, rebase);
}

struct ReplayOptions : CommonOptions {
  std::string route;
  std::string from;
  bool dry_run = false;
};

std::string check_replay_from(const std::string& text) {
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

std::optional<MarkPlace> parse_mark_place(const std::string& text) {
  using Kind = MarkPlace::Kind;
  if (text == "oldest") return MarkPlace{Kind::oldest, 0, ""};
  if (text == "now") return MarkPlace{Kind::now, 0, ""};
  if (const auto seq = parse_number<std::int64_t>(text))
    return *seq >= 0 ? std::optional(MarkPlace{Kind::seq, *seq, ""}) : std::nullopt;
  const auto time = parse_timestamp(text);
  if (!time) return std::nullopt;
  return MarkPlace{Kind::time, 0, format_timestamp(*time)};
}

std::string described(const MarkPlace& place) {
  switch (place.kind) {
    case MarkPlace::Kind::oldest:
      return "the oldest retained row";
    case MarkPlace::Kind::now:
      return "the present";
    case MarkPlace::Kind::seq:
      return "seq " + std::to_string(place.seq);
    case MarkPlace::Kind::time:
      return place.time;
  }
  return "";
}

void add_mark(Subcommand app, Context& context) {
  auto mark =
      app.add_command("mark", "Where a route stands in the outbox: decides after a restore or a move");
  mark.require_command();
  add_rebase(mark, context);
}

void add_replay(Subcommand app, Context& context) {
  auto command = app.add_command("replay", "Delivers again what a route has sent, as far as it is retained");
  auto options = std::make_shared<ReplayOptions>();
  add_config_options(command, *options);
  add_database_option(command, *options);
  command.add_option("--route", options->route, "The route").type_name("NAME").required();
  command
      .add_option("--from", options->from, "The first row: its seq, a time (created_at, RFC 3339), or oldest")
      .type_name("SEQ|TIME|oldest")
      .required()
      .check(check_replay_from);
  command.add_flag("--dry-run", options->dry_run, "Only count the rows");
  command.footer(
      "Rows that the route has not sent yet are never skipped. Consumers see the ids again that they have "
      "seen. "
      "How far back it can go: outbox.retention. The change is recorded in outbox_audit.");
  on_run(command, context, options, replay);
}

}  // namespace outbox::cli
