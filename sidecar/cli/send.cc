#include <algorithm>
#include <fstream>
#include <istream>
#include <iterator>
#include <ostream>
#include <regex>
#include <sstream>

#include "base/uuid.h"
#include "cli/subcommand.h"

namespace outbox::cli {
namespace {

struct SendOptions : CommonOptions {
  NewRow row;
  std::vector<std::string> headers;
  std::optional<std::string> payload;
  std::string payload_file;
  std::string standard_input;
};

std::string check_header(const std::string& text) {
  const auto equals = text.find('=');
  return equals == 0 || equals == std::string::npos ? "write a header as name=value" : "";
}

std::string check_id(const std::string& text) {
  return canonical_uuid(text) ? "" : "an id is a UUID, as in 9f1c2b7e-5d3a-4c1b-8e2f-0a1b2c3d4e5f";
}

std::string check_time(const std::string& text) {
  static const std::regex form(
      R"(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2}))");
  return std::regex_match(text, form) ? "" : "a time is written as in 2026-01-31T10:00:00Z (RFC 3339)";
}

/// The payload from wherever it comes, byte for byte.
Result<std::string> payload_of(const Context& context, const SendOptions& options) {
  if (options.payload) return *options.payload;
  std::ostringstream bytes;
  if (!options.standard_input.empty()) {
    std::copy(std::istreambuf_iterator<char>(context.wiring.in), {}, std::ostreambuf_iterator<char>(bytes));
    return bytes.str();
  }
  std::ifstream file(options.payload_file, std::ios::binary);
  if (file) std::copy(std::istreambuf_iterator<char>(file), {}, std::ostreambuf_iterator<char>(bytes));
  if (!file || file.bad())
    return Error{Fault::refused, "cannot read the payload from " + options.payload_file};
  return bytes.str();
}

int send(const Context& context, const SendOptions& options) {
  const auto config = configure(context, options, Need::database);
  if (!config) return exit_code::configuration;
  NewRow row = options.row;
  for (const std::string& header : options.headers) {
    const auto equals = header.find('=');
    row.headers.emplace_back(header.substr(0, equals), header.substr(equals + 1));
  }
  if (row.id)
    std::ranges::transform(*row.id, row.id->begin(), [](char c) {
      return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
  auto payload = payload_of(context, options);
  if (!payload) return fail(context, payload.error());
  row.payload = std::move(*payload);

  const auto admin = open_admin(context, *config);
  if (!admin) return fail(context, admin.error());
  const auto id = (*admin)->send(row);
  if (!id) return fail(context, id.error());
  context.wiring.out << *id << "\n";
  return exit_code::done;
}

}  // namespace

void add_send(Subcommand app, Context& context) {
  auto command = app.add_command("send", "Inserts one row into the outbox and prints its id");
  auto options = std::make_shared<SendOptions>();
  add_config_options(command, *options);
  add_database_option(command, *options);
  NewRow& row = options->row;
  command.add_option("--topic", row.topic, "Where it goes").required().check([](const std::string& text) {
    return text.empty() ? std::string("a topic is not empty") : std::string();
  });
  command.add_option("--key", row.key, "Rows with the same key keep their order");
  command.add_option("--type", row.type, "Event type (default: the topic)");
  command.add_option("--header", options->headers, "A header, may be repeated")
      .type_name("NAME=VALUE")
      .check(check_header);
  command.add_option("--id", row.id, "The message's id (default: a new one)")
      .type_name("UUID")
      .check(check_id);
  command.add_option("--deliver-at", row.deliver_at, "Not before this time, RFC 3339")
      .type_name("TIME")
      .check(check_time);
  command.add_option("--content-type", row.content_type, "What the payload is").shows_default();
  auto source = command.add_option_group("payload", "One of these gives the payload");
  source.add_option("--payload", options->payload, "The payload itself");
  source.add_option("--payload-file", options->payload_file, "A file that holds it").type_name("FILE");
  source.add_option("stdin", options->standard_input, "A lone '-': read it from standard input")
      .type_name("-")
      .one_of({"-"});
  source.require_option();
  on_run(command, context, options, send);
}

}  // namespace outbox::cli
