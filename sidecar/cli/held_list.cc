#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/held_filter.h"
#include "http/operator_json.h"

namespace outbox::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t page = 500;

struct ListOptions : HeldOptions {
  std::size_t limit = 50;
  std::string after;
};

std::string check_after(std::string& text) {
  return parse_place_of_row(text) ? "" : "a place in the list is written as ROUTE:SEQ, as in orders:17";
}

/// Page by page until `rows_max` rows are there, and one more to know whether there are others.
Result<std::vector<HeldEntry>> read_rows(Admin& database, const ListOptions& options, std::size_t rows_max) {
  std::vector<HeldEntry> entries;
  std::optional<HeldPlace> after = parse_place_of_row(options.after);
  while (entries.size() <= rows_max) {
    const std::size_t wanted = std::min(page, rows_max - entries.size() + (rows_max < SIZE_MAX ? 1 : 0));
    auto more = database.held(filter_of(options), after, wanted);
    if (!more) return more.error();
    if (more->empty()) break;
    after = HeldPlace{more->back().route, more->back().seq};
    const bool last = more->size() < wanted;
    std::ranges::move(*more, std::back_inserter(entries));
    if (last) break;
  }
  return entries;
}

void show_json(std::ostream& out, const std::vector<HeldEntry>& entries, bool more) {
  Json rows = Json::array();
  for (const HeldEntry& entry : entries) rows.push_back(held_json(entry));
  const Json next =
      more ? Json(entries.back().route + ":" + std::to_string(entries.back().seq)) : Json(nullptr);
  out << json_text({{"held", rows}, {"next_after", next}});
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
    show_json(context.wiring.out, *entries, more);
  else
    show_text(context.wiring.out, *entries, more);
  return exit_code::done;
}

}  // namespace

void add_held_list(CLI::App& held, Context& context) {
  auto* command = held.add_subcommand("list", "The held rows, in the order of route and seq");
  auto options = std::make_shared<ListOptions>();
  add_filter_options(*command, *options);
  command->add_option("--limit", options->limit, "At most so many rows")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
  command->add_option("--after", options->after, "Only what comes behind this row")
      ->type_name("ROUTE:SEQ")
      ->check(CLI::Validator(check_after, ""));
  command->add_flag("--all", options->all, "Every row, whatever --limit says");
  command->add_flag("--json", options->json, "As JSON; next_after is null at the end, else for --after");
  command->callback(
      [&context, options] { context.action = [&context, options] { return list(context, *options); }; });
}

}  // namespace outbox::cli
