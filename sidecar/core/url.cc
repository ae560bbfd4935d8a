#include "core/url.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "base/encoding.h"
#include "base/text.h"

namespace outbox {
namespace {

Error bad(std::string what) {
  return {Fault::misconfigured, "URL: " + std::move(what)};
}

std::optional<std::string> decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const auto byte = decode_hex(text.substr(i + 1, 2));
    if (!byte || byte->empty()) return std::nullopt;
    result += *byte;
    i += 2;
  }
  return result;
}

Result<Url::Host> parse_host(std::string_view text) {
  Url::Host host;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return bad("'[' without ']' in the host");
    host.name = text.substr(1, close - 1);
    port = text.substr(close + 1);
  } else {
    const auto colon = text.rfind(':');
    host.name = decoded(text.substr(0, colon)).value_or(std::string(text.substr(0, colon)));
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (port.empty()) return host;
  if (!port.starts_with(':')) return bad("a port must follow the host after ':'");
  port.remove_prefix(1);
  host.port = parse_number<int>(port);
  if (!host.port || *host.port < 1 || *host.port > 65535)
    return bad("the port must be a number from 1 to 65535");
  return host;
}

/// scheme, authority (after "//"), path, query
struct Parts {
  std::string_view scheme, authority, path, query;
  bool has_authority = false;
};

std::optional<Parts> split(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  Parts parts;
  parts.scheme = text.substr(0, colon);
  for (unsigned char c : parts.scheme)
    if (!std::isalnum(c) && c != '+' && c != '-' && c != '.') return std::nullopt;
  std::string_view rest = text.substr(colon + 1);
  parts.has_authority = rest.starts_with("//");
  if (parts.has_authority) {
    rest.remove_prefix(2);
    // A password may hold '/' or '?' unescaped: the last '@' ends the user information.
    // Where a '/' comes first there is neither, only a path: file:///var/a@b.
    const auto at = rest.starts_with('/') ? std::string_view::npos : rest.rfind('@');
    const auto end = rest.find_first_of("/?", at == std::string_view::npos ? 0 : at);
    parts.authority = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
  }
  const auto question = rest.find('?');
  parts.path = rest.substr(0, question);
  if (question != std::string_view::npos) parts.query = rest.substr(question + 1);
  return parts;
}

template <class Use>
void each(std::string_view text, char separator, Use use) {
  while (!text.empty()) {
    const auto end = text.find(separator);
    use(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
}

constexpr std::string_view hidden = "***";

/// What may be seen of a scheme's URLs beside scheme, hosts and ports, and a user who has a password.
struct Shown {
  enum class Path { none, number, name, file };
  Path path = Path::none;
  bool user_alone = false;  ///< it is a name and no token
  bool parameters = false;  ///< those of libpq that hold no secret
};

/// A scheme that is not named here shows nothing but its hosts: a webhook's path and query are often all of
/// its secret, from the first segment on (api.telegram.org/bot<token>/...).
Shown shown_of(std::string_view scheme) {
  const auto is_one_of = [scheme](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, scheme) != names.end();
  };
  if (is_one_of({"file", "sqlite"})) return {.path = Shown::Path::file};
  if (is_one_of({"postgresql", "postgres"}))
    return {.path = Shown::Path::name, .user_alone = true, .parameters = true};
  if (is_one_of({"amqp", "amqps"})) return {.path = Shown::Path::name};
  if (is_one_of({"redis", "rediss"})) return {.path = Shown::Path::number};
  return {};
}

bool is_shown_parameter(std::string_view name) {
  constexpr std::string_view names[] = {
      "application_name", "connect_timeout",     "dbname", "host", "hostaddr", "port",
      "sslmode",          "target_session_attrs"};
  return std::ranges::find(names, name) != std::end(names);
}

std::string shown_login(std::string_view user, const Shown& shown) {
  const auto colon = user.find(':');
  const bool has_password = colon != std::string_view::npos && colon + 1 < user.size();
  std::string result(has_password || shown.user_alone ? user.substr(0, colon) : hidden);
  if (has_password) result += ":" + std::string(hidden);
  return result;
}

/// What cannot be a host or a port is perhaps a login without its '@'.
std::string shown_hosts(std::string_view hosts) {
  std::string result;
  each(hosts, ',', [&](std::string_view item) {
    const auto host = parse_host(item);
    const bool is_name =
        host && std::ranges::all_of(item, [](char c) { return is_alphanumeric(c, "-._:[]%/"); });
    if (!result.empty()) result += ',';
    result += is_name ? item : hidden;
  });
  return result;
}

std::string shown_path(const Parts& parts, const Shown& shown) {
  const std::string_view slash = parts.path.starts_with('/') ? "/" : "";
  const std::string_view name = parts.path.substr(slash.size());
  const auto is_shown = [&] {
    switch (shown.path) {
      case Shown::Path::none:
        return name.empty();
      case Shown::Path::number:
        return std::ranges::all_of(name, is_digit);
      case Shown::Path::name:
        return parts.has_authority;
      case Shown::Path::file:
        return parts.authority.empty();
    }
    return false;
  };
  return std::string(slash) + std::string(is_shown() ? name : hidden);
}

std::string shown_query(std::string_view query, const Shown& shown) {
  std::string result;
  bool hides = false;
  each(query, '&', [&](std::string_view item) {
    if (shown.parameters && is_shown_parameter(item.substr(0, item.find('='))))
      result += (result.empty() ? "?" : "&") + std::string(item);
    else
      hides = true;
  });
  if (hides) result += (result.empty() ? "?" : "&") + std::string(hidden);
  return result;
}

}  // namespace

