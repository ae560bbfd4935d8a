#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "adapters/brokers/nats/nats_broker.h"
#include "adapters/brokers/nats/nats_handles.h"
#include "adapters/brokers/nats/nats_options.h"
#include "adapters/brokers/nats/nats_subject.h"
#include "adapters/common/server_check.h"
#include "base/json_text.h"
#include "base/text.h"

namespace outbox {
namespace {

using Json = nlohmann::json;

std::string shown(std::string_view text) {
  return "'" + printable(text, 60) + "'";
}

template <class T>
T value_of(const Json& object, const char* name, T fallback) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return fallback;
  try {
    return found->get<T>();
  } catch (const Json::exception&) {
    return fallback;
  }
}

class Check {
 public:
  Check(const NatsSettings& settings, Duration limit) : settings_(settings), limit_(limit) {}

  std::vector<Finding> run(std::span<const std::string> topics) {
    if (!connect()) return findings_.take();
    findings_.ok("the server takes messages of up to " +
                 std::to_string(natsConnection_GetMaxPayload(connection_.get())) +
                 " bytes, headers included (max_payload)");
    if (check_account())
      for (const std::string& topic : topics) check_topic(topic);
    return findings_.take();
  }

 private:
  bool connect() {
    std::string reasons;
    for (const Url::Host& host : settings_.hosts) {
      auto options = make_nats_options(settings_, host, limit_ / static_cast<int>(settings_.hosts.size()));
      natsConnection* connection = nullptr;
      std::string reason;
      if (!options)
        reason = options.error().text;
      else if (const auto status = natsConnection_Connect(&connection, options->get()); status != NATS_OK)
        reason = nats_connect_error(status).text;
      if (connection) {
        connection_.reset(connection);
        return true;
      }
      reasons += (reasons.empty() ? "" : "; ") + nats_endpoint(host) + ": " + reason;
    }
    findings_.fault(reasons, "see that the server runs and takes this login");
    return false;
  }

  /// nullopt: no answer, or none that is JSON.
  std::optional<Json> ask(const std::string& subject, const std::string& body = {}) {
    natsMsg* raw = nullptr;
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(limit_).count() / 4;
    const auto status =
        natsConnection_RequestString(&raw, connection_.get(), subject.c_str(), body.c_str(), wait);
    const NatsMsg answer(raw);
    has_nobody_ = status == NATS_NO_RESPONDERS;
    if (status != NATS_OK) return std::nullopt;
    const char* data = natsMsg_GetData(raw);
    Json json = read_json<Json>({data, static_cast<std::size_t>(natsMsg_GetDataLength(raw))});
    if (!json.is_object()) return std::nullopt;
    return json;
  }

  bool check_account() {
    const auto info = ask("$JS.API.INFO");
    if (!info && has_nobody_) {
      findings_.fault(
          "JetStream does not answer: it is off on the server, or for this account",
          "add jetstream { store_dir: ... } to the server's configuration, and enable it for the account");
      return false;
    }
    if (!info) {
      findings_.warning(
          "the streams cannot be checked: the user may not publish to $JS.API.INFO",
          "to have them checked, allow $JS.API.INFO, $JS.API.STREAM.NAMES and $JS.API.STREAM.INFO.*");
      return false;
    }
    if (const auto error = info->find("error"); error != info->end()) {
      findings_.fault(
          "JetStream refuses: " + printable(value_of<std::string>(*error, "description", "?"), 200),
          "enable JetStream for the account");
      return false;
    }
    findings_.ok("JetStream is on for this account");
    return true;
  }

