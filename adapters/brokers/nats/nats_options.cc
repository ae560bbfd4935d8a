#include "adapters/brokers/nats/nats_options.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/text.h"

namespace outbox {
namespace {

/// nats.c begins with the place in its own source: "(conn.c:733): SSL handshake error: ...".
std::string last_error(natsStatus status) {
  const char* const last = nats_GetLastError(nullptr);
  std::string_view text = last && *last ? last : natsStatus_GetText(status);
  if (const auto end = text.find("): "); text.starts_with('(') && end != text.npos)
    text.remove_prefix(end + 3);
  return printable(text, 200);
}

Error bad_file(const std::string& setting, const std::string& path, const std::string& why) {
  return {Fault::misconfigured, setting + " " + path + " cannot be used: " + why};
}

Result<void> set_files(natsOptions* options, const NatsSettings& settings) {
  if (!settings.ca_file.empty())
    if (const auto status = natsOptions_LoadCATrustedCertificates(options, settings.ca_file.c_str());
        status != NATS_OK)
      return bad_file("ca_file", settings.ca_file, last_error(status));
  if (!settings.cert_file.empty())
    if (const auto status =
            natsOptions_LoadCertificatesChain(options, settings.cert_file.c_str(), settings.key_file.c_str());
        status != NATS_OK)
      return bad_file("cert_file", settings.cert_file + " with key_file " + settings.key_file,
                      last_error(status));
  if (settings.creds_file.empty()) return {};
  if (::access(settings.creds_file.c_str(), R_OK) != 0)
    return bad_file("creds_file", settings.creds_file, std::strerror(errno));
  natsOptions_SetUserCredentialsFromFiles(options, settings.creds_file.c_str(), nullptr);
  return {};
}

/// nats.c says "SSL handshake error: 19:self-signed certificate...", with the number only when a certificate
/// did not pass.
bool is_refused_certificate(std::string_view text) {
  constexpr std::string_view start = "SSL handshake error: ";
  return text.starts_with(start) && text.size() > start.size() && text[start.size()] >= '0' &&
         text[start.size()] <= '9' && text.substr(start.size(), 5).find(':') != text.npos;
}

}  // namespace

Result<NatsOptions> make_nats_options(const NatsSettings& settings, const Url::Host& host, Duration limit) {
  natsOptions* raw = nullptr;
  if (const auto status = natsOptions_Create(&raw); status != NATS_OK)
    return Error{Fault::unavailable, last_error(status)};
  NatsOptions options(raw);
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  natsOptions_SetURL(raw, ("nats://" + nats_endpoint(host)).c_str());
  natsOptions_SetName(raw, "outboxd");
  natsOptions_SetTimeout(raw, std::max<std::int64_t>(milliseconds, 1));
  natsOptions_SetAllowReconnect(raw, false);
  natsOptions_SetRetryOnFailedConnect(raw, false, nullptr, nullptr);
  natsOptions_SetSecure(raw, settings.is_tls);
  // Also for nats://, because nats.c turns to TLS by itself when the server asks for it.
  natsOptions_SetExpectedHostname(
      raw, settings.server_name.empty() ? host.name.c_str() : settings.server_name.c_str());
  if (!settings.password.empty())
    natsOptions_SetUserInfo(raw, settings.user.c_str(), settings.password.c_str());
  else if (!settings.user.empty())
    natsOptions_SetToken(raw, settings.user.c_str());
  if (auto set = set_files(raw, settings); !set) return set.error();
  return options;
}

Error nats_connect_error(natsStatus status) {
  const std::string text = last_error(status);
  if (is_refused_certificate(text))
    return {Fault::misconfigured,
            "the server's certificate is refused: " + text + "; see ca_file and server_name"};
  switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
      return {Fault::misconfigured, "the login was refused: " + text +
                                        "; see user, password or token in the route's URL, or creds_file"};
    case NATS_SECURE_CONNECTION_WANTED:
      return {Fault::unavailable, "the server has no TLS; write nats:// if it shall have none"};
    case NATS_SECURE_CONNECTION_REQUIRED:
      return {Fault::misconfigured, "the server wants TLS; write tls://"};
    default:
      return {Fault::unavailable, text};
  }
}

}  // namespace outbox
