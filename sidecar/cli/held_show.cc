#include <algorithm>
#include <ostream>

#include "base/encoding.h"
#include "base/text.h"
#include "base/uuid.h"
#include "cli/held.h"
#include "http/operator_json.h"

namespace outbox::cli {
namespace {

constexpr std::size_t routes_max = 1000;

struct ShowOptions : CommonOptions {
  std::string row;
  std::string route;
  bool payload = false;
  bool json = false;
};

std::string check_row(const std::string& text) {
  const bool right = parse_place_of_row(text) || canonical_uuid(text) ||
                     (!text.empty() && std::ranges::all_of(text, is_digit));
  return right ? "" : "write a seq as in 17, a route and its seq as in orders:17, or a message's id";
}

/// What the argument names: a seq, a seq of one route, or a message's id.
struct Asked {
  std::optional<std::string> route;
  std::optional<std::int64_t> seq;
  std::optional<std::string> id;
};

Asked read_row(const ShowOptions& options) {
  Asked asked;
  if (!options.route.empty()) asked.route = options.route;
  if (const auto place = parse_place_of_row(options.row)) {
    asked.route = place->route;
    asked.seq = place->seq;
    return asked;
  }
  asked.seq = parse_number<std::int64_t>(options.row);
  if (!asked.seq) asked.id = canonical_uuid(options.row);
  return asked;
}

void line(std::ostream& out, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  out << name << ":" << std::string(name.size() < 17 ? 17 - name.size() : 1, ' ') << printable(value) << "\n";
}

void show_entry(std::ostream& out, const HeldEntry& entry) {
  line(out, "route", entry.route);
  line(out, "seq", std::to_string(entry.seq));
  line(out, "state", std::string(name_of(entry.state)));
  line(out, "attempts", std::to_string(entry.attempts));
  line(out, "last error", entry.last_error);
  line(out, "next attempt at", entry.next_attempt_at);
  line(out, "held since", entry.held_at);
  line(out, "first failed at", entry.first_failed_at);
  line(out, "last failed at", entry.last_failed_at);
  line(out, "shard", std::to_string(entry.shard));
  out << "\n";
}

/// Text that cannot command the terminal.
bool is_harmless(const std::string& payload) {
  std::string one_line = payload;
  std::ranges::replace_if(
      one_line, [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
  return is_utf8(payload) && printable(one_line) == one_line;
}

void show_payload(std::ostream& out, const MessageDetails& message, bool wanted) {
  const std::string size = std::to_string(message.payload_bytes) + " bytes";
  if (!wanted) return line(out, "payload", size + "; --payload shows them");
  const bool is_text = is_harmless(message.payload);
  line(out, "payload", size + (is_text ? "" : ", not text: in base64"));
  std::string text;
  if (is_text)
    text = message.payload;
  else
    append_base64(text, message.payload);
  out << text << "\n";
}

void show_message(std::ostream& out, const MessageDetails& message, bool with_payload) {
  line(out, "id", message.id);
  line(out, "topic", message.topic);
  line(out, "key", message.key.value_or("(none: no order)"));
  line(out, "type", message.type);
  line(out, "content type", message.content_type);
  line(out, "created at", message.created_at);
  line(out, "deliver at", message.deliver_at);
  line(out, "headers", cut(message.headers));
  for (const auto& [route, state] : message.routes) line(out, "route " + printable(route), state);
  show_payload(out, message, with_payload);
}

int show(const Context& context, const ShowOptions& options) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  const auto database = open_admin(context, *config);
  if (!database) return fail(context, database.error());

  Asked asked = read_row(options);
  const auto message = (*database)->message(asked.id, asked.seq, options.payload);
  if (!message) return fail(context, message.error());
  if (*message) asked.seq = (*message)->seq;
  std::vector<HeldEntry> entries;
  if (asked.seq) {
    HeldFilter filter;
    filter.route = asked.route;
    filter.seqs = {*asked.seq};
    auto held = (*database)->held(filter, std::nullopt, routes_max);
    if (!held) return fail(context, held.error());
    entries = std::move(*held);
  }
  if (entries.empty() && !*message)
    return fail(context,
                {Fault::refused, "there is no row " + options.row +
                                     ", neither held nor in the outbox; `outboxd held list` shows what "
                                     "is held"});
  if (options.json) {
    context.wiring.out << held_row_text(entries, *message, options.payload);
    return exit_code::done;
  }
  for (const HeldEntry& entry : entries) show_entry(context.wiring.out, entry);
  if (entries.empty())
    context.wiring.out << (asked.route ? "route " + printable(*asked.route) + " does not hold this row"
                                       : std::string("no route holds this row"))
                       << "\n\n";
  if (*message)
    show_message(context.wiring.out, **message, options.payload);
  else
    context.wiring.out << "its row is gone from the outbox: it can only be discarded\n";
  return exit_code::done;
}

}  // namespace

void add_held_show(Subcommand held, Context& context) {
  auto command = held.add_command("show", "One row: what happened to it, its message, its headers");
  auto options = std::make_shared<ShowOptions>();
  add_config_options(command, *options);
  add_database_option(command, *options);
  command.add_option("row", options->row, "SEQ, ROUTE:SEQ, or the message's id").required().check(check_row);
  command.add_option("--route", options->route, "Only as this route holds it").type_name("NAME");
  command.add_flag("--payload", options->payload, "The payload too; in base64 when it is not text");
  command.add_flag("--json", options->json, "As JSON");
  on_run(command, context, options, show);
}

}  // namespace outbox::cli
