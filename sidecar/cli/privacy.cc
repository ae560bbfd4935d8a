#include "cli/privacy.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "core/url.h"

namespace outbox::cli {
namespace {

bool is_one_of(std::string_view scheme, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, scheme) != names.end();
}

/// A parameter of libpq: the URL's, else the environment's.
std::string parameter_of(const Url& url, std::string_view name, const char* variable) {
  if (const auto found = url.parameter(name)) return std::string(*found);
  const char* const value = std::getenv(variable);
  return value ? value : "";
}

/// A path is a Unix socket's, or empty: the library's own choice of one.
bool leaves_this_machine(std::string_view host) {
  return !host.empty() && host.front() != '/' && host.front() != '@' && !is_loopback(host);
}

bool leaves_this_machine(const Url& url) {
  return std::ranges::any_of(url.hosts, [](const Url::Host& host) { return leaves_this_machine(host.name); });
}

std::optional<Finding> database_finding(const Url& url) {
  if (!leaves_this_machine(url) && !leaves_this_machine(parameter_of(url, "hostaddr", "PGHOSTADDR")) &&
      (!url.hosts.empty() || !leaves_this_machine(parameter_of(url, "host", "PGHOST"))))
    return std::nullopt;
  const std::string mode = parameter_of(url, "sslmode", "PGSSLMODE");
  if (mode == "verify-full") return std::nullopt;
  const bool has_tls = mode == "require" || mode == "verify-ca";
  return Finding{Finding::Level::warning,
                 "sslmode is " + (mode.empty() ? "prefer, the default" : mode) + ": " +
                     (has_tls ? "whoever is in between can pose as the server"
                              : "rows and the login may cross the network in the clear"),
                 "add sslmode=verify-full (and sslrootcert) to database.url"};
}

}  // namespace

std::optional<Finding> privacy_finding(const std::string& text) {
  auto url = parse_url(text);
  if (!url) return std::nullopt;  // the adapter says what is wrong with it
  if (is_one_of(url->scheme, {"postgresql", "postgres"})) return database_finding(*url);
  // http: warns by itself, of the messages as well: they go to others.
  const bool is_plain = is_one_of(url->scheme, {"amqp", "kafka", "mqtt", "nats", "redis"});
  if (!is_plain || (url->user.empty() && url->password.empty()) || !leaves_this_machine(*url))
    return std::nullopt;
  const std::string with_tls = url->scheme == "nats" ? "tls" : url->scheme + "s";
  return Finding{Finding::Level::warning, "the login crosses the network in the clear",
                 "use " + with_tls + "://"};
}

}  // namespace outbox::cli
