// What single texts of the configuration must look like. Pure. Each check answers what is wrong and what is
// allowed, to be read after `is "value"`; empty when the text is right.
#pragma once

#include <string>
#include <string_view>

namespace outbox {

std::string check_table(std::string_view text);
std::string check_route_name(std::string_view text);
std::string check_topic_pattern(std::string_view text);
std::string check_source(std::string_view text);
std::string check_token(std::string_view text);
std::string check_listen(std::string_view text);

/// The CloudEvents source of a relay that has none configured: outboxd/<database name>.
std::string default_source(std::string_view database_url);

}  // namespace outbox
