// What the commands about held rows share. Main thread.
#pragma once

#include <optional>
#include <string>

#include "cli/subcommand.h"
#include "core/admin.h"

namespace outbox::cli {

/// "orders:17"; nullopt for any other text.
[[nodiscard]] std::optional<ListPlace> parse_place_of_row(const std::string& text);

void add_held_show(Subcommand held, Context& context);

}  // namespace outbox::cli
