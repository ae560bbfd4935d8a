#include "tests/conformance/http_fixture.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "tests/support/decode.h"

namespace outbox::test {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// What any client sends, and what stands for the id beside ce-id.
bool is_of_the_protocol(const std::string& name) {
  static const std::set<std::string> names = {"accept",     "authorization",     "content-length",
                                              "host",       "idempotency-key",   "user-agent",
                                              "webhook-id", "webhook-signature", "webhook-timestamp"};
  return names.contains(name);
}

}  // namespace

Received received_of(const WebhookRequest& request, std::string_view path) {
  Received message;
  message.topic =
      request.path.starts_with(path) ? from_percent(request.path.substr(path.size())) : request.path;
  message.payload = request.body;
  for (const auto& [name, value] : request.headers) {
    const std::string known = lower(name);
    if (known == "content-type" || known.starts_with("ce-"))
      message.add("content-type", "ce-", known, known.starts_with("ce-") ? from_percent(value) : value);
    else if (!is_of_the_protocol(known))
      message.headers.emplace(name, value);
  }
  return message;
}

std::vector<Received> HttpFixture::received() {
  std::vector<Received> messages;
  for (const WebhookRequest& request : server.requests())
    if (request.status / 100 == 2) messages.push_back(received_of(request, "/hook/"));
  return messages;
}

}  // namespace outbox::test
