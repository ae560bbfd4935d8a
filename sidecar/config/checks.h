// What single texts of the configuration must look like, and what a wrong one may have meant. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outbox {

// Each answers what is wrong and what is allowed, to be read after `is "value"`; empty when the text is
// right.
std::string check_table(std::string_view text);
std::string check_route_name(std::string_view text);
std::string check_topic_pattern(std::string_view text);
std::string check_source(std::string_view text);
std::string check_token(std::string_view text);
std::string check_listen(std::string_view text);

/// The CloudEvents source of a relay that has none configured: outboxd/<database name>.
std::string default_source(std::string_view database_url);

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate most like `name`; empty when none is alike.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

/// `, did you mean X?`, else `, allowed: a, b, c` when those are few, else nothing.
std::string suggestion(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace outbox
