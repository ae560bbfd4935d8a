#include "adapters/stores/postgresql/connection_settings.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace outbox::postgresql {
namespace {

struct Default {
  const char* name;
  const char* value;
  const char* environment;  // libpq's variable that goes before our default
};

// A peer that has vanished is noticed within about 20 s, not after the kernel's two hours.
constexpr Default defaults[] = {
    {"fallback_application_name", "outboxd", nullptr},
    {"connect_timeout", "5", "PGCONNECT_TIMEOUT"},
    {"keepalives", "1", nullptr},
    {"keepalives_idle", "10", nullptr},
    {"keepalives_interval", "3", nullptr},
    {"keepalives_count", "3", nullptr},
    {"tcp_user_timeout", "15000", nullptr},
};

/// libpq ends a login at the first '@' and looks for none after a '/': what follows of the password would
/// become host, port or database, which are shown.
bool has_raw_login(std::string_view url) {
  const auto authority = url.find("://");
  if (authority == url.npos) return false;
  url.remove_prefix(authority + 3);
  const auto at = url.find('@');
  if (at == url.npos || url.find('?') < at) return false;
  url = url.substr(0, url.find('?', at));
  return url.find('/') < at || url.find('@', at + 1) != url.npos;
}

}  // namespace

std::string value_of(const ConnectionSettings& settings, std::string_view name) {
  const auto found = std::ranges::find(settings, name, &ConnectionSettings::value_type::first);
  return found == settings.end() ? std::string() : found->second;
}

Result<ConnectionSettings> connection_settings(const std::string& url) {
  if (has_raw_login(url))
    return Error{
        Fault::misconfigured,
        "postgresql: the database URL has a second '@', or a '/' before the first one; in user, password "
        "and database write @ as %40 and / as %2F"};
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), &message), &PQconninfoFree);
  if (!options) {
    // libpq quotes the part it stumbles over, which may be the password: only what stands before the quote is
    // shown
    std::string text = message ? message : "out of memory";
    PQfreemem(message);
    text.resize(std::min(text.find('"'), text.size()));
    while (!text.empty() && (text.back() == ' ' || text.back() == ':' || text.back() == '\n'))
      text.pop_back();
    return Error{Fault::misconfigured,
                 "postgresql: the database URL cannot be read: " + text +
                     "; it must look like postgresql://user:password@host:5432/database"};
  }
  ConnectionSettings settings;
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option)
    if (option->val) settings.emplace_back(option->keyword, option->val);
  for (const Default& entry : defaults)
    if (value_of(settings, entry.name).empty() && !(entry.environment && std::getenv(entry.environment)))
      settings.emplace_back(entry.name, entry.value);
  // Text has to arrive as the very bytes that UTF-8 has for it, whatever the environment's locale.
  std::erase_if(settings, [](const auto& setting) { return setting.first == "client_encoding"; });
  settings.emplace_back("client_encoding", "UTF8");
  return settings;
}

std::string connection_string(const ConnectionSettings& settings) {
  std::string text;
  for (const auto& [name, value] : settings) {
    text += name + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "' ";
  }
  return text;
}

std::string place_of(const ConnectionSettings& settings) {
  std::string host = value_of(settings, "host");
  if (host.empty()) host = value_of(settings, "hostaddr");
  if (host.empty()) host = "local socket";
  const std::string port = value_of(settings, "port"), database = value_of(settings, "dbname");
  return host + (port.empty() ? "" : ":" + port) + (database.empty() ? "" : "/" + database);
}

}  // namespace outbox::postgresql
