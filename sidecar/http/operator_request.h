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

struct ListRequest {
  HeldFilter filter;
  std::optional<ListPlace> after;
  std::size_t rows_max = 100;
};

struct ActionRequest {
  HeldFilter filter;
  std::int64_t rows_max = INT64_MAX;
  bool dry_run = false;
};

struct ReplayRequest {
  MarkPlace from;
  bool dry_run = false;
};

/// Errors, of all of them: refused, says what is wrong and what is allowed.
[[nodiscard]] Result<ListRequest> read_list_request(const QueryParameters& query);
[[nodiscard]] Result<bool> read_wants_payload(const QueryParameters& query);
[[nodiscard]] Result<ActionRequest> read_action_request(std::string_view body);
[[nodiscard]] Result<ReplayRequest> read_replay_request(std::string_view body);
/// For what takes no parameters: nothing, or an empty object.
[[nodiscard]] Result<void> read_empty_order(std::string_view body);

/// A whole number that is not negative.
[[nodiscard]] std::optional<std::int64_t> parse_seq(std::string_view text);
/// As the configuration allows them.
[[nodiscard]] bool is_route_name(std::string_view text);

}  // namespace outbox
