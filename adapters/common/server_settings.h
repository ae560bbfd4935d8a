// What the settings of all servers have in common: where, as whom, for how long, and TLS. Plain data; an
// adapter's own settings derive from it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/adapter.h"
#include "core/url.h"

namespace outbox {

struct ServerSettings {
  bool is_tls = false;
  std::vector<Url::Host> hosts;  ///< tried in turn
  std::string user, password;
  Duration timeout{};
  Duration connect_timeout{};
  std::string ca_file, cert_file, key_file;  ///< empty: the system's authorities, no certificate of our own
  std::string server_name;                   ///< empty, also where the adapter knows no such setting

  [[nodiscard]] bool has_login() const { return !user.empty() || !password.empty(); }
};

// For the table of an adapter whose server has nothing particular about them.
inline constexpr SettingSpec timeout_spec{
    .key = "timeout",
    .kind = SettingSpec::Kind::duration,
    .fallback = "10s",
    .doc = "time without an answer after which the connection is given up"};
inline constexpr SettingSpec connect_timeout_spec{.key = "connect_timeout",
                                                  .kind = SettingSpec::Kind::duration,
                                                  .fallback = "5s",
                                                  .doc = "time for connecting, TLS and login together"};
inline constexpr SettingSpec ca_file_spec{
    .key = "ca_file",
    .fallback = "",
    .doc = "TLS: certificates that are trusted, PEM; default: the system's"};
inline constexpr SettingSpec cert_file_spec{
    .key = "cert_file", .fallback = "", .doc = "TLS: the relay's own certificate, PEM"};
inline constexpr SettingSpec key_file_spec{
    .key = "key_file", .fallback = "", .doc = "TLS: the key of cert_file, PEM"};
inline constexpr SettingSpec server_name_spec{
    .key = "server_name",
    .fallback = "",
    .doc = "TLS: name that the server's certificate must carry; default: the URL's host"};

struct ServerKind {
  std::string_view adapter;      ///< begins every error
  std::string_view tls_scheme;   ///< of URLs
  std::string_view example_url;  ///< for people
};

/// Reads all of ServerSettings: hosts and login from the route's URL, which has no parameters, the rest from
/// the settings. The URL's path. Errors: misconfigured.
Result<std::string> read_server(const BrokerTarget& target, const ServerKind& kind, ServerSettings& settings);

/// The part of it that is not in the URL.
Result<void> read_limits_and_files(const BrokerTarget& target, std::string_view adapter,
                                   ServerSettings& settings);

}  // namespace outbox
