#include "adapters/brokers/nats/nats_answer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/text.h"

namespace outbox {
namespace {

struct Known {
  int error;
  Verdict verdict;
  Scope scope = Scope::route;
};

// err_code of https://github.com/nats-io/nats-server/blob/main/server/errors.json
constexpr std::array table = {
    Known{10054, Verdict::rejected},  // message size exceeds maximum allowed
    Known{10097, Verdict::rejected},  // header size exceeds maximum allowed of 64k
    Known{10077, Verdict::unavailable,
          Scope::topic},                 // the store failed: full with discard = new, no room on the disk
    Known{10002, Verdict::unavailable},  // resource limits exceeded for account
    Known{10023, Verdict::unavailable},  // insufficient resources
    Known{10028, Verdict::unavailable},  // memory resources exceeded for server
    Known{10047, Verdict::unavailable},  // storage resources exceeded for server
    Known{10008, Verdict::unavailable},  // JetStream system temporarily unavailable
    Known{10009, Verdict::unavailable},  // JetStream cluster can not handle request
    Known{10118, Verdict::unavailable, Scope::topic},    // stream is offline
    Known{10167, Verdict::unavailable},                  // too many requests
    Known{10035, Verdict::misconfigured},                // JetStream not enabled for account
    Known{10039, Verdict::misconfigured},                // ditto
    Known{10076, Verdict::misconfigured},                // JetStream not enabled
    Known{10059, Verdict::misconfigured, Scope::topic},  // stream not found
    Known{10109, Verdict::misconfigured, Scope::topic},  // invalid operation on sealed stream
};

constexpr int service_unavailable = 503;

Known known_of(int code, int error) {
  const auto known = std::ranges::find(table, error, &Known::error);
  if (known != table.end()) return *known;
  return {error, code == service_unavailable ? Verdict::unavailable : Verdict::retry};
}

NatsAnswer meaning_of_body(std::string_view body) {
  const auto json = read_json<nlohmann::json>(body);
  if (json.is_object() && json.contains("error") && json["error"].is_object()) {
    const auto& error = json["error"];
    const auto number = [&error](const char* name) {
      return error.contains(name) && error[name].is_number_integer() ? error[name].get<int>() : 0;
    };
    const int code = number("code"), err_code = number("err_code");
    const std::string description = error.contains("description") && error["description"].is_string()
                                        ? error["description"].get<std::string>()
                                        : "";
    const Known known = known_of(code, err_code);
    return {known.verdict, printable(description, 200) + " (" + std::to_string(err_code) + ")", false,
            known.scope};
  }
  if (json.is_object() && json.contains("stream") && json["stream"].is_string() && json.contains("seq") &&
      json["seq"].is_number_unsigned() && json["seq"].get<std::uint64_t>() > 0) {
    NatsAnswer answer{Verdict::accepted, {}};
    answer.duplicate = json.contains("duplicate") && json["duplicate"] == true;
    return answer;
  }
  return {Verdict::retry, "an answer came that is none of JetStream's", true};
}

}  // namespace

NatsAnswer meaning_of_nats_answer(std::string_view status, std::string_view body) {
  if (status == "503")
    return {Verdict::misconfigured,
            "no stream takes this subject, or its stream has no leader now; create one, or add the subject "
            "to one (and see "
            "that JetStream is on)"};
  if (!status.empty()) return {Verdict::retry, "the answer has status " + printable(status, 20)};
  // What nearly every answer looks like. A stream that is called "error" is read the long way.
  if (body.starts_with(R"({"stream":")") && body.find(R"("error")") == body.npos &&
      body.find(R"("duplicate")") == body.npos && body.find(R"("seq":)") != body.npos &&
      body.find(R"("seq":0)") == body.npos && body.ends_with('}'))
    return {Verdict::accepted, {}};
  return meaning_of_body(body);
}

std::optional<NatsDenial> nats_denial_in(std::string_view error) {
  constexpr std::string_view publish = "Permissions Violation for Publish to \"";
  constexpr std::string_view subscribe = "Permissions Violation for Subscription to \"";
  NatsDenial denial;
  for (const std::string_view start : {publish, subscribe}) {
    if (!error.starts_with(start)) continue;
    denial.is_publish = start == publish;
    denial.subject = error.substr(start.size());
    const std::size_t end = denial.subject.find('"');
    denial.is_cut = end == denial.subject.npos;
    denial.subject = denial.subject.substr(0, end);
    return denial;
  }
  return std::nullopt;
}

}  // namespace outbox
