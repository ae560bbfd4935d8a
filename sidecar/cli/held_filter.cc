#include "cli/held_filter.h"

#include <array>

#include "base/text.h"
#include "cli/table.h"

namespace outbox::cli {
namespace {

constexpr std::array states = {HeldState::retrying, HeldState::blocked, HeldState::scheduled, HeldState::dead,
                               HeldState::unrouted};

std::vector<std::string> state_names() {
  std::vector<std::string> names;
  for (const HeldState state : states) names.emplace_back(name_of(state));
  return names;
}

}  // namespace

void add_filter_options(CLI::App& command, HeldOptions& options) {
  add_config_options(command, options);
  add_database_option(command, options);
  command.add_option("--route", options.route, "Of this route")->type_name("NAME");
  command
      .add_option(
          "--state", options.state,
          "In this state: retrying (waits for its next attempt), blocked (waits behind an earlier row of "
          "its key), scheduled (waits for its deliver_at), dead (given up), unrouted (no route takes its "
          "topic)")
      ->type_name("STATE")
      ->check(CLI::IsMember(state_names()));
  command.add_option("--key", options.key, "With this message_key")->type_name("KEY");
  command.add_option("--topic", options.topic, "With this topic")->type_name("TOPIC");
  command.add_option("--seq", options.seqs, "With this seq; may be repeated, or be a list: 17,18")
      ->type_name("N")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::NonNegativeNumber);
}

HeldFilter filter_of(const HeldOptions& options) {
  HeldFilter filter;
  if (!options.route.empty()) filter.route = options.route;
  for (const HeldState state : states)
    if (options.state == name_of(state)) filter.state = state;
  filter.key = options.key;
  filter.topic = options.topic;
  filter.seqs = options.seqs;
  return filter;
}

bool has_filter(const HeldOptions& options) {
  return !options.route.empty() || !options.state.empty() || options.key || options.topic ||
         !options.seqs.empty();
}

std::optional<HeldPlace> parse_place_of_row(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  const auto seq = parse_number<std::int64_t>(std::string_view(text).substr(colon + 1));
  return seq ? std::optional(HeldPlace{text.substr(0, colon), *seq}) : std::nullopt;
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

}  // namespace outbox::cli
