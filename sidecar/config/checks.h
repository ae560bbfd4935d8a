// What single texts of the configuration must look like. Pure. Each check answers what is wrong and what is
// allowed, to be read after `is "value"`; empty when the text is right.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox {

std::string check_table(std::string_view text);
std::string check_route_name(std::string_view text);
std::string check_topic_pattern(std::string_view text);
std::string check_source(std::string_view text);
std::string check_token(std::string_view text);
std::string check_listen(std::string_view text);

struct ListenAddress {
  std::string host;  ///< IPv6 without brackets; empty: every address
  int port = 0;      ///< 0: any free one
};

/// "127.0.0.1:8477", "[::1]:8477", "localhost:0", ":8477".
std::optional<ListenAddress> parse_listen(std::string_view text);

/// Reached from this machine only.
bool is_loopback(std::string_view host);

/// The CloudEvents source of a relay that has none configured: outboxd/<database name>.
std::string default_source(std::string_view database_url);

}  // namespace outbox
