#include <algorithm>
#include <chrono>
#include <string_view>

#include "adapters/brokers/http/http_answer.h"
#include "adapters/brokers/http/http_broker.h"
#include "adapters/common/server_check.h"
#include "base/text.h"

namespace outbox {
namespace {

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
  transfer.limit(limit);
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

void judge(const std::string& where, const OptionsAnswer& answer, Findings& findings) {
  if (!answer.failure.empty())
    return findings.fault(where + ": no answer to OPTIONS: " + answer.failure,
                          "see whether the receiver runs");
  const std::string said = where + ": OPTIONS is answered " + status_text(answer.status);
  if (is_absent(answer.status))
    return findings.warning(said, "see whether the receiver runs behind its gateway");
  switch (answer.status) {
    case 401:
    case 403:
    case 404:
    case 410:
      return findings.warning(said + "; a POST may fare alike",
                              std::string(meaning_of_status(answer.status).advice));
    default:
      break;
  }
  if (leaves_out_post(answer.allow))
    return findings.warning(said + ", and its Allow leaves POST out: " + answer.allow,
                            std::string(meaning_of_status(405).advice));
  findings.ok(said);
}

void check_privacy(const HttpSettings& settings, Findings& findings) {
  if (settings.is_tls || settings.is_loopback) return;
  const bool has_secret = settings.has_login() || !settings.bearer_token.empty();
  findings.warning(
      std::string("messages") + (has_secret ? " and the login" : "") + " cross the network in the clear",
      "use https://");
}

}  // namespace

std::vector<Finding> check_http(const HttpSettings& settings, const BrokerTarget& target,
                                std::span<const std::string> topics, Duration limit) {
  const RequestWriter writer(settings, target.source, target.attributes);
  const Instant end = now() + limit;
  Findings findings("");
  check_privacy(settings, findings);
  if (topics.empty() || !settings.append_topic)
    judge("the route's URL", ask(settings, writer, writer.probe_url(), limit), findings);
  else
    for (const std::string& topic : topics) {
      std::string url;
      if (std::string fault = writer.append_url(url, topic); !fault.empty()) {
        findings.fault(fault, "rename the topic, or set append_topic = false");
        continue;
      }
      const Duration left = std::max<Duration>(end - now(), std::chrono::milliseconds(1));
      judge("topic '" + printable(topic, 60) + "'", ask(settings, writer, url, left), findings);
    }
  findings.ok(
      "not to be seen without a POST: whether one is taken, how large, and whether the receiver has stored a "
      "message before it answers 2xx");
  return findings.take();
}

}  // namespace outbox
