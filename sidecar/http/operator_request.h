// What operators write in queries and bodies under /v1, read strictly: an unknown name is an error, not
// ignored. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/admin.h"

namespace outbox {

using QueryParameters = std::multimap<std::string, std::string>;

struct HeldQuestion {
  HeldFilter filter;
  std::optional<HeldPlace> after;
  std::size_t rows_max = 100;
};

struct HeldOrder {
  HeldFilter filter;
  std::int64_t rows_max = INT64_MAX;
  bool dry_run = false;
};

struct ReplayOrder {
  MarkPlace from;
  bool dry_run = false;
};

/// Errors, of all of them: refused, says what is wrong and what is allowed.
[[nodiscard]] Result<HeldQuestion> read_held_question(const QueryParameters& query);
[[nodiscard]] Result<bool> read_wants_payload(const QueryParameters& query);
[[nodiscard]] Result<HeldOrder> read_held_order(std::string_view body);
[[nodiscard]] Result<ReplayOrder> read_replay_order(std::string_view body);
/// For what takes no parameters: nothing, or an empty object.
[[nodiscard]] Result<void> read_empty_order(std::string_view body);

/// A whole number that is not negative.
[[nodiscard]] std::optional<std::int64_t> parse_seq(std::string_view text);
/// As the configuration allows them.
[[nodiscard]] bool is_route_name(std::string_view text);

}  // namespace outbox
