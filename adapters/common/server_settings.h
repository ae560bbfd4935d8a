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

/// What an adapter calls its server, in URLs and to people.
struct ServerKind {
  std::string_view name;  ///< the adapter's: begins every reason
  std::string_view scheme, tls_scheme;
  std::string_view example_url;
  int port = 0, tls_port = 0;  ///< where the URL names none
  bool has_own_tls = false;    ///< TLS comes with the adapter's library, not from common/tls.h

  // "redis: XADD to 'orders': ...", "no answer within ...", "... (sent, not answered)"
  std::string_view publishing = "publish to";
  std::string_view answer = "answer";
  std::string_view answered = "answered";

  [[nodiscard]] Error misconfigured(const std::string& what) const {
    return {Fault::misconfigured, std::string(name) + ": " + what};
  }
};

struct ServerSettings {
  bool is_tls = false;
  std::vector<Url::Host> hosts;  ///< tried in turn
  int default_port = 0;
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

/// Reads all of ServerSettings: hosts and login from the route's URL, which has no parameters, the rest from
/// the settings. The URL's path. Errors: misconfigured.
Result<std::string> read_server(const BrokerTarget& target, const ServerKind& kind, ServerSettings& settings);

/// The part of it that is not in the URL.
Result<void> read_limits_and_files(const BrokerTarget& target, const ServerKind& kind,
                                   ServerSettings& settings);

}  // namespace outbox
