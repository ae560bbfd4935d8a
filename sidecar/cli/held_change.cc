#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/held_filter.h"
#include "http/operator_json.h"

namespace outbox::cli {
namespace {

constexpr std::size_t shown_max = 20;

struct ChangeOptions : HeldOptions {
  HeldAction action = HeldAction::requeue;
  std::int64_t limit = INT64_MAX;
  bool dry_run = false;
};

std::string rows_text(std::int64_t rows) {
  return std::to_string(rows) + (rows == 1 ? " row" : " rows");
}

std::string outcome(HeldAction action, const Matched& done) {
  if (done.matched == 0) return "no held row matches: nothing was changed\n";
  const std::string others = done.changed == done.matched ? "" : " of " + std::to_string(done.matched);
  switch (action) {
    case HeldAction::requeue:
      return rows_text(done.changed) + others +
             " requeued: a running relay tries them again at once, attempts begin anew\n";
    case HeldAction::discard:
      return rows_text(done.changed) + others +
             " discarded: never delivered; until retention removes it, `outboxd replay` still sends a row "
             "again\n";
  }
  return "";
}

int show_dry_run(const Context& context, const ChangeOptions& options, Admin& database,
                 const Matched& found) {
  // With a limit it would be the oldest ones, and the list is in another order.
  const std::int64_t rows = std::min(found.matched, options.limit);
  if (rows > 0 && rows == found.matched) {
    auto entries = database.held(filter_of(options), std::nullopt, shown_max);
    if (!entries) return fail(context, entries.error());
    if (options.action == HeldAction::requeue)  // nobody could try them again
      std::erase_if(*entries, [](const HeldEntry& entry) { return entry.state == HeldState::unrouted; });
    context.wiring.out << held_table(*entries);
    const std::int64_t others = rows - std::ssize(*entries);
    if (others > 0) context.wiring.out << "... and " << others << " more\n";
  }
  context.wiring.out << rows_text(rows) << (rows < found.matched ? ", the oldest," : "") << " would be "
                     << (options.action == HeldAction::requeue ? "requeued" : "discarded")
                     << "; nothing was changed (--dry-run)\n";
  return exit_code::done;
}

int change(const Context& context, const ChangeOptions& options) {
  if (!options.all && !has_filter(options)) {
    context.wiring.err
        << "outboxd: this would change every held row of every route: say which (--route, --state, "
           "--key, --topic, --seq), or --all\n";
    return exit_code::usage;
  }
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());
  const auto done = (*database)->change_held(options.action, filter_of(options), options.limit,
                                             options.dry_run, this_actor());
  if (!done) return fail(context, done.error());
  if (options.json) {
    context.wiring.out << json_text(matched_json(*done));
    return exit_code::done;
  }
  if (options.dry_run) return show_dry_run(context, options, **database, *done);
  context.wiring.out << outcome(options.action, *done);
  return exit_code::done;
}

void add(CLI::App& held, Context& context, HeldAction action, const std::string& name,
         const std::string& description, const std::string& footer) {
  auto* command = held.add_subcommand(name, description);
  auto options = std::make_shared<ChangeOptions>();
  options->action = action;
  add_filter_options(*command, *options);
  command->add_flag("--all", options->all,
                    "Every held row that the filters let through, or simply every one");
  command->add_option("--limit", options->limit, "At most so many rows, the oldest first (default: no limit)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, INT64_MAX));
  command->add_flag("--dry-run", options->dry_run, "Only show which rows it would be");
  command->add_flag("--json", options->json, "As JSON: matched and changed");
  command->footer(footer);
  command->callback(
      [&context, options] { context.action = [&context, options] { return change(context, *options); }; });
}

}  // namespace

void add_held_requeue(CLI::App& held, Context& context) {
  add(held, context, HeldAction::requeue, "requeue",
      "Tries held rows again at once, with attempts that begin anew",
      "The message keeps its id; rows of one key go out in their order. Without a filter it needs --all. The "
      "change "
      "is recorded in outbox_audit.");
}

void add_held_discard(CLI::App& held, Context& context) {
  add(held, context, HeldAction::discard, "discard", "Gives held rows up: they are never delivered",
      "Look first: --dry-run shows the rows. What waits behind a discarded row of its key goes on. Without a "
      "filter "
      "it needs --all. The change is recorded in outbox_audit.");
}

}  // namespace outbox::cli
