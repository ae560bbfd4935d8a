#include "adapters/brokers/http/http_check.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <string_view>

#include "adapters/brokers/http/http_answer.h"
#include "adapters/brokers/http/http_loop.h"
#include "adapters/brokers/http/http_request.h"
#include "adapters/brokers/http/http_settings.h"
#include "adapters/brokers/http/http_transfer.h"
#include "base/text.h"

namespace outbox {
namespace {

using Level = Finding::Level;
using std::chrono::steady_clock;

struct OptionsAnswer {
  long status = 0;
  std::string allow;    ///< the methods that the receiver says it takes there; empty: it does not say
  std::string failure;  ///< not empty: no answer
};

OptionsAnswer ask(const HttpSettings& settings, const RequestWriter& writer, const std::string& url,
                  Duration limit) {
  HttpLoop loop;  // starts libcurl
  HttpTransfer transfer(settings);
  transfer.ask_options(url, writer.authorization());
  curl_easy_setopt(transfer.handle(), CURLOPT_TIMEOUT_MS,
                   static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(limit).count()));
  const CURLcode code = curl_easy_perform(transfer.handle());
  if (code != CURLE_OK && !transfer.was_too_long()) return {0, {}, transfer.failure(code)};
  OptionsAnswer answer{transfer.status(), {}, {}};
  curl_header* header = nullptr;
  if (curl_easy_header(transfer.handle(), "Allow", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
    answer.allow = printable(header->value, 100);
  return answer;
}

/// "Allow: GET, HEAD" of a path that takes no POST.
bool leaves_out_post(const std::string& allow) {
  return !allow.empty() && allow.find("POST") == std::string::npos;
}

Finding finding_of(const std::string& where, const OptionsAnswer& answer) {
  if (!answer.failure.empty())
    return {Level::fault, where + ": no answer to OPTIONS: " + answer.failure,
            "see whether the receiver runs"};
  const std::string said = where + ": OPTIONS is answered " + status_text(answer.status);
  if (is_absent(answer.status))
    return {Level::warning, said, "see whether the receiver runs behind its gateway"};
  switch (answer.status) {
    case 401:
    case 403:
    case 404:
    case 410:
      return {Level::warning, said + "; a POST may fare alike",
              std::string(meaning_of_status(answer.status).advice)};
    default:
      break;
  }
  if (leaves_out_post(answer.allow))
    return {Level::warning, said + ", and its Allow leaves POST out: " + answer.allow,
            std::string(meaning_of_status(405).advice)};
  return {Level::ok, said, {}};
}

void check_privacy(const HttpSettings& settings, std::vector<Finding>& findings) {
  if (settings.is_tls || settings.is_loopback) return;
  const bool has_secret = settings.has_login() || !settings.bearer_token.empty();
  findings.push_back(
      {Level::warning,
       std::string("messages") + (has_secret ? " and the login" : "") + " cross the network in the clear",
       "use https://"});
}

}  // namespace

std::vector<Finding> check_http(const BrokerTarget& target, std::span<const std::string> topics,
                                Duration limit) {
  const auto settings = parse_http_settings(target);
  if (!settings) return {{Level::fault, settings.error().text, "correct the route"}};
  const RequestWriter writer(*settings, target.source, target.attributes);
  const auto end = steady_clock::now() + limit;
  std::vector<Finding> findings;
  check_privacy(*settings, findings);
  if (topics.empty() || !settings->append_topic)
    findings.push_back(finding_of("the route's URL", ask(*settings, writer, writer.probe_url(), limit)));
  else
    for (const std::string& topic : topics) {
      const std::string where = "topic '" + printable(topic, 60) + "'";
      std::string url;
      if (std::string fault = writer.append_url(url, topic); !fault.empty()) {
        findings.push_back({Level::fault, std::move(fault), "rename the topic, or set append_topic = false"});
        continue;
      }
      const Duration left = std::max<Duration>(end - steady_clock::now(), std::chrono::milliseconds(1));
      findings.push_back(finding_of(where, ask(*settings, writer, url, left)));
    }
  findings.push_back(
      {Level::ok,
       "not to be seen without a POST: whether one is taken, how large, and whether the receiver has "
       "stored a message before it answers 2xx",
       {}});
  return findings;
}

}  // namespace outbox