std::optional<std::string_view> Url::parameter(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return std::nullopt;
}

Result<Url> parse_url(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return bad("it must begin with a scheme, as in redis://localhost:6379");
  Url url;
  url.scheme = lower(parts->scheme);

  std::string_view hosts = parts->authority;
  if (const auto at = hosts.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = hosts.substr(0, at);
    hosts.remove_prefix(at + 1);
    const auto colon = user.find(':');
    const auto name = decoded(user.substr(0, colon));
    const auto password =
        colon == std::string_view::npos ? std::optional<std::string>("") : decoded(user.substr(colon + 1));
    if (!name || !password)
      return bad("'%' in user or password must be followed by two hex digits (write % as %25)");
    url.user = *name;
    url.password = *password;
  }
  std::optional<Error> error;
  each(hosts, ',', [&](std::string_view item) {
    auto host = parse_host(item);
    if (host)
      url.hosts.push_back(std::move(*host));
    else if (!error)
      error = host.error();
  });
  if (error) return *error;

  std::string_view path = parts->path;
  if (parts->has_authority && path.starts_with('/')) path.remove_prefix(1);
  const auto plain_path = decoded(path);
  if (!plain_path) return bad("'%' in the path must be followed by two hex digits (write % as %25)");
  url.path = *plain_path;
  each(parts->query, '&', [&](std::string_view item) {
    const auto equals = item.find('=');
    const auto name = decoded(item.substr(0, equals));
    const auto value =
        equals == std::string_view::npos ? std::optional<std::string>("") : decoded(item.substr(equals + 1));
    if (name && value)
      url.query.emplace_back(*name, *value);
    else
      error = bad("'%' in a parameter must be followed by two hex digits");
  });
  if (error) return *error;
  return url;
}

std::string scheme_of(std::string_view url) {
  const auto parts = split(url);
  return parts ? lower(parts->scheme) : std::string();
}

std::string redacted(std::string_view url) {
  const auto parts = split(url);
  if (!parts) return std::string(hidden);
  const Shown shown = shown_of(lower(parts->scheme));
  std::string result = std::string(parts->scheme) + ":" + (parts->has_authority ? "//" : "");
  if (parts->has_authority) {
    const auto at = parts->authority.rfind('@');
    const std::string_view user = parts->authority.substr(0, at == std::string_view::npos ? 0 : at);
    // A raw '/' or '?' before the last '@': who can say where the password ends and what is a host?
    if (user.find_first_of("/?") != std::string_view::npos) return result + std::string(hidden);
    if (at != std::string_view::npos) result += shown_login(user, shown) + "@";
    result += shown_hosts(parts->authority.substr(at == std::string_view::npos ? 0 : at + 1));
  }
  return result + shown_path(*parts, shown) + shown_query(parts->query, shown);
}

std::string in_brackets(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

std::string endpoint_of(const Url::Host& host, int default_port) {
  return in_brackets(host.name) + ":" + std::to_string(host.port.value_or(default_port));
}

}  // namespace outbox
