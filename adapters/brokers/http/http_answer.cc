#include "adapters/brokers/http/http_answer.h"

#include <algorithm>
#include <array>

namespace outbox {
namespace {

struct Known {
  long status;
  std::string_view name;
  AnswerMeaning meaning;
};

constexpr AnswerMeaning wait{Verdict::unavailable, false, {}};
// A gateway that got no answer, or gave up waiting, leaves the same doubt as a connection that breaks; and as
// there, only asking again tells whether the receiver is gone or this message made it so.
constexpr AnswerMeaning doubt{Verdict::in_doubt, true, {}};

constexpr AnswerMeaning wrong(std::string_view advice) {
  return {Verdict::misconfigured, false, advice};
}

/// Of this path, which is the topic's own.
constexpr AnswerMeaning wrong_topic(std::string_view advice) {
  return {Verdict::misconfigured, false, advice, Scope::topic};
}

constexpr AnswerMeaning rejected{Verdict::rejected, false, {}};
constexpr AnswerMeaning redirected =
    wrong("redirects are not followed; put the address that it leads to into the route's `to`");

constexpr std::array table = {
    Known{300, "Multiple Choices", redirected},
    Known{301, "Moved Permanently", redirected},
    Known{302, "Found", redirected},
    Known{303, "See Other", redirected},
    Known{307, "Temporary Redirect", redirected},
    Known{308, "Permanent Redirect", redirected},
    Known{400, "Bad Request", rejected},
    Known{401, "Unauthorized",
          wrong("correct user and password in the route's URL, bearer_token or signing_secret")},
    Known{402, "Payment Required", wrong_topic("see the receiver's terms")},
    Known{403, "Forbidden", wrong_topic("give the relay the right to post there")},
    Known{404, "Not Found",
          wrong_topic("nothing is there: correct the route's `to` or its topics, or serve the path")},
    Known{405, "Method Not Allowed",
          wrong_topic("no POST is taken there: correct the route's `to` or its topics")},
    Known{407, "Proxy Authentication Required",
          wrong("a proxy asks for a login; the relay must reach the receiver without it")},
    Known{408, "Request Timeout", doubt},
    Known{409, "Conflict", {Verdict::retry, false, {}}},
    Known{410, "Gone", wrong_topic("the receiver is gone for good: remove the route, or correct its `to`")},
    Known{411, "Length Required", rejected},
    Known{413, "Content Too Large", rejected},
    Known{414, "URI Too Long", rejected},
    Known{415, "Unsupported Media Type", rejected},
    Known{421, "Misdirected Request", wrong("the server answers for another name: see server_name")},
    Known{422, "Unprocessable Content", rejected},
    Known{423, "Locked", {Verdict::retry, false, {}}},
    Known{425, "Too Early", wait},
    Known{426, "Upgrade Required",
          wrong("the receiver wants another protocol: see http_version and https://")},
    Known{429, "Too Many Requests", wait},
    Known{431, "Request Header Fields Too Large", rejected},
    Known{500, "Internal Server Error", {Verdict::retry, false, {}}},
    Known{501, "Not Implemented", wrong("no POST is taken there: correct the route's `to`")},
    Known{502, "Bad Gateway", doubt},
    Known{503, "Service Unavailable", wait},
    Known{504, "Gateway Timeout", doubt},
    Known{505, "HTTP Version Not Supported", wrong("see http_version")},
    Known{507, "Insufficient Storage", wait},
    Known{511, "Network Authentication Required", wrong("the network asks for a login")},
};

const Known* find(long status) {
  const auto* const found =
      std::ranges::find_if(table, [status](const Known& entry) { return entry.status == status; });
  return found == table.end() ? nullptr : found;
}

}  // namespace

AnswerMeaning meaning_of_status(long status) {
  if (status >= 200 && status < 300) return {Verdict::accepted, false, {}};
  if (const Known* const known = find(status)) return known->meaning;
  if (status >= 300 && status < 400) return redirected;
  if (status >= 400 && status < 500) return rejected;
  return {};
}

bool is_absent(long status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

std::string status_text(long status) {
  const Known* const known = find(status);
  return std::to_string(status) + (known ? " " + std::string(known->name) : "");
}

}  // namespace outbox
