// Which held rows a command is about: the options that say it, and how rows are named. Main thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/admin.h"

namespace outbox::cli {

struct HeldOptions : CommonOptions {
  std::string route, state;
  std::optional<std::string> key, topic;
  std::vector<std::int64_t> seqs;
  bool all = false;
  bool json = false;
};

/// --config, --db, and --route, --state, --key, --topic, --seq.
void add_filter_options(CLI::App& command, HeldOptions& options);

[[nodiscard]] HeldFilter filter_of(const HeldOptions& options);
[[nodiscard]] bool has_filter(const HeldOptions& options);

/// "orders:17"; nullopt for any other text.
[[nodiscard]] std::optional<HeldPlace> parse_place_of_row(const std::string& text);

/// Rows under their headings.
[[nodiscard]] std::string held_table(const std::vector<HeldEntry>& entries);

void add_held_list(CLI::App& held, Context& context);
void add_held_show(CLI::App& held, Context& context);
void add_held_requeue(CLI::App& held, Context& context);
void add_held_discard(CLI::App& held, Context& context);

}  // namespace outbox::cli
