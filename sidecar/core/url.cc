#include "core/url.h"

#include <algorithm>

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

bool is_secret(std::string_view name) {
  const std::string text = lower(name);
  for (std::string_view word : {"password", "passwd", "secret", "token", "key", "pass"})
    if (text.find(word) != std::string::npos && text != "sslkey") return true;
  return false;
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
    const auto at = rest.rfind('@');
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
  if (!parts) {
    const auto at = url.rfind('@');
    return at == std::string_view::npos ? std::string(url) : "***" + std::string(url.substr(at));
  }
  std::string result = std::string(parts->scheme) + ":" + (parts->has_authority ? "//" : "");
  if (const auto at = parts->authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = parts->authority.substr(0, at);
    const auto colon = user.find(':');
    result += user.substr(0, colon);
    if (colon != std::string_view::npos) result += ":***";
    result += parts->authority.substr(at);
  } else {
    result += parts->authority;
  }
  const auto at = parts->has_authority ? std::string_view::npos : parts->path.rfind('@');
  result +=
      at == std::string_view::npos ? std::string(parts->path) : "***" + std::string(parts->path.substr(at));
  char separator = '?';
  each(parts->query, '&', [&](std::string_view item) {
    const auto equals = item.find('=');
    result += separator;
    result += item.substr(0, equals);
    if (equals != std::string_view::npos)
      result += is_secret(item.substr(0, equals)) ? "=***" : std::string(item.substr(equals));
    separator = '&';
  });
  return result;
}

std::string in_brackets(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

std::string endpoint_of(const Url::Host& host, int default_port) {
  return in_brackets(host.name) + ":" + std::to_string(host.port.value_or(default_port));
}

}  // namespace outbox
