#include "cli/held.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <ostream>

#include "base/text.h"
#include "http/operator_json.h"

namespace outbox::cli {
namespace {

// ---- which rows a command is about ----

struct Options : CommonOptions {
  std::string route, state;
  std::optional<std::string> key, topic;
  std::vector<std::int64_t> seqs;
  bool all = false;
  bool json = false;
};

constexpr std::array states = {HeldState::retrying, HeldState::blocked, HeldState::scheduled, HeldState::dead,
                               HeldState::unrouted};

std::vector<std::string> state_names() {
  std::vector<std::string> names;
  for (const HeldState state : states) names.emplace_back(name_of(state));
  return names;
}

/// --config, --db, and --route, --state, --key, --topic, --seq.
void add_filter_options(Subcommand command, Options& options) {
  add_config_options(command, options);
  add_database_option(command, options);
  command.add_option("--route", options.route, "Of this route").type_name("NAME");
  command
      .add_option(
          "--state", options.state,
          "In this state: retrying (waits for its next attempt), blocked (waits behind an earlier row of "
          "its key), scheduled (waits for its deliver_at), dead (given up), unrouted (no route takes its "
          "topic)")
      .type_name("STATE")
      .one_of(state_names());
  command.add_option("--key", options.key, "With this message_key").type_name("KEY");
  command.add_option("--topic", options.topic, "With this topic").type_name("TOPIC");
  command.add_option("--seq", options.seqs, "With this seq; may be repeated, or be a list: 17,18")
      .type_name("N")
      .splits_at(',')
      .not_negative();
}

HeldFilter filter_of(const Options& options) {
  HeldFilter filter;
  if (!options.route.empty()) filter.route = options.route;
  for (const HeldState state : states)
    if (options.state == name_of(state)) filter.state = state;
  filter.key = options.key;
  filter.topic = options.topic;
  filter.seqs = options.seqs;
  return filter;
}

bool has_filter(const Options& options) {
  return !options.route.empty() || !options.state.empty() || options.key || options.topic ||
         !options.seqs.empty();
}

std::string held_table(const std::vector<HeldEntry>& entries) {
  std::vector<std::vector<std::string>> rows;
  for (const HeldEntry& entry : entries)
    rows.push_back({entry.route, std::to_string(entry.seq), std::string(name_of(entry.state)),
                    std::to_string(entry.attempts), entry.topic, entry.key.value_or("-"), entry.held_at,
                    entry.next_attempt_at.empty() ? "-" : entry.next_attempt_at, entry.last_error});
  return table(
      {"ROUTE", "SEQ", "STATE", "ATTEMPTS", "TOPIC", "KEY", "HELD SINCE", "NEXT ATTEMPT", "LAST ERROR"},
      rows);
}

// ---- list ----

constexpr std::size_t page = 500;

struct ListOptions : Options {
  std::size_t limit = 50;
  std::string after;
};

std::string check_after(const std::string& text) {
  return parse_place_of_row(text) ? "" : "a place in the list is written as ROUTE:SEQ, as in orders:17";
}

/// Page by page until `rows_max` rows are there, and one more to know whether there are others.
Result<std::vector<HeldEntry>> read_rows(Admin& database, const ListOptions& options, std::size_t rows_max) {
  std::vector<HeldEntry> entries;
  std::optional<ListPlace> after = parse_place_of_row(options.after);
  while (entries.size() <= rows_max) {
    const std::size_t wanted = std::min(page, rows_max - entries.size() + (rows_max < SIZE_MAX ? 1 : 0));
    auto more = database.held(filter_of(options), after, wanted);
    if (!more) return more.error();
    if (more->empty()) break;
    after = ListPlace{more->back().route, more->back().seq};
    const bool last = more->size() < wanted;
    std::ranges::move(*more, std::back_inserter(entries));
    if (last) break;
  }
  return entries;
}

void show_text(std::ostream& out, const std::vector<HeldEntry>& entries, bool more) {
  if (entries.empty()) {
    out << "no held row matches\n";
    return;
  }
  out << held_table(entries);
  if (more)
    out << "there are more: --after " << printable(entries.back().route) << ":" << entries.back().seq
        << " shows the next ones, --all every one\n";
}

int list(const Context& context, const ListOptions& options) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());
  const std::size_t rows_max = options.all ? SIZE_MAX : options.limit;
  auto entries = read_rows(**database, options, rows_max);
  if (!entries) return fail(context, entries.error());
  const bool more = entries->size() > rows_max;
  if (more) entries->resize(rows_max);
  if (options.json)
    context.wiring.out << held_page_text(*entries, more);
  else
    show_text(context.wiring.out, *entries, more);
  return exit_code::done;
}

void add_list(Subcommand held, Context& context) {
  auto command = held.add_command("list", "The held rows, in the order of route and seq");
  auto options = std::make_shared<ListOptions>();
  add_filter_options(command, *options);
  command.add_option("--limit", options->limit, "At most so many rows")
      .type_name("N")
      .shows_default()
      .range(std::size_t{1}, std::size_t{1'000'000});
  command.add_option("--after", options->after, "Only what comes behind this row")
      .type_name("ROUTE:SEQ")
      .check(check_after);
  command.add_flag("--all", options->all, "Every row, whatever --limit says");
  command.add_flag("--json", options->json, "As JSON; next_after is null at the end, else for --after");
  on_run(command, context, options, list);
}

// ---- requeue, discard ----

constexpr std::size_t shown_max = 20;

struct ChangeOptions : Options {
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
    context.wiring.out << matched_text(*done);
    return exit_code::done;
  }
  if (options.dry_run) return show_dry_run(context, options, **database, *done);
  context.wiring.out << outcome(options.action, *done);
  return exit_code::done;
}

void add_change(Subcommand held, Context& context, HeldAction action, const std::string& name,
                const std::string& description, const std::string& footer) {
  auto command = held.add_command(name, description);
  auto options = std::make_shared<ChangeOptions>();
  options->action = action;
  add_filter_options(command, *options);
  command.add_flag("--all", options->all, "Every held row that the filters let through, or simply every one");
  command.add_option("--limit", options->limit, "At most so many rows, the oldest first (default: no limit)")
      .type_name("N")
      .range(std::int64_t{1}, INT64_MAX);
  command.add_flag("--dry-run", options->dry_run, "Only show which rows it would be");
  command.add_flag("--json", options->json, "As JSON: matched and changed");
  command.footer(footer);
  on_run(command, context, options, change);
}

}  // namespace

std::optional<ListPlace> parse_place_of_row(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  const auto seq = parse_number<std::int64_t>(std::string_view(text).substr(colon + 1));
  return seq ? std::optional(ListPlace{text.substr(0, colon), *seq}) : std::nullopt;
}

void add_held(Subcommand app, Context& context) {
  auto held = app.add_command(
      "held", "Rows that were read and are not sent: shows them, tries them again, gives them up");
  held.require_command();
  held.footer("Works on the database alone: no relay has to run.");
  add_list(held, context);
  add_held_show(held, context);
  add_change(
      held, context, HeldAction::requeue, "requeue",
      "Tries held rows again at once, with attempts that begin anew",
      "The message keeps its id; rows of one key go out in their order. Without a filter it needs --all. The "
      "change "
      "is recorded in outbox_audit.");
  add_change(
      held, context, HeldAction::discard, "discard", "Gives held rows up: they are never delivered",
      "Look first: --dry-run shows the rows. What waits behind a discarded row of its key goes on. Without a "
      "filter "
      "it needs --all. The change is recorded in outbox_audit.");
}

}  // namespace outbox::cli
