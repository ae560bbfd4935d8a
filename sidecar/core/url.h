// URLs of databases and brokers: taken apart, and shown without their secrets. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace outbox {

/// scheme://user:password@host:port,host:port/path?name=value or scheme:path. Parts are percent-decoded.
struct Url {
  struct Host {
    std::string name;  ///< IPv6 without brackets
    std::optional<int> port;
  };

  std::string scheme;  ///< lower case
  std::string user;
  std::string password;
  std::vector<Host> hosts;
  std::string path;  ///< without the leading '/' after an authority; all after "scheme:" when there is none
  std::vector<std::pair<std::string, std::string>> query;

  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const;
};

/// Errors: misconfigured, says which part is wrong; never repeats the URL.
Result<Url> parse_url(std::string_view text);

/// The scheme of a URL, lower case; empty when there is none.
std::string scheme_of(std::string_view url);

/// The parts of a URL that may be seen by everybody, "***" for the rest: scheme, hosts, ports, a user who has
/// a password; the path where it is a file, a database or a virtual host, never a webhook's. Also for text
/// that is no valid URL.
std::string redacted(std::string_view url);

/// An IPv6 address as it stands in URLs and before a port; names and other addresses as they are.
std::string in_brackets(const std::string& host);

/// "host:port".
std::string endpoint_of(const Url::Host& host, int default_port);

}  // namespace outbox