  void check_topic(const std::string& topic) {
    if (const std::string fault = nats_topic_fault(topic); !fault.empty())
      return findings_.fault("topic " + fault, "choose a name that NATS takes as a subject");
    const auto names = ask("$JS.API.STREAM.NAMES", Json{{"subject", topic}}.dump());
    if (!names)
      return findings_.warning(
          "topic " + shown(topic) + " cannot be checked: the server does not name its stream",
          "allow the user $JS.API.STREAM.NAMES and $JS.API.STREAM.INFO.*");
    const auto list = value_of<std::vector<std::string>>(*names, "streams", {});
    if (list.empty())
      return findings_.fault(
          "no stream takes topic " + shown(topic),
          "nats stream add ORDERS --subjects '" + printable(topic, 60) + "' --storage file --replicas 3");
    for (const std::string& name : list) {
      findings_.ok("topic " + shown(topic) + " goes to stream " + shown(name));
      if (checked_.insert(name).second) check_stream(name);
    }
  }

  void check_stream(const std::string& name) {
    const auto info = ask("$JS.API.STREAM.INFO." + name);
    const auto config = info ? info->find("config") : Json::const_iterator();
    if (!info || config == info->end())
      return findings_.warning("stream " + shown(name) + " cannot be checked",
                               "allow the user $JS.API.STREAM.INFO." + name);
    check_durability(name, *config);
    check_limits(name, *config);
    const auto window = std::chrono::nanoseconds(value_of<std::int64_t>(*config, "duplicate_window", 0));
    findings_.ok("stream " + shown(name) + " knows a message again for " +
                 std::to_string(std::chrono::duration_cast<std::chrono::seconds>(window).count()) +
                 " s (duplicate_window); what is repeated later is stored twice, with the same ce-id");
  }

  void check_durability(const std::string& name, const Json& config) {
    if (value_of<std::string>(config, "storage", "") == "memory")
      findings_.warning(
          "stream " + shown(name) + " is kept in memory: what it acknowledged is gone after a restart",
          "make it again with --storage file");
    if (value_of<bool>(config, "no_ack", false))
      findings_.fault(
          "stream " + shown(name) + " acknowledges nothing (no_ack): every message would time out",
          "nats stream edit " + name + " --ack");
    if (value_of<bool>(config, "sealed", false))
      findings_.fault("stream " + shown(name) + " is sealed and takes nothing", "use another stream");
    if (value_of<int>(config, "num_replicas", 1) == 1)
      findings_.warning(
          "stream " + shown(name) +
              " has 1 replica, and the server acknowledges before it syncs to disk (sync_interval, 2m by "
              "default): "
              "the loss of power may cost what was acknowledged since",
          "use 3 replicas on machines that fail apart, or set sync_interval: always (server 2.10)");
  }

  void check_limits(const std::string& name, const Json& config) {
    if (const int size = value_of<int>(config, "max_msg_size", -1); size >= 0)
      findings_.warning("stream " + shown(name) + " refuses messages of more than " + std::to_string(size) +
                            " bytes: they become dead letters",
                        "nats stream edit " + name + " --max-msg-size=-1, if larger ones are to pass");
    std::string limits;
    for (const char* limit : {"max_msgs", "max_bytes", "max_age", "max_msgs_per_subject"})
      if (const auto value = value_of<std::int64_t>(config, limit, -1); value > 0)
        limits += (limits.empty() ? "" : ", ") + std::string(limit) + " " + std::to_string(value);
    if (limits.empty()) return;
    const bool refuses = value_of<std::string>(config, "discard", "old") == "new";
    findings_.ok(
        "stream " + shown(name) + " has limits (" + limits + "): when they are reached " +
        (refuses ? "it takes nothing more, and the route waits" : "the oldest messages go, read or not"));
  }

  const NatsSettings& settings_;
  const Duration limit_;
  NatsHandle connection_;
  bool has_nobody_ = false;  ///< the last request found nobody to answer it
  std::set<std::string> checked_;
  Findings findings_{"nats: "};
};

}  // namespace

std::vector<Finding> check_nats(const NatsSettings& settings, const BrokerTarget&,
                                std::span<const std::string> topics, Duration limit) {
  return Check(settings, limit).run(topics);
}

}  // namespace outbox
