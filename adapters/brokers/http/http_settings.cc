#include "adapters/brokers/http/http_settings.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "adapters/common/server_settings.h"
#include "adapters/common/settings.h"
#include "base/encoding.h"
#include "core/url.h"

namespace outbox {
namespace {

using Kind = SettingSpec::Kind;

constexpr std::array specs = {
    SettingSpec{.key = "concurrency",
                .kind = Kind::integer,
                .fallback = "32",
                .min = 1,
                .max = 1000,
                .doc = "requests in flight at most: connections, or streams with HTTP/2"},
    SettingSpec{.key = "append_topic",
                .kind = Kind::boolean,
                .fallback = "true",
                .doc = "whether the topic follows the URL's path; false: all messages go to the URL itself"},
    SettingSpec{.key = "http_version",
                .kind = Kind::choice,
                .fallback = "auto",
                .choices = "auto|1.1",
                .doc = "auto: HTTP/2 where an https server offers it"},
    SettingSpec{.key = "probe",
                .kind = Kind::choice,
                .fallback = "options",
                .choices = "options|connect",
                .doc = "how a session begins: an OPTIONS request to the URL that must be answered, or a "
                       "connection alone"},
    SettingSpec{
        .key = "bearer_token", .fallback = "", .secret = true, .doc = "sent as Authorization: Bearer ..."},
    SettingSpec{.key = "signing_secret",
                .fallback = "",
                .secret = true,
                .doc = "Standard Webhooks secret, whsec_ and base64; empty: not signed"},
    SettingSpec{.key = "signing_secret_previous",
                .fallback = "",
                .secret = true,
                .doc = "the secret before a change: messages carry a second signature with it"},
    SettingSpec{.key = "timeout",
                .kind = Kind::duration,
                .fallback = "10s",
                .doc = "time for a request and its whole answer"},
    SettingSpec{.key = "connect_timeout",
                .kind = Kind::duration,
                .fallback = "5s",
                .doc = "time for connecting, TLS and the first answer together"},
    ca_file_spec,
    cert_file_spec,
    key_file_spec,
    SettingSpec{.key = "server_name",
                .fallback = "",
                .doc = "TLS: name that the server's certificate must carry, also sent as Host; default: "
                       "the URL's host"},
};

/// The URL's path and query as they were written: taken apart and put together again they might become
/// another one.
std::string_view path_and_query(std::string_view url) {
  const auto authority = url.find("://");
  if (authority == url.npos) return {};
  url.remove_prefix(authority + 3);
  const auto at = url.rfind('@');
  const auto end = url.find_first_of("/?", at == url.npos ? 0 : at);
  return end == url.npos ? std::string_view{} : url.substr(end);
}

bool is_url_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7F && std::string_view("#\"<>\\^`{|}").find(c) == std::string_view::npos;
  });
}

/// A host that goes into a URL again: a name, or an IPv6 address.
bool is_host(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != 0x7F &&
           std::string_view("/?#@\\%[]\"<>^`{|}").find(c) == std::string_view::npos;
  });
}

/// https://www.standardwebhooks.com: between 24 and 64 bytes, in base64 after "whsec_".
Result<std::string> parse_secret(std::string_view key, std::string_view text) {
  if (text.starts_with("whsec_")) text.remove_prefix(6);
  auto bytes = decode_base64(text);
  if (!bytes || bytes->size() < 24 || bytes->size() > 64)
    return http_server.misconfigured(
        std::string(key) +
        " must be whsec_ and 24 to 64 bytes in base64: echo whsec_$(openssl rand -base64 32)");
  return std::move(*bytes);
}

Result<void> read_url(const std::string& text, HttpSettings& settings) {
  const auto url = parse_url(text);
  if (!url) return http_server.misconfigured(url.error().text);
  if (url->hosts.empty() || url->hosts.front().name.empty())
    return http_server.misconfigured("the URL names no host; write " + std::string(http_server.example_url));
  if (url->hosts.size() > 1)
    return http_server.misconfigured("the URL names several hosts, and HTTP takes one");
  const Url::Host& host = url->hosts.front();
  if (!is_host(host.name))
    return http_server.misconfigured("the URL's host has a character that hosts do not have");
  if (url->user.find('/') != std::string::npos)
    return http_server.misconfigured("the URL's user has a '/'; write @ in a path as %40");
  const std::string_view rest = path_and_query(text);
  if (!is_url_text(rest))
    return http_server.misconfigured(
        "the URL's path or query has a character that must be percent-encoded, or a fragment (#)");

  settings.is_tls = url->scheme == "https";
  settings.endpoint = endpoint_of(host, settings.is_tls ? http_server.tls_port : http_server.port);
  settings.origin = url->scheme + "://" + settings.endpoint;
  settings.is_loopback = host.name == "localhost" || host.name == "::1" || host.name.starts_with("127.");
  settings.path = rest.substr(0, rest.find('?'));
  settings.query = rest.substr(settings.path.size());
  settings.user = url->user;
  settings.password = url->password;
  if (settings.user.find(':') != std::string::npos)
    return http_server.misconfigured("a user's name has no ':' in HTTP");
  return {};
}

}  // namespace

std::span<const SettingSpec> http_setting_specs() {
  return specs;
}

Result<HttpSettings> parse_http_settings(const BrokerTarget& target) {
  const auto text = [&](std::string_view key) { return setting<std::string>(target.settings, key); };
  HttpSettings settings;
  if (auto read = read_url(target.url, settings); !read) return read.error();
  settings.concurrency = static_cast<std::size_t>(setting<std::int64_t>(target.settings, "concurrency"));
  settings.append_topic = setting<bool>(target.settings, "append_topic");
  settings.allows_http2 = text("http_version") == "auto";
  settings.asks_options = text("probe") == "options";
  if (auto read = read_limits_and_files(target, http_server, settings); !read) return read.error();

  settings.bearer_token = text("bearer_token");
  if (!settings.bearer_token.empty() && settings.has_login())
    return http_server.misconfigured(
        "bearer_token and a user in the URL exclude each other: both are the Authorization header");
  if (!std::ranges::all_of(settings.bearer_token, [](char c) { return c > ' ' && c < 0x7F; }))
    return http_server.misconfigured("bearer_token has a blank or a character that headers do not take");
  if (text("signing_secret").empty() && !text("signing_secret_previous").empty())
    return http_server.misconfigured("signing_secret_previous is given without signing_secret");
  for (const std::string_view key : {"signing_secret", "signing_secret_previous"}) {
    if (text(key).empty()) continue;
    auto secret = parse_secret(key, text(key));
    if (!secret) return secret.error();
    settings.signing_keys.push_back(std::move(*secret));
  }
  if (const std::string& name = settings.server_name; !name.empty()) {
    if (!is_host(name))
      return http_server.misconfigured("server_name has a character that names do not have");
    settings.connect_to = "::" + settings.endpoint;
    const std::string port = settings.endpoint.substr(settings.endpoint.rfind(':'));
    settings.origin = (settings.is_tls ? "https://" : "http://") + in_brackets(name) + port;
  }
  return settings;
}

}  // namespace outbox
